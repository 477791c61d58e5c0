"""The way in: reads the head of an HTTP request, asks whether the station may come in, and hands the connection over."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import cast

from chargewire.charging.errors import MemoryUnavailable
from chargewire.gateway.handshake import Entry, Knock, Refused, read_knock
from chargewire.log import trouble

LONGEST_HEAD = 8192
LONGEST_REST = 256 * 1024  # what an eager station may send before it has been answered

Decide = Callable[[Knock], Awaitable[Entry]]
Welcome = Callable[[asyncio.Transport, Entry, str, bytes], None]
"""Takes the connection over: transport, entry, the peer's address, what came after the head."""


class Door(asyncio.Protocol):
    """One connection until it is a WebSocket, or refused. Raises nothing: a broken request costs its sender a connection."""

    __slots__ = ("_decide", "_note", "_received", "_task", "_timer", "_transport", "_welcome", "_within_s")

    def __init__(self, decide: Decide, welcome: Welcome, note: Callable[[str, str], None], within_s: float) -> None:
        self._decide = decide
        self._welcome = welcome
        self._note = note  # (reason, address) of a refusal
        self._within_s = within_s  # for the head to be complete; waiting for our own decision does not count
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(self._within_s, self._too_slow)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._task is not None:
            if len(self._received) > LONGEST_REST and self._transport is not None:
                self._transport.pause_reading()
            return
        end = self._received.find(b"\r\n\r\n")
        if end < 0 and len(self._received) <= LONGEST_HEAD:
            return
        self._stop_timer()
        if end < 0 or end > LONGEST_HEAD:
            self._refuse(Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-long"))
            return
        head = bytes(self._received[:end])
        del self._received[: end + 4]
        try:
            knock = read_knock(head)
        except Refused as refusal:
            self._refuse(refusal)
            return
        self._task = asyncio.get_running_loop().create_task(self._ask(knock))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()

    async def _ask(self, knock: Knock) -> None:
        try:
            entry = await self._decide(knock)
        except Refused as refusal:
            self._refuse(refusal)
        except MemoryUnavailable:
            self._refuse(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "memory-unavailable", {"Retry-After": "10"}))
        except Exception as error:
            trouble("handshake.failed", cause=error, identity=knock.identity)
            self._refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "error"))
        else:
            if self._transport is not None and not self._transport.is_closing():
                transport, self._transport = self._transport, None
                self._hand_over(transport, entry)

    def _hand_over(self, transport: asyncio.Transport, entry: Entry) -> None:
        try:
            self._welcome(transport, entry, _address(transport), bytes(self._received))
            transport.resume_reading()
        except Exception as error:
            trouble("handshake.failed", cause=error, station_id=entry.admission.station_id)
            transport.abort()

    def _refuse(self, refusal: Refused) -> None:
        transport = self._transport
        if transport is None:
            return
        self._note(refusal.reason, _address(transport))
        fields = {"Content-Length": "0", "Connection": "close", **refusal.headers}
        lines = [f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}", *(f"{k}: {v}" for k, v in fields.items()), "", ""]
        transport.write("\r\n".join(lines).encode())
        transport.close()

    def _too_slow(self) -> None:
        if self._transport is not None:
            self._note("too-slow", _address(self._transport))
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _address(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else str(peer or "")
