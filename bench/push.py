"""From commit to webhook: how long it takes at a steady rate, and how many deliveries a second of CPU buys.

The sender is a process of its own on core 0 with a durable SQLite journal; the receiver, on core 1, is nginx that answers 200,
or a small asyncio server where there is no nginx. Events are changes of EVSE status (PATCH) and starts of sessions (PUT).

    python -m bench.push                the table
    python -m bench.push --seconds 3    a quick look
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.measure import pin, publish, share, table, thousands
from chargewire.charging.location import Connector, Evse, GeoLocation, Location, Status
from chargewire.charging.session import Session, SessionStatus, Started
from chargewire.charging.token import TokenRef
from chargewire.csms.directory import Directory
from chargewire.csms.parties import put_cpo, put_network
from chargewire.csms.registry import Registry
from chargewire.csms.subscribing import subscribe
from chargewire.journal import open_journal
from chargewire.journal.memory import Committed, Journal, Ref, Unit, Write
from chargewire.outgoing.http import Client, Origin, Result
from chargewire.push.dispatcher import Dispatcher
from chargewire.sharing.keys import Keys

PLACES = 1000
EVSES = 4
RATES = (200, 1000)
DELIVERIES = 20_000
EXCHANGES = 40_000
PARALLEL = 32
CPO = "NL-AAA"
NGINX = """daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/body; client_body_buffer_size 1m;
proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }} }}
"""


class Bare(msgspec.Struct):
    """The HTTP client alone."""

    per_second: float
    per_cpu_second: float


class Flow(msgspec.Struct):
    """Events at a rate. Times in ms, from commit to acknowledgement."""

    rate: int
    sent: int
    p50: float
    p99: float
    worst: float
    hold: float  # the longest that the event loop was held


class Drain(msgspec.Struct):
    """All at once, from the log. `cpu` counts the dispatcher's process with all threads while nothing is written."""

    delivered: int
    per_second: float
    per_cpu_second: float


class Figures(msgspec.Struct):
    """All that was measured."""

    bare: Bare
    flows: list[Flow]
    status: Drain
    sessions: Drain


