"""The OCPP server: opens the port, keeps one line per station, carries orders to them, and notices who has gone silent."""

import asyncio
import resource
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import aiofastnet
from msgspec import Struct
from picows import WSCloseCode

from chargewire.charging.commands import Order
from chargewire.charging.errors import MemoryUnavailable
from chargewire.csms.port import StationDesk
from chargewire.gateway.door import Door
from chargewire.gateway.handshake import CheckPassword, Entry, Knock, Rules, let_in
from chargewire.gateway.line import House, Line
from chargewire.gateway.metrics import Metrics
from chargewire.gateway.socket import Socket, upgrade
from chargewire.log import event, trouble
from chargewire.protocols.ocpp import v16
from chargewire.protocols.ocpp.dialect import Dialect

BACKLOG = 4096  # connections that the system holds while we are busy: a boot storm waits there, it is not turned away
STOP_WITHIN_S = 5.0


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """`allow_open_stations`: let stations without password in. `unnamed_protocol`: for known stations that name none."""

    allow_open_stations: bool = True
    unnamed_protocol: str | None = "ocpp1.6"
    trusted_proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-For is believed, or "*"
    max_message_bytes: int = 1024 * 1024
    ping_after_s: float = 30.0  # of silence
    pong_within_s: float = 30.0
    quiet_s: float = 20.0  # after a handshake, unless the station speaks first
    most_waiting: int = 64  # calls of a station in our queue before its socket is not read for a while
    handshake_within_s: float = 30.0
    handshakes_at_once: int = 64


