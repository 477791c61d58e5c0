"""One station's WebSocket: picows' core API behind the few words that the gateway needs.

picows gives frames; that they make whole, valid and not too long messages, that the peer still lives, and that a close is
a close on both sides, is done here (RFC 6455 §5.4, §5.5.1, §7, §8.1).
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]

READ_BUFFER_BYTES = 2048  # grows with what comes; 16 KiB a station would be most of what a station costs
CLOSE_GRACE_S = 2.0
_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE

# An adapter, as picows makes a logger of its own for each connection otherwise (1 KB), which nobody reads.
_log = logging.LoggerAdapter(logging.getLogger("chargewire.picows"), {})
_log.logger.setLevel(logging.ERROR)


class Socket(WSListener):
    """`on_message` gets each message (valid UTF-8 if it is text), `on_lost` is called once, after the last."""

    __slots__ = (
        "_drained",
        "_limit",
        "_parts",
        "_pinged",
        "_size",
        "_transport",
        "choked",
        "heard_at",
        "on_lost",
        "on_message",
        "paused",
    )

    def __init__(self, limit: int) -> None:
        self._limit = limit  # bytes of a whole message
        self._transport: WSTransport | None = None
        self._parts: list[bytes] | None = None
        self._size = 0
        self._drained: asyncio.Event | None = None
        self._pinged = False
        self.choked = False  # the peer does not read as fast as we write
        self.paused = False  # we do not read as fast as the peer writes
        self.heard_at = monotonic()
        self.on_message: Callable[[bytes], None] = _ignore
        self.on_lost: Callable[[], None] = _nothing

    @property
    def is_open(self) -> bool:
        """Whether what is sent has a chance to arrive."""
        transport = self._transport
        return transport is not None and not transport.is_disconnected and not transport.is_close_frame_sent

    def send(self, message: bytes) -> None:
        """Send a text message; nothing happens on a socket that is closed or closing."""
        if self._transport is not None:
            self._transport.send(_TEXT, message)

    async def drained(self) -> None:
        """Wait until the peer has read enough of what was sent, or is gone."""
        if self.choked:
            self._drained = self._drained or asyncio.Event()
            await self._drained.wait()

    def pause_reading(self) -> None:
        """Let the peer wait: TCP tells it. Nothing is lost, and the connection is not given up meanwhile."""
        if not self.paused and self._transport is not None and not self._transport.is_disconnected:
            self.paused = True
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self.paused and self._transport is not None and not self._transport.is_disconnected:
            self.paused = False
            self.heard_at = monotonic()
            self._transport.underlying_transport.resume_reading()

    def probe(self, now: float, idle_s: float, reply_s: float) -> bool:
        """Ping a peer that was silent for `idle_s`; False, and it is cut off, if a ping has not been answered in `reply_s`."""
        silent_s = now - self.heard_at
        if silent_s < idle_s or self._transport is None or (self.paused and not self.choked):
            return True
        if silent_s >= idle_s + reply_s and (self._pinged or self.choked):
            self.abort()
            return False
        if not self._pinged and not self.choked:
            self._pinged = True
            self._transport.send_ping()
        return True

    def close(self, code: WSCloseCode, reason: str = "") -> None:
        """Begin the close handshake; a peer that does not take part in it is cut off after a moment."""
        transport = self._transport
        if transport is None or transport.is_disconnected:
            return
        transport.send_close(code, reason)
        asyncio.get_running_loop().call_later(CLOSE_GRACE_S, self.abort)

    def abort(self) -> None:
        """Cut the connection off."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.heard_at = monotonic()
        self._pinged = False
        kind = frame.msg_type
        if frame.rsv1:  # compressed, which nobody agreed to (RFC 6455 §5.2)
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a reserved bit is set")
        if kind == _TEXT and frame.fin and self._parts is None:
            self._take(frame.get_payload_as_bytes())
        elif kind in (_TEXT, _BINARY, _CONTINUATION):
            self._take_part(kind, frame)
        elif kind == _PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            if not transport.is_close_frame_sent:
                code = frame.get_close_code()
                transport.send_close(WSCloseCode.OK if code == WSCloseCode.NO_INFO else code)
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._parts = None
        self.resume_writing()
        lost, self.on_lost, self.on_message = self.on_lost, _nothing, _ignore
        lost()

    def pause_writing(self) -> None:
        self.choked = True

    def resume_writing(self) -> None:
        self.choked = False
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def _take_part(self, kind: WSMsgType, frame: WSFrame) -> None:
        """Put fragments together (RFC 6455 §5.4). Binary messages are read as text: OCPP-J knows no others."""
        if (kind == _CONTINUATION) != (self._parts is not None):
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
        if self._parts is None:
            self._parts, self._size = [], 0
        self._size += frame.payload_size
        if self._size > self._limit:
            self._parts = None
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"message of more than {self._limit} bytes")
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            message, self._parts = b"".join(self._parts), None
            self._take(message)

    def _take(self, message: bytes) -> None:
        if not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:
                raise WSProtocolError(WSCloseCode.INVALID_TEXT, "not UTF-8") from None
        if self._transport is not None and not self._transport.is_close_frame_sent:
            self.on_message(message)


def upgrade(transport: asyncio.Transport, socket: Socket, key: str, protocol: str | None, rest: bytes, limit: int) -> None:
    """Answer the handshake (101) and let `socket` have the connection from here on; `rest` is what came after the head.

    picows decides on a handshake at once, while we have to ask the desk first. So its protocol takes over an open
    connection, and is shown a plain request in place of what the station sent.
    """
    answer = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": protocol} if protocol else None)
    taker = WSProtocol(
        None,
        None,
        False,
        lambda _: WSUpgradeResponseWithListener(answer, socket),
        _log,
        True,
        None,
        False,
        10,
        10,
        WSAutoPingStrategy.PING_WHEN_IDLE,
        False,
        limit,
        None,
        READ_BUFFER_BYTES,
    )
    transport.set_protocol(taker)
    taker.connection_made(transport)
    _feed(taker, b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")
    _feed(taker, b"Sec-WebSocket-Key: %b\r\n\r\n" % key.encode() + rest)


def _feed(taker: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        space = taker.get_buffer(-1)
        count = min(len(space), len(view))
        space[:count] = view[:count]
        taker.buffer_updated(count)
        view = view[count:]


def _ignore(_: bytes) -> None:
    """Stands for a receiver that is not there yet, or not any more."""


def _nothing() -> None:
    """Likewise."""
