"""A central system made with the PyPI package `ocpp`: somebody else's idea of what a station has to say."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.exceptions import GenericError
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.server import Server, ServerConnection


@dataclass
class ForeignCsms:
    """Accepts every station and keeps what it heard: (station, action, payload in snake case). Validates by its schemas."""

    url: str = ""
    heard: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    peers: dict[str, "Peer"] = field(default_factory=dict)
    connections: Counter[str] = field(default_factory=Counter)
    refused_tokens: set[str] = field(default_factory=set)
    pending_boots: int = 0
    failing: Counter[str] = field(default_factory=Counter)  # action → calls that are answered with CALLERROR
    interval_s: int = 300
    authorizations: list[str | None] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _server: Server | None = None

    def of(self, action: str, station: str | None = None) -> list[dict[str, Any]]:
        """What was heard of an action, in order."""
        return [payload for who, what, payload in self.heard if what == action and station in (None, who)]

    def statuses(self, connector: int = 1) -> list[str]:
        """The statuses of a connector, in order."""
        return [told["status"] for told in self.of("StatusNotification") if told["connector_id"] == connector]

    async def ask(self, station: str, request: Any) -> Any:
        """Ask a station something."""
        return await self.peers[station].call(request, suppress=False)

    async def open(self, port: int = 0) -> None:
        self._server = await websockets.serve(self._serve, "127.0.0.1", port, subprotocols=["ocpp1.6"])  # type: ignore[list-item]
        self.url = f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/ocpp"

    async def close(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def again(self) -> None:
        """Open on the port of before."""
        await self.open(int(self.url.rsplit(":", 1)[1].split("/")[0]))

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request
        name = socket.request.path.rsplit("/", 1)[1]
        self.authorizations.append(socket.request.headers.get("Authorization"))
        self.connections[name] += 1
        self.peers[name] = peer = Peer(name, socket, self)
        try:
            await peer.start()
        except websockets.ConnectionClosed:
            return

    def hear(self, station: str, action: str, payload: dict[str, Any]) -> None:
        self.heard.append((station, action, payload))
        if self.failing[action] > 0:
            self.failing[action] -= 1
            raise GenericError("not now")

    def verdict(self, token: str) -> dict[str, str]:
        return {"status": "Blocked" if token in self.refused_tokens else "Accepted"}


class Peer(ChargePoint):
    """One connected station."""

    def __init__(self, name: str, socket: Any, csms: ForeignCsms) -> None:
        super().__init__(name, socket, response_timeout=5)
        self.csms = csms

    @on(Action.boot_notification)
    async def _boot(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "BootNotification", payload)
        pending = self.csms.pending_boots > 0
        self.csms.pending_boots -= 1
        status, interval = ("Pending", 1) if pending else ("Accepted", self.csms.interval_s)
        return call_result.BootNotification(current_time=_now(), interval=interval, status=status)

    @on(Action.heartbeat)
    async def _heartbeat(self) -> Any:
        self.csms.hear(self.id, "Heartbeat", {})
        return call_result.Heartbeat(current_time=_now())

    @on(Action.status_notification)
    async def _status(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "StatusNotification", payload)
        return call_result.StatusNotification()

    @on(Action.authorize)
    async def _authorize(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "Authorize", payload)
        return call_result.Authorize(id_tag_info=self.csms.verdict(payload["id_tag"]))

    @on(Action.start_transaction)
    async def _start(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "StartTransaction", payload)
        return call_result.StartTransaction(
            transaction_id=next(self.csms._ids), id_tag_info=self.csms.verdict(payload["id_tag"])
        )

    @on(Action.meter_values)
    async def _meter(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "MeterValues", payload)
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    async def _stop(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "StopTransaction", payload)
        return call_result.StopTransaction()

    @on(Action.firmware_status_notification)
    async def _firmware(self, **payload: Any) -> Any:
        self.csms.hear(self.id, "FirmwareStatusNotification", payload)
        return call_result.FirmwareStatusNotification()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@asynccontextmanager
async def foreign_csms() -> AsyncIterator[ForeignCsms]:
    """A central system on a free port."""
    csms = ForeignCsms()
    await csms.open()
    try:
        yield csms
    finally:
        await csms.close()


async def until(condition: Any, what: str = "", timeout_s: float = 8.0) -> None:
    """Wait until `condition()` is true."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"never came true: {what or condition}"
        await asyncio.sleep(0.01)


__all__ = ["ForeignCsms", "call", "foreign_csms", "until"]
