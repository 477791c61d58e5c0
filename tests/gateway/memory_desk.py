"""A desk that keeps everything in lists: the gateway's other side in these tests, and stations to knock at it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from chargewire.charging.commands import Answer, Command, Order
from chargewire.charging.facts import (
    Beat,
    Begun,
    Booted,
    Fact,
    Noted,
    Now,
    Reply,
    SessionEnded,
    SessionStarted,
    TokenShown,
    Verdict,
    Welcome,
)
from chargewire.charging.token import Allowed
from chargewire.csms.port import Admission, Heard
from chargewire.gateway.serve import Gateway, GatewaySettings

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class Settled(msgspec.Struct):
    order: Order
    action: str
    call: bytes
    answer: bytes
    result: Answer | None
    error: str


class MemoryLink:
    """`gate` holds every answer back until it is set; `failing` is raised instead of an answer, as often as it says."""

    def __init__(self, desk: "MemoryDesk", station_id: str, protocol: str) -> None:
        self.desk = desk
        self.station_id = station_id
        self.protocol = protocol
        self.closed: str | None = None

    async def hear(self, heard: Heard) -> bytes:
        desk = self.desk
        desk.hearing += 1
        desk.most_hearing = max(desk.most_hearing, desk.hearing)
        try:
            await desk.gate.wait()
            if desk.failing:
                raise desk.failing.pop(0)
            desk.heard.append(heard)
            return heard.answer(desk.reply(heard.fact))
        finally:
            desk.hearing -= 1

    async def close(self, reason: str) -> None:
        self.closed = reason


class MemoryDesk:
    """Knows the stations in `known` (id → password hash) and gives each start a new transaction id."""

    def __init__(self) -> None:
        self.known: dict[str, str | None] = {"CS-1": None, "CS-2": None, "KEY": "secret"}
        self.connectors: tuple[int, ...] = (1, 2)
        self.heard: list[Heard] = []
        self.links: list[MemoryLink] = []
        self.addresses: list[str] = []
        self.settled: list[Settled] = []
        self.failing: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.hearing = self.most_hearing = 0
        self.admitting = self.most_admitting = 0
        self.admit_s = 0.0
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._transactions = 100

    @property
    def facts(self) -> list[Fact]:
        return [heard.fact for heard in self.heard]

    async def admit(self, identity: str) -> Admission | None:
        self.admitting += 1
        self.most_admitting = max(self.most_admitting, self.admitting)
        await asyncio.sleep(self.admit_s)
        self.admitting -= 1
        if identity.startswith("PARKED"):
            return Admission(station_id=identity, known=False, parked=True)
        found = next((known for known in self.known if known.casefold() == identity.casefold()), None)
        if found is None and not identity.startswith("STORM"):
            return None
        return Admission(
            station_id=found or identity,
            known=True,
            password_hash=self.known[found] if found else None,
            connector_numbers=self.connectors,
        )

    async def connect(self, admission: Admission, protocol: str, address: str) -> MemoryLink:
        self.addresses.append(address)
        link = MemoryLink(self, admission.station_id, protocol)
        self.links.append(link)
        return link

    def reply(self, fact: Fact) -> Reply:
        match fact:
            case Booted():
                return Welcome(accepted=True, now=NOW, interval_s=60)
            case Beat():
                return Now(NOW)
            case TokenShown():
                return Verdict(Allowed.ACCEPTED)
            case SessionStarted():
                self._transactions += 1
                return Begun(str(self._transactions), Allowed.ACCEPTED)
            case SessionEnded(token_uid=token_uid):
                return Verdict(Allowed.ACCEPTED if token_uid else None)
        return Noted()

    def ask(self, command: Command, station_id: str = "CS-1", timeout_s: float = 5) -> Order:
        order = Order(
            id=str(len(self.settled)),
            station_id=station_id,
            command=command,
            asked_by="test",
            expires_at=datetime.now(UTC) + timedelta(seconds=timeout_s),
        )
        self._orders.put_nowait(order)
        return order

    async def next_orders(self, station_ids: Callable[[str], bool]) -> list[Order]:
        order = await self._orders.get()
        return [order] if station_ids(order.station_id) else []

    async def settle(
        self, order: Order, *, action: str, message_id: str, call: bytes, answer: bytes, result: Answer | None, error: str
    ) -> None:
        self.settled.append(Settled(order, action, call, answer, result, error))


class House:
    """A gateway on a free port with its desk."""

    def __init__(self, desk: MemoryDesk, gateway: Gateway, port: int) -> None:
        self.desk = desk
        self.gateway = gateway
        self.port = port

    def url(self, station_id: str = "CS-1") -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp/{station_id}"

    @asynccontextmanager
    async def station(self, station_id: str = "CS-1", **options: Any) -> AsyncIterator["Station"]:
        options.setdefault("subprotocols", ["ocpp1.6"])
        async with connect(self.url(station_id), **options) as socket:
            yield Station(socket)

    async def until(self, true: Callable[[], object], within_s: float = 5) -> None:
        """Wait for something that must come about."""
        async with asyncio.timeout(within_s):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


class Station:
    """A station by hand: JSON in, JSON out."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, *message: Any) -> None:
        await self.socket.send(msgspec.json.encode(message).decode())

    async def receive(self, within_s: float = 5) -> list[Any]:
        async with asyncio.timeout(within_s):
            message: list[Any] = msgspec.json.decode(await self.socket.recv())
            return message

    async def call(self, action: str, payload: Any, message_id: Any = "1") -> Any:
        """The answer's payload; fails if the answer is an error."""
        await self.send(2, message_id, action, payload)
        kind, answered_id, *rest = await self.receive()
        assert (kind, answered_id) == (3, message_id), (kind, answered_id, rest)
        return rest[0]


@asynccontextmanager
async def open_house(settings: GatewaySettings | None = None, tls: Any = None, **options: Any) -> AsyncIterator[House]:
    """A running gateway."""
    desk = MemoryDesk()
    gateway = Gateway(desk, lambda hash_, password: password == hash_.encode(), settings or GatewaySettings(**options))
    port = await gateway.start("127.0.0.1", 0, tls)
    try:
        yield House(desk, gateway, port)
    finally:
        await gateway.stop()
