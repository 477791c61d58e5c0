"""One connected station: its calls in the order they came, each answered once it is durable; our orders in between."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from time import monotonic, perf_counter
from typing import Any

from msgspec import Struct
from picows import WSCloseCode

from chargewire.charging.commands import Order
from chargewire.charging.errors import MemoryUnavailable
from chargewire.csms.port import Admission, Heard, StationDesk, StationLink
from chargewire.gateway.errands import Errands
from chargewire.gateway.last_resort import last_resort
from chargewire.gateway.metrics import Metrics
from chargewire.gateway.socket import Socket
from chargewire.log import event, trouble
from chargewire.protocols.ocpp.dialect import Dialect, Row, blank, read_row
from chargewire.protocols.ocpp.rpc import Answered, BadFrame, Call, Conversation, Stray, answered, id_text, refused

MOST_WAITING_BYTES = 1024 * 1024  # of one station; then its socket is not read until all of it is answered
MOST_COMPLAINTS = 5  # of one connection, in the log; the rest is counted
_TOKEN = re.compile(rb'("(?:parentI|i)dTag"\s*:\s*)("[^"]*"|[^,}\s]+)')  # tokens stay out of the log


class House(Struct, frozen=True):
    """What all stations' lines share."""

    desk: StationDesk
    metrics: Metrics
    loop: asyncio.AbstractEventLoop
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]  # for work that nobody waits for
    most_waiting: int  # calls of one station that wait; then its socket is not read for a while
    quiet_s: float  # how long a station that says nothing after its handshake is not asked anything (habit 21)


