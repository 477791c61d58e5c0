"""Orders on their way to one station: one after the other, each with its time, each with an end that is told."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import msgspec

from chargewire.charging.commands import Answer, Order, StartCharging
from chargewire.charging.errors import MemoryUnavailable
from chargewire.csms.port import StationDesk
from chargewire.gateway.metrics import Metrics
from chargewire.log import trouble
from chargewire.protocols.ocpp.dialect import CannotSay, Dialect
from chargewire.protocols.ocpp.rpc import Answered, Call, Conversation, Failure

SETTLE_ATTEMPTS = 30
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Errand(msgspec.Struct):
    """An order as a call."""

    order: Order
    call: Call
    timer: asyncio.TimerHandle


class Errands:
    """The orders of one connected station. `send` says that something may be due."""

    __slots__ = ("_by_id", "_connectors", "_desk", "_dialect", "_metrics", "_send", "_spawn", "_talk")

    def __init__(
        self,
        talk: Conversation,
        dialect: Dialect,
        connectors: tuple[int, ...],
        desk: StationDesk,
        metrics: Metrics,
        spawn: Spawn,
        send: Callable[[], None],
    ) -> None:
        self._talk = talk
        self._dialect = dialect
        self._connectors = connectors
        self._desk = desk
        self._metrics = metrics
        self._spawn = spawn
        self._send = send
        self._by_id: dict[str, Errand] = {}

    def take(self, order: Order) -> None:
        """Line an order up. It ends with the station's answer, or as `timeout` at its `expires_at`, sent or not."""
        try:
            action, payload = self._dialect.write_command(_placed(order, self._connectors).command)
        except CannotSay as error:
            self._end(order, None, error=str(error))
            return
        call = Call(secrets.token_hex(16), action, msgspec.Raw(payload))
        left_s = (order.expires_at - datetime.now(UTC)).total_seconds()
        timer = asyncio.get_running_loop().call_later(max(left_s, 0), self._late, call)
        self._by_id[str(call.id)] = Errand(order, call, timer)
        self._talk.call(call)
        self._send()

    def settle(self, answered: Answered) -> None:
        """The station has answered."""
        errand = self._by_id.pop(str(answered.call.id), None)
        if errand is None:
            return
        errand.timer.cancel()
        answer = answered.answer
        if isinstance(answer, Failure):
            details = {"code": answer.code, "description": answer.description, "details": answer.details}
            error = f"{answer.code}: {answer.description}" if answer.description else answer.code
            self._end(errand.order, errand.call, answer=msgspec.json.encode(details), error=error)
        else:
            payload = bytes(answer.payload)
            result = self._dialect.read_answer(errand.order.command, self._dialect.masked(errand.call.action, payload))
            self._end(errand.order, errand.call, answer=payload, result=result)

    def abandon(self) -> None:
        """The station is gone."""
        self._talk.abandon()
        errands, self._by_id = list(self._by_id.values()), {}
        for errand in errands:
            errand.timer.cancel()
            self._end(errand.order, errand.call, error="offline")

    def _late(self, call: Call) -> None:
        errand = self._by_id.pop(str(call.id), None)
        if errand is not None:
            self._talk.give_up(call)
            self._end(errand.order, call, error="timeout")
            self._send()

    def _end(
        self, order: Order, call: Call | None, *, answer: bytes = b"", result: Answer | None = None, error: str = ""
    ) -> None:
        self._metrics.order("answered" if result else error if error in ("timeout", "offline") else "failed")
        self._spawn(self._tell(order, call, answer, result, error))

    async def _tell(self, order: Order, call: Call | None, answer: bytes, result: Answer | None, error: str) -> None:
        action = call.action if call else ""
        for _ in range(SETTLE_ATTEMPTS):
            try:
                await self._desk.settle(
                    order,
                    action=action,
                    message_id=str(call.id) if call else "",
                    call=self._dialect.masked(action, bytes(call.payload)) if call else b"",
                    answer=self._dialect.masked(action, answer) if answer else b"",
                    result=result,
                    error=error,
                )
            except MemoryUnavailable:
                await asyncio.sleep(1)
            except Exception as failed:
                trouble("order.unsettled", cause=failed, station_id=order.station_id, order_id=order.id)
                return
            else:
                return
        trouble("order.unsettled", station_id=order.station_id, order_id=order.id)


def _placed(order: Order, connectors: tuple[int, ...]) -> Order:
    """A remote start without connector goes to the first: stations with several refuse one that names none (lbbrhzn #514)."""
    command = order.command
    if isinstance(command, StartCharging) and not command.connector_number:
        command = msgspec.structs.replace(command, connector_number=min((n for n in connectors if n > 0), default=1))
        return msgspec.structs.replace(order, command=command)
    return order
