"""A station's WebSocket to its CSMS: one connection at a time, calls out and in (OCPP-J 1.6 §3, §4)."""

import asyncio
import base64
import secrets
import ssl
from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote

from msgspec import Raw, Struct
from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)

from chargewire.protocols.ocpp.rpc import Answered, BadFrame, Call, Conversation, Failure, MessageId, Result
from chargewire.protocols.ocpp.v16.station import SUBPROTOCOL

BUFFER = 1024  # bytes to read into at first: what a CSMS sends is small, and there are thousands of us
HANDSHAKE_S = 20.0
ANSWER_S = 30.0
PONG_S = 20.0


class Offline(Exception):
    """There is no connection, or it broke before the answer came."""


class NoAnswer(Exception):
    """The CSMS did not answer in time."""


class Refused(Exception):
    """The CSMS answered a call with CALLERROR."""


class Address(Struct, frozen=True, kw_only=True):
    """Where a station connects to, and as whom. `url` without the identity."""

    url: str
    station_id: str
    password: str | None = None
    verify: bool = True  # the server's certificate

    @property
    def whole(self) -> str:
        """The URL with the identity as its last segment, percent-encoded (OCPP-J 1.6 §3.1.1)."""
        return f"{self.url.rstrip('/')}/{quote(self.station_id, safe='')}"

    def headers(self) -> dict[str, str]:
        said = {"Sec-WebSocket-Protocol": SUBPROTOCOL}
        if self.password is not None:
            pair = f"{self.station_id}:{self.password}".encode()
            said["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return said

    def ssl(self) -> ssl.SSLContext | None:
        if not self.url.startswith("wss:"):
            return None
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Hears(Protocol):
    """Whoever a link belongs to."""

    def called(self, call: Call) -> None:
        """The CSMS asks something."""

    def hung_up(self) -> None:
        """The connection is gone."""

    def loses(self, answer: Result | Failure) -> bool:
        """True if this answer gets lost on the way."""

    def message_id(self, text: str) -> MessageId:
        """A message id as this station writes them."""


class Link:
    """Connects, carries calls both ways, and knows when it is broken. Connect it again as often as needed."""

    def __init__(self, address: Address, owner: Hears, answer_s: float = ANSWER_S) -> None:
        self._address = address
        self._owner = owner
        self.answer_s = answer_s
        self._transport: WSTransport | None = None
        self._conversation = Conversation()
        self._answers: dict[MessageId, asyncio.Future[Result | Failure]] = {}
        self._number = secrets.randbelow(1 << 24)
        self._gone = asyncio.Event()
        self._gone.set()

    @property
    def up(self) -> bool:
        return self._transport is not None

    async def connect(self, ping_s: float = 0) -> None:
        """Connect; `ping_s`: send a ping after so long a silence, 0 = never. Raises Offline."""
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await ws_connect(
                    self._listener,
                    self._address.whole,
                    ssl_context=self._address.ssl(),
                    extra_headers=self._address.headers(),
                    read_buffer_init_size=BUFFER,
                    websocket_handshake_timeout=HANDSHAKE_S,
                    enable_auto_ping=ping_s > 0,
                    auto_ping_idle_timeout=ping_s or 60,
                    auto_ping_reply_timeout=PONG_S,
                )
        except (OSError, WSError, TimeoutError) as error:
            raise Offline(f"{type(error).__name__}: {error}") from error
        if self._transport is None:
            raise Offline("hung up at once")

    async def lost(self) -> None:
        """Wait until the connection is gone."""
        await self._gone.wait()

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.send_close(WSCloseCode.GOING_AWAY)
            self._transport.disconnect()

    def cut(self) -> None:
        """Break the connection without a word, as a pulled plug does."""
        if self._transport:
            self._transport.disconnect(graceful=False)

    async def ask(self, action: str, payload: bytes) -> Raw:
        """Call the CSMS; calls go one after the other (OCPP-J 1.6 §4.1.1). Gives the payload of its answer.

        Raises Offline, NoAnswer, Refused.
        """
        if self._transport is None:
            raise Offline("not connected")
        self._number += 1
        call = Call(self._owner.message_id(f"{self._number}"), action, Raw(payload))
        answer: asyncio.Future[Result | Failure] = asyncio.get_running_loop().create_future()
        self._answers[call.id] = answer
        self._conversation.call(call)
        self._flush()
        try:
            async with asyncio.timeout(self.answer_s):
                got = await answer
        except TimeoutError as error:
            self._conversation.give_up(call)
            self._flush()
            raise NoAnswer(f"{action} was not answered within {self.answer_s:g} s") from error
        finally:
            self._answers.pop(call.id, None)
        if isinstance(got, Failure):
            raise Refused(f"{action}: {got.code} {got.description}".rstrip())
        return got.payload

    def send(self, frame: bytes) -> None:
        """Send a frame as it is; lost if there is no connection."""
        if self._transport:
            self._transport.send(WSMsgType.TEXT, frame)

    def _listener(self, _request: WSUpgradeRequest, response: WSUpgradeResponse) -> WSListener:
        if response.headers.get("Sec-WebSocket-Protocol", SUBPROTOCOL) != SUBPROTOCOL:
            raise WSError(f"the CSMS wants {response.headers['Sec-WebSocket-Protocol']}")
        return _Listener(self._opened, self._heard, self._closed)

    def _opened(self, transport: WSTransport) -> None:
        self._transport = transport
        self._gone.clear()

    def _heard(self, transport: WSTransport, data: bytes) -> None:
        if transport is not self._transport:
            return
        try:
            event = self._conversation.receive(data)
        except BadFrame:
            return
        if isinstance(event, Call):
            self._owner.called(event)
        elif isinstance(event, Answered):
            waiting = self._answers.get(event.call.id)
            if waiting and not waiting.done() and not self._owner.loses(event.answer):
                waiting.set_result(event.answer)
            self._flush()

    def _closed(self, transport: WSTransport) -> None:
        if transport is not self._transport:
            return
        self._transport = None
        self._conversation.abandon()
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(Offline("the connection broke"))
        self._answers.clear()
        self._gone.set()
        self._owner.hung_up()

    def _flush(self) -> None:
        while (frame := self._conversation.due()) is not None:
            self.send(frame)


class _Listener(WSListener):
    """Puts fragmented messages together and hands on what matters."""

    def __init__(
        self,
        opened: Callable[[WSTransport], None],
        heard: Callable[[WSTransport, bytes], None],
        closed: Callable[[WSTransport], None],
    ) -> None:
        super().__init__()
        self._opened, self._heard, self._closed = opened, heard, closed
        self._parts: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._opened(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code() or WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                data, self._parts = b"".join(self._parts), []
                self._heard(transport, data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closed(transport)