class Gateway:
    """OCPP-J over WebSocket. `metrics` may be read at any time."""

    def __init__(
        self,
        desk: StationDesk,
        check_password: CheckPassword,
        settings: GatewaySettings | None = None,
        dialects: Sequence[Dialect] = (v16.DIALECT,),
    ) -> None:
        self._desk = desk
        self._settings = settings or GatewaySettings()
        self._rules = Rules(
            dialects=tuple(dialects),
            check_password=check_password,
            allow_open=self._settings.allow_open_stations,
            unnamed=self._settings.unnamed_protocol,
        )
        self.metrics = Metrics()
        self._lines: dict[str, Line] = {}  # by station id: the newest socket of each
        self._old: set[Line] = set()  # sockets that were superseded and are not gone yet
        self._tasks: set[asyncio.Task[None]] = set()
        self._rounds: list[asyncio.Task[None]] = []
        self._turns = asyncio.Semaphore(self._settings.handshakes_at_once)
        self._server: asyncio.AbstractServer | None = None
        self._house: House | None = None
        self._stopping = False

    async def start(
        self, host: str | Sequence[str], port: int, tls: ssl.SSLContext | None = None, *, reuse_port: bool = False
    ) -> int:
        """Accept stations; returns the port, which is a free one if `port` is 0."""
        loop = asyncio.get_running_loop()
        settings = self._settings
        _allow_many_files()
        self._house = House(self._desk, self.metrics, loop, self._spawn, settings.most_waiting, settings.quiet_s)
        self._server = await aiofastnet.create_server(
            loop, self._door, host, port, ssl=tls, backlog=BACKLOG, reuse_port=reuse_port or None
        )
        self._rounds = [loop.create_task(self._carry_orders()), loop.create_task(self._watch())]
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Take no more stations, say goodbye to those that are here, and let what is under way finish, within seconds."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        lines = [*self._lines.values(), *self._old]
        for line in lines:
            line.close(WSCloseCode.GOING_AWAY, "the central system is going down")
        for _ in range(50):
            if not self._lines:
                break
            await asyncio.sleep(0.05)
        for line in lines:
            line.socket.abort()
        for task in self._rounds:
            task.cancel()
        await asyncio.sleep(0)
        work = [*(asyncio.ensure_future(line.finished()) for line in lines), *self._tasks]
        if work:
            _, late = await asyncio.wait(work, timeout=STOP_WITHIN_S)
            for task in [*late, *self._tasks]:
                task.cancel()
        for line in lines:
            line.drop()
        await asyncio.gather(*self._rounds, *work, return_exceptions=True)

    def is_connected(self, station_id: str) -> bool:
        """Whether the station's socket is open here."""
        return station_id in self._lines

    def connected(self) -> int:
        """How many stations are connected."""
        return len(self._lines)

    def _door(self) -> Door:
        return Door(self._decide, self._welcome, self._refused, self._settings.handshake_within_s)

    async def _decide(self, knock: Knock) -> Entry:
        async with self._turns:
            return await let_in(knock, self._desk, self._rules)

    def _refused(self, reason: str, address: str) -> None:
        self.metrics.refuse(reason)
        event("station.refused", reason=reason, address=address)

    def _welcome(self, transport: asyncio.Transport, entry: Entry, address: str, rest: bytes) -> None:
        address = self._origin(address, entry)
        socket = Socket(self._settings.max_message_bytes)
        dialect = entry.dialect
        if dialect is None or self._house is None or self._stopping:
            upgrade(transport, socket, entry.key, None, b"", self._settings.max_message_bytes)
            self._refused("no-common-protocol", address)
            socket.close(WSCloseCode.PROTOCOL_ERROR, "no common sub-protocol")
            return
        station_id = entry.admission.station_id
        before = self._lines.get(station_id)
        if before is not None:
            self.metrics.superseded += 1
            self._old.add(before)
            before.supersede()
        line = Line(self._house, socket, entry.admission, dialect, address, before)
        line.on_left = self._left
        self._lines[station_id] = line
        self.metrics.accepted += 1
        self.metrics.connections = len(self._lines)
        upgrade(transport, socket, entry.key, entry.named, rest, self._settings.max_message_bytes)

    def _origin(self, address: str, entry: Entry) -> str:
        """The station's own address: what a trusted proxy says, else the peer's."""
        trusted = self._settings.trusted_proxies
        proxied = entry.forwarded_for and ("*" in trusted or address.rpartition(":")[0] in trusted)
        return entry.forwarded_for if proxied else address

    def _left(self, line: Line) -> None:
        """Only the newest line of a station is taken out: an old one that ends late must not take the new one with it."""
        station_id = line.admission.station_id
        if self._lines.get(station_id) is line:
            del self._lines[station_id]
        self.metrics.connections = len(self._lines)

    async def _carry_orders(self) -> None:
        while True:
            try:
                orders = await self._desk.next_orders(self.is_connected)
            except MemoryUnavailable:
                await asyncio.sleep(1)
                continue
            except Exception as error:
                trouble("orders.failed", cause=error)
                await asyncio.sleep(1)
                continue
            for order in orders:
                line = self._lines.get(order.station_id)
                if line is not None:
                    line.order(order)
                else:
                    self._spawn(self._gone(order))

    async def _gone(self, order: Order) -> None:
        """The station left between the desk's look and ours."""
        await self._desk.settle(order, action="", message_id="", call=b"", answer=b"", result=None, error="offline")

    async def _watch(self) -> None:
        """Find the sockets whose other end is gone without a word."""
        settings = self._settings
        while True:
            await asyncio.sleep(min(settings.ping_after_s, settings.pong_within_s) / 4)
            self._old = {line for line in self._old if line.socket.is_open}
            for count, line in enumerate(list(self._lines.values())):
                if not line.socket.probe(monotonic(), settings.ping_after_s, settings.pong_within_s):
                    self.metrics.silent += 1
                    event("station.cut_off", station_id=line.admission.station_id, why="no answer to ping")
                if count % 200 == 199:
                    await asyncio.sleep(0)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _allow_many_files() -> None:
    """A station is an open file; systems that allow 1024 by default allow more to whoever asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else max(soft, 65536), hard))


def server_tls(cert_file: str, key_file: str | None = None, client_ca_file: str | None = None) -> ssl.SSLContext:
    """TLS for the server side, 1.2 at least (security whitepaper §3). With `client_ca_file` stations need a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert_file, key_file)
    if client_ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