def main() -> int:
    """Measure in a child process on core 0; print the table here."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--seconds", type=float, default=8.0, help="for each rate")
    options.add_argument("--receiver", choices=("nginx", "asyncio"), default="nginx" if shutil.which("nginx") else "asyncio")
    options.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.answer:
        uvloop.run(_answer(given.answer))
        return 0
    if given.child:
        pin(0)
        print(msgspec.json.encode(uvloop.run(_measure(given.child, given.seconds))).decode())
        return 0
    with _receiver(given.receiver) as port:
        command = [sys.executable, "-m", "bench.push", "--child", str(port), "--seconds", str(given.seconds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures = msgspec.json.decode(done.stdout.splitlines()[-1], type=Figures)
    publish("push", "Pushing", _report(figures, given.receiver))
    return 0


def _report(figures: Figures, receiver: str) -> str:
    flows = [
        (f"{flow.rate} events/s", f"{flow.p50:.1f} ms", f"{flow.p99:.1f} ms", f"{flow.worst:.1f} ms", f"{flow.hold:.1f} ms")
        for flow in figures.flows
    ]
    rows = [
        ("bare HTTP client, PUT of 1.5 KB", figures.bare.per_second, figures.bare.per_cpu_second),
        ("EVSE status, PATCH", figures.status.per_second, figures.status.per_cpu_second),
        ("session, PUT", figures.sessions.per_second, figures.sessions.per_cpu_second),
    ]
    return "\n\n".join(
        [
            f"Receiver: {receiver} on the other core. From the commit of a change to its acknowledgement, one endpoint; the "
            "journal is SQLite with fsync, written by the same process:",
            table(("rate", "p50", "p99", "worst", "longest hold of the loop"), flows),
            "As fast as it goes, from the change log, everything counted (reading, loading, rendering, HTTP, saving cursors):",
            table(
                ("what", "deliveries/s", "deliveries/CPU-s"),
                [(what, thousands(wall), thousands(cpu)) for what, wall, cpu in rows],
            ),
        ]
    )


# the sender


async def _measure(port: int, seconds: float) -> Figures:
    bare = await _bare(port)
    flows = [await _flow(port, rate, seconds) for rate in RATES]
    return Figures(bare, flows, await _drain(port, "locations"), await _drain(port, "sessions"))


async def _bare(port: int) -> Bare:
    client, origin = Client(allow_private=True), Origin(False, "127.0.0.1", port)
    body = msgspec.json.encode({"filling": "x" * 1500})
    head = (
        "PUT /sessions/NL/AAA/S1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token let-me-in\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    data = head.encode() + body
    over = asyncio.get_running_loop().create_future()
    started, ended = PARALLEL, 0

    def done(result: Result) -> None:
        nonlocal started, ended
        assert not isinstance(result, Exception), result
        ended += 1
        if started < EXCHANGES:
            started += 1
            client.send(origin, data, done)
        elif ended == EXCHANGES:
            over.set_result(None)

    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(PARALLEL):
        client.send(origin, data, done)
    await over
    figures = Bare(EXCHANGES / (time.perf_counter() - began), EXCHANGES / (time.process_time() - cpu))
    await client.close()
    return figures


async def _flow(port: int, rate: int, seconds: float) -> Flow:
    """Status changes at a rate; each EVSE changes so seldom that no two of its changes meet."""
    async with _depot(port, "locations") as depot:
        dispatcher = await depot.dispatch()
        await depot.told(dispatcher, PLACES)
        before, already = dispatcher.metrics.latency_count, dispatcher.metrics.delivered
        holding = asyncio.create_task(_longest_hold())
        writes: set[asyncio.Task[None]] = set()
        count, began = int(rate * seconds), time.perf_counter()
        for number in range(count):
            if (wait_s := began + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            task = asyncio.create_task(depot.flip(number % (PLACES * EVSES)))
            writes.add(task)
            task.add_done_callback(writes.discard)
        await asyncio.gather(*writes)
        await depot.told(dispatcher, already + count)
        holding.cancel()
        latencies = [us / 1000 for us in dispatcher.latencies[-(dispatcher.metrics.latency_count - before) :]]
        hold = (await asyncio.gather(holding, return_exceptions=True))[0]
        await dispatcher.stop()
        return Flow(
            rate,
            len(latencies),
            share(latencies, 0.5),
            share(latencies, 0.99),
            max(latencies),
            hold if isinstance(hold, float) else 0.0,
        )


async def _drain(port: int, module: str) -> Drain:
    """The dispatcher finds a log full of changes: each object once."""
    async with _depot(port, module) as depot:
        dispatcher = await depot.dispatch()
        if module == "locations":
            await depot.told(dispatcher, PLACES)
        await dispatcher.stop()  # its position is kept; from here on it is behind
        await depot.fill(module)
        dispatcher = await depot.dispatch()
        began, cpu = time.perf_counter(), time.process_time()
        wanted = DELIVERIES if module == "sessions" else PLACES * EVSES
        await depot.told(dispatcher, wanted)
        figures = Drain(wanted, wanted / (time.perf_counter() - began), wanted / max(time.process_time() - cpu, 0.01))
        await dispatcher.stop()
        return figures


class _Depot:
    """A journal with places, EVSEs and one subscription."""

    def __init__(self, journal: Journal, directory: Directory, keys: Keys) -> None:
        self.journal = journal
        self.directory = directory
        self.keys = keys
        self.versions: dict[Ref, int] = {}

    async def dispatch(self) -> Dispatcher:
        dispatcher = Dispatcher(self.journal, self.directory, self.keys, allow_private=True)
        await dispatcher.start()
        return dispatcher

    async def told(self, dispatcher: Dispatcher, count: int) -> None:
        end = time.perf_counter() + 60
        while dispatcher.metrics.delivered < count:
            if time.perf_counter() > end:
                raise TimeoutError(f"{dispatcher.metrics} {dispatcher.status()}")
            await asyncio.sleep(0.002)

    async def furnish(self) -> None:
        for place in range(PLACES):
            key = f"LOC{place}"
            evses = [(Ref("evse", CPO, f"{key}-{number}"), _evse(place, number)) for number in range(EVSES)]
            location: list[tuple[Ref, Any]] = [(Ref("location", CPO, key), _location(place))]
            writes = [
                Write(ref=ref, content=content, expect=0, what="static", state="listed") for ref, content in evses + location
            ]
            self._kept(writes, await self.journal.append(Unit(place=key, writes=writes)))

    async def flip(self, number: int) -> None:
        """The status of an EVSE changes."""
        place, evse = divmod(number, EVSES)
        ref = Ref("evse", CPO, f"LOC{place}-{evse}")
        version = self.versions[ref]
        status = Status.CHARGING if version % 2 else Status.AVAILABLE
        content = msgspec.structs.replace(_evse(place, evse), status=status)
        writes = [Write(ref=ref, content=content, expect=version, what="status", state="listed")]
        self._kept(writes, await self.journal.append(Unit(place=f"LOC{place}", writes=writes)))

    async def fill(self, module: str) -> None:
        if module == "locations":
            await asyncio.gather(*(self.flip(number) for number in range(PLACES * EVSES)))
            return
        for start in range(0, DELIVERIES, 1000):
            units = [Unit(place="LOC0", writes=[_start(number)]) for number in range(start, start + 1000)]
            await asyncio.gather(*(self.journal.append(unit) for unit in units))

    def _kept(self, writes: list[Write], committed: Committed) -> None:
        for write, version in zip(writes, committed.versions, strict=True):
            self.versions[write.ref] = version


@contextlib.asynccontextmanager
async def _depot(port: int, module: str) -> AsyncIterator[_Depot]:
    with tempfile.TemporaryDirectory(prefix="chargewire-bench-") as folder:
        journal = await open_journal(f"sqlite:///{folder}/journal.db")
        keys = Keys.random()
        directory = Directory(journal, keys)
        await directory.load()
        registry = Registry(journal, directory, keys)
        await put_network(registry, "demo", b'{"name": "Demo"}')
        await put_cpo(registry, CPO, b'{"network_id": "demo", "name": "CPO"}')
        depot = _Depot(journal, directory, keys)
        await depot.furnish()
        body = {
            "name": "bench",
            "network_id": "demo",
            "grants": [{"cpos": "all", "modules": {module: ["push"]}}],
            "endpoints": {module: {"url": f"http://127.0.0.1:{port}/{module}", "token": "let-me-in"}},
        }
        await subscribe(registry, msgspec.json.encode(body))
        try:
            yield depot
        finally:
            await directory.close()
            await journal.close()


async def _longest_hold() -> float:
    """How long the event loop was held at most, ms, until cancelled."""
    longest, last = 0.0, time.perf_counter()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.001), now
    return longest * 1000


def _connector() -> Connector:
    return Connector(
        id="1", connector_id=1, standard="IEC_62196_T2", format="SOCKET", power_type="AC_3_PHASE", voltage=230, amperage=32
    )


def _evse(place: int, number: int) -> Evse:
    return Evse(
        uid=f"LOC{place}-{number}",
        location_id=f"LOC{place}",
        station_id=f"CS{place}",
        status=Status.AVAILABLE,
        evse_id=f"NL*AAA*E{place}*{number}",
        connectors=(_connector(),),
    )


def _location(place: int) -> Location:
    return Location(
        id=f"LOC{place}",
        type="ON_STREET",
        address="Main Street 1",
        city="Utrecht",
        postal_code="3511 AA",
        country="NLD",
        coordinates=GeoLocation("52.09", "5.12"),
        time_zone="Europe/Amsterdam",
        evse_uids=tuple(f"LOC{place}-{number}" for number in range(EVSES)),
    )


def _start(number: int) -> Write:
    began = datetime(2026, 11, 24, 12, 0, number % 60, tzinfo=UTC)
    started = Started(
        session_id=f"S{number}",
        station_id="CS0",
        connector_number=1,
        transaction_id=str(number),
        at=began,
        register_wh=0,
        token=TokenRef(uid="04AABBCC", auth_id="NL-EMS-C1-X", emsp="NL-EMS"),
        token_accepted=True,
        auth_method="WHITELIST",
        location=_location(0),
        evse=_evse(0, 0),
        connector=_connector(),
        currency="EUR",
    )
    session = Session(id=f"S{number}", status=SessionStatus.ACTIVE, started=started)
    return Write(ref=Ref("session", CPO, session.id), content=session, expect=0, what="start", state=session.status)


# the receiver


@contextlib.contextmanager
def _receiver(kind: str) -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="chargewire-bench-") as folder:
        Path(folder).chmod(0o755)
        port = _free_port()
        if kind == "nginx":
            config = Path(folder) / "nginx.conf"
            config.write_text(NGINX.format(folder=folder, port=port))
            command = ["nginx", "-c", str(config), "-e", f"{folder}/error.log"]
        else:
            command = [sys.executable, "-m", "bench.push", "--answer", str(port)]
        pinned = ["taskset", "-c", "1"] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []
        process = subprocess.Popen([*pinned, *command])
        try:
            _until_open(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


class _Answering(asyncio.Protocol):
    """Answers 200 to every request; enough of HTTP for requests that come one by one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if found and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self._data = b""
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


async def _answer(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port)
    await server.serve_forever()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_open(port: int) -> None:
    import socket

    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("the receiver did not start")


if __name__ == "__main__":
    raise SystemExit(main())