class Line:
    """A station from its handshake to the loss of its socket. A call of the station is never refused for being one too many."""

    __slots__ = (
        "_dropped",
        "_errands",
        "_heard",
        "_house",
        "_inbox",
        "_left",
        "_link",
        "_opened_at",
        "_pump",
        "_talk",
        "_waiting_bytes",
        "address",
        "admission",
        "dialect",
        "on_left",
        "socket",
    )

    def __init__(
        self, house: House, socket: Socket, admission: Admission, dialect: Dialect, address: str, before: "Line | None"
    ) -> None:
        self.admission = admission
        self.dialect = dialect
        self.address = address
        self.socket = socket
        self.on_left: Callable[[Line], None] = _nothing
        self._house = house
        self._talk = Conversation()
        self._inbox: list[Call] = []
        self._waiting_bytes = 0  # of what came since nothing waited
        self._link: StationLink | None = None
        self._errands: Errands | None = None
        self._heard = False
        self._dropped = 0
        self._left: str | None = None  # why the socket is gone, once it is
        self._opened_at = monotonic()
        socket.on_message = self.receive
        socket.on_lost = self._lost
        self._pump: asyncio.Task[None] | None = house.spawn(self._open(before))

    def receive(self, data: bytes) -> None:
        """Take one message of the station."""
        began = perf_counter()
        metrics = self._house.metrics
        try:
            said = self._talk.receive(data)
        except BadFrame as error:
            metrics.dropped += 1
            self._dropped += 1
            if self._dropped <= MOST_COMPLAINTS:
                trouble("message.dropped", station_id=self.admission.station_id, why=error)
            return
        if type(said) is Call:
            self._inbox.append(said)
            self._waiting_bytes += len(data)
            if self._pump is None:
                self._pump = self._house.loop.create_task(self._answer_all())
            elif len(self._inbox) >= self._house.most_waiting or self._waiting_bytes > MOST_WAITING_BYTES:
                self.socket.pause_reading()
            if not self._heard:
                self._heard = True
                self._send_due()
        elif type(said) is Answered:
            if self._errands is not None:
                self._errands.settle(said)
            self._send_due()
        elif type(said) is Stray:
            metrics.strays += 1
            event("answer.stray", station_id=self.admission.station_id, message_id=said.answer.id)
        metrics.busy_s += perf_counter() - began

    def order(self, order: Order) -> None:
        """Carry an order to the station, when its turn has come."""
        if self._errands is None:
            house = self._house
            self._errands = Errands(
                self._talk,
                self.dialect,
                self.admission.connector_numbers,
                house.desk,
                house.metrics,
                house.spawn,
                self._send_due,
            )
            if not self._heard:
                quiet_s = self._house.quiet_s - (monotonic() - self._opened_at)
                self._house.loop.call_later(max(quiet_s, 0), self._send_due)
        self._errands.take(order)

    def supersede(self) -> None:
        """A newer socket of the same station is here: this one says no more, and nothing more of it is heard."""
        self._leave("superseded")
        self._inbox.clear()
        self.socket.close(WSCloseCode.OK, "superseded by a newer connection")

    def close(self, code: WSCloseCode, reason: str) -> None:
        """End the connection from our side."""
        self.socket.close(code, reason)

    async def finished(self) -> None:
        """Wait until nothing of this line is under way any more."""
        if self._pump is not None:
            await asyncio.wait([self._pump])

    def drop(self) -> None:
        """Let go of whatever is under way."""
        if self._pump is not None:
            self._pump.cancel()

    async def _open(self, before: "Line | None") -> None:
        """The first run of the pump: what an older socket has under way comes first, then the desk is told of this one."""
        try:
            if before is not None:
                await before.finished()
            protocol = self.dialect.subprotocol
            self._link = await self._house.desk.connect(self.admission, protocol, self.address)
        except MemoryUnavailable:
            self._inbox.clear()
            self.socket.close(WSCloseCode.TRY_AGAIN_LATER)
        except Exception as error:
            trouble("station.not_connected", cause=error, station_id=self.admission.station_id)
            self._inbox.clear()
            self.socket.close(WSCloseCode.INTERNAL_ERROR)
        await self._answer_all()

    async def _answer_all(self) -> None:
        """Answer what waits, in order; ends when nothing waits, so that an idle station costs no task."""
        inbox, socket = self._inbox, self.socket
        try:
            while inbox and self._link is not None:
                answer = await self._answer(self._link, inbox.pop(0))
                if answer is not None and self._left is None:
                    socket.send(answer)
                    if socket.choked:
                        await socket.drained()
                if not inbox:
                    self._waiting_bytes = 0
                if socket.paused and len(inbox) * 2 <= self._house.most_waiting and self._waiting_bytes <= MOST_WAITING_BYTES:
                    socket.resume_reading()
        finally:
            self._pump = None
            if self._left is not None and self._link is not None:
                await self._close_link()

    async def _answer(self, link: StationLink, call: Call) -> bytes | None:
        metrics = self._house.metrics
        metrics.calls += 1
        row = self.dialect.rows.get(call.action)
        if row is None:
            metrics.not_implemented += 1
            event("call.not_implemented", station_id=self.admission.station_id, action=call.action[:50])
            return refused(call, self.dialect.not_implemented, f"{call.action[:50]} is not supported")
        try:
            return answered(call, await link.hear(self._understood(row, call)))
        except MemoryUnavailable:
            metrics.unanswered += 1  # what is not durable is not acknowledged; the station will say it again
            return None
        except Exception as error:
            return self._last_resort(row, call, error)

    def _understood(self, row: Row, call: Call) -> Heard:
        began = perf_counter()
        metrics = self._house.metrics
        payload = bytes(call.payload)
        fact, flags = read_row(row, payload)
        if flags:
            metrics.mended += 1
        heard = Heard(
            fact=fact,
            action=call.action,
            message_id=id_text(call.id),
            call=self.dialect.masked(call.action, payload),
            answer=row.answer,
            flags=flags,
        )
        metrics.busy_s += perf_counter() - began
        return heard

    def _last_resort(self, row: Row, call: Call, error: Exception) -> bytes:
        """Something of ours broke: the message goes to the log, and the station's queue goes on (habit 22)."""
        self._house.metrics.failed += 1
        payload = _TOKEN.sub(rb'\1"***"', self.dialect.masked(call.action, bytes(call.payload))[:4096])
        trouble(
            "call.failed",
            cause=error,
            station_id=self.admission.station_id,
            action=call.action,
            message_id=call.id,
            call=payload.decode(errors="replace"),
        )
        reply = last_resort(blank(row), datetime.now(UTC))
        return refused(call, self.dialect.internal_error) if reply is None else answered(call, row.answer(reply))

    def _send_due(self) -> None:
        if self._left is None and (self._heard or monotonic() - self._opened_at >= self._house.quiet_s):
            message = self._talk.due()
            if message is not None:
                self.socket.send(message)

    def _lost(self) -> None:
        """The socket is gone. What it brought before is still heard, though not answered: not all of it comes again."""
        self._leave("gone")
        if self._pump is None and self._link is not None:
            self._house.spawn(self._close_link())

    def _leave(self, why: str) -> None:
        if self._left is not None:
            return
        self._left = why
        if self._errands is not None:
            self._errands.abandon()
        self.on_left(self)

    async def _close_link(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        try:
            await link.close(self._left or "")
        except Exception as error:
            trouble("station.not_closed", cause=error, station_id=self.admission.station_id)


def _nothing(_: Line) -> None:
    """Nobody wants to know."""
