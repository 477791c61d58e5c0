"""A journal with two CPOs, a subscription that is pushed to, the dispatcher, and a receiver to look at."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from aiohttp import web

from chargewire.charging.cdr import Cdr, Cost
from chargewire.charging.location import Connector, Evse, GeoLocation, Location, Status
from chargewire.charging.notification import StationNotification
from chargewire.charging.session import Period, Session, SessionStatus, Started, Stopped
from chargewire.charging.token import TokenRef
from chargewire.csms.directory import Directory
from chargewire.csms.parties import put_cpo, put_emsp, put_network
from chargewire.csms.registry import Registry
from chargewire.csms.subscribing import change_subscription, subscribe
from chargewire.journal.memory import Journal, Ref, Touch, Unit, Write
from chargewire.push.dispatcher import Dispatcher
from chargewire.sharing.keys import Keys

MODULES = ("locations", "sessions", "cdrs", "notifications")
BEGIN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
replace = msgspec.structs.replace


@dataclass
class Got:
    """One request as the receiver had it."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class Receiver:
    """Keeps what it gets. `answer` decides: a status, or a whole response; None is 200 with an envelope."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], Any] | None = None
    delay_s: float = 0.0
    in_flight: dict[str, int] = field(default_factory=dict)
    most_in_flight: dict[str, int] = field(default_factory=dict)

    def requests(self, module: str = "") -> list[tuple[str, str]]:
        """Method and path of what was taken, in order."""
        return [(got.method, got.path) for got in self.got if got.path.startswith(f"/{module}")]

    def bodies(self, path: str) -> list[Any]:
        return [got.body for got in self.got if got.path == path]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        got = Got(request.method, request.path, json.loads(await request.text() or "null"), dict(request.headers))
        self.in_flight[got.path] = self.in_flight.get(got.path, 0) + 1
        self.most_in_flight[got.path] = max(self.most_in_flight.get(got.path, 0), self.in_flight[got.path])
        try:
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            answer = self.answer(got) if self.answer else None
            if asyncio.iscoroutine(answer):
                answer = await answer
            if isinstance(answer, web.StreamResponse):
                return answer
            if isinstance(answer, int) and answer >= 300:
                return web.json_response({"status_code": 3000}, status=answer)
            self.got.append(got)
            return web.json_response({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}, status=answer or 200)
        finally:
            self.in_flight[got.path] -= 1


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{path:.*}", receiver._take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Depot:
    """Writes objects as the CSMS does."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.keys = Keys.random()
        self.directory = Directory(journal, self.keys)
        self.registry = Registry(journal, self.directory, self.keys)
        self.subscription_id = ""
        self.versions: dict[Ref, int] = {}
        self.published: frozenset[str] = frozenset()
        self.dispatchers: list[Dispatcher] = []
        self._numbers = count(1)

    async def furnish(self) -> None:
        await self.directory.load(following=False)
        await put_network(self.registry, "demo", b'{"name": "Demo"}')
        for party in ("NL-AAA", "NL-BBB"):
            await put_cpo(self.registry, party, msgspec.json.encode({"network_id": "demo", "name": party}))
        await put_emsp(self.registry, "NL-EMS", b'{"name": "eMSP", "network_ids": ["demo"]}')

    async def subscribe(self, url: str, *modules: str, cpos: Any = "all", **settings: Any) -> str:
        """A subscription that is pushed the modules (all if none is named)."""
        modules = modules or MODULES
        body = {
            "name": "test",
            "network_id": "demo",
            "grants": [{"cpos": cpos, "modules": {module: ["pull", "push"] for module in modules}}],
            "endpoints": {module: {"url": f"{url}/{module}", "token": "customer-token"} | settings for module in modules},
        }
        subscription, _ = await subscribe(self.registry, msgspec.json.encode(body))
        self.subscription_id = subscription.id
        return subscription.id

    async def change(self, **change: Any) -> None:
        await change_subscription(self.registry, self.subscription_id, msgspec.json.encode(change))

    async def dispatch(self, **settings: Any) -> Dispatcher:
        """Start a dispatcher."""
        dispatcher = Dispatcher(self.journal, self.directory, self.keys, **{"allow_private": True, "owner": "test"} | settings)
        await dispatcher.start()
        self.dispatchers.append(dispatcher)
        return dispatcher

    async def kill(self) -> None:
        """End the newest dispatcher as a kill does: nothing more is saved, nothing under way is waited for."""
        dispatcher = self.dispatchers.pop()
        dispatcher._running = False
        for task in dispatcher._tasks:
            task.cancel()
        await asyncio.gather(*dispatcher._tasks, return_exceptions=True)
        await dispatcher._following.stop()
        for target in dispatcher._fleet.targets.values():
            target.stop()
        await dispatcher._client.close()

    async def close(self) -> None:
        for dispatcher in self.dispatchers:
            await dispatcher.stop()

    # writing

    async def write(self, ref: Ref, content: Any, what: str, place: str, state: str = "", counterparty: str = "") -> None:
        """A new version of one object."""
        write = Write(
            ref=ref, content=content, expect=self.versions.get(ref, 0), what=what, state=state, counterparty=counterparty
        )
        touches = [Touch(Ref("location", ref.owner, place))] if ref.kind == "evse" and what == "status" else []
        committed = await self.journal.append(Unit(place=place, writes=[write], touches=touches))
        self.versions[ref] = committed.versions[0]

    async def put_place(
        self, key: str = "LOC1", owner: str = "NL-AAA", evses: int = 1, name: str = "Somewhere", publish: bool = True
    ) -> None:
        """A location with its EVSEs, in one unit, EVSEs first."""
        uids = tuple(f"{key}-{number}" for number in range(1, evses + 1))
        objects: list[tuple[Ref, Any, str]] = [(Ref("evse", owner, uid), _evse(key, uid), "") for uid in uids]
        place = replace(_location(key, uids, name), publish=publish)
        what = "static" if publish or key not in self.published else "withdrawn"
        self.published = (self.published | {key}) if publish else self.published - {key}
        objects.append((Ref("location", owner, key), place, "listed" if publish else "hidden"))
        writes = [
            Write(ref=ref, content=content, expect=self.versions.get(ref, 0), what=what, state=state)
            for ref, content, state in objects
        ]
        committed = await self.journal.append(Unit(place=key, writes=writes))
        for write, version in zip(writes, committed.versions, strict=True):
            self.versions[write.ref] = version

    async def put_status(self, status: Status, key: str = "LOC1", number: int = 1, owner: str = "NL-AAA") -> None:
        uid = f"{key}-{number}"
        await self.write(Ref("evse", owner, uid), replace(_evse(key, uid), status=status), "status", key)

    async def put_session(self, key: str, what: str, owner: str = "NL-AAA", **changes: Any) -> None:
        """`what`: start | progress | parking | end."""
        session = a_session(key, owner, **changes)
        await self.write(Ref("session", owner, key), session, what, "LOC1", session.status, "NL-EMS")

    async def put_cdr(self, key: str, owner: str = "NL-AAA", counterparty: str = "NL-EMS") -> None:
        await self.write(Ref("cdr", owner, key), a_cdr(key), "new", "LOC1", counterparty=counterparty)

    async def notify(self, station_id: str = "CS-1", owner: str = "NL-AAA") -> str:
        """A StatusNotification; gives its message id."""
        number = next(self._numbers)
        notification = StationNotification(
            id=f"n{number}",
            station_id=station_id,
            location_id="LOC1",
            action="StatusNotification",
            message_id=f"m{number}",
            payload='{"connectorId":1,"status":"Available","errorCode":"NoError"}',
            at=BEGIN,
        )
        await self.write(Ref("notification", owner, f"{station_id}/{notification.id}"), notification, "new", "LOC1")
        return notification.message_id


def _location(key: str, uids: tuple[str, ...], name: str) -> Location:
    return Location(
        id=key,
        type="ON_STREET",
        address="Main Street 1",
        city="Utrecht",
        postal_code="3511 AA",
        country="NLD",
        coordinates=GeoLocation("52.09", "5.12"),
        time_zone="Europe/Amsterdam",
        name=name,
        evse_uids=uids,
    )


def _connector() -> Connector:
    return Connector(
        id="1", connector_id=1, standard="IEC_62196_T2", format="SOCKET", power_type="AC_3_PHASE", voltage=230, amperage=32
    )


def _evse(key: str, uid: str) -> Evse:
    return Evse(uid=uid, location_id=key, station_id="CS-1", status=Status.AVAILABLE, connectors=(_connector(),))


def a_session(key: str, owner: str = "NL-AAA", energy_wh: int = 0, **changes: Any) -> Session:
    started = Started(
        session_id=key,
        station_id="CS-1",
        connector_number=1,
        transaction_id="1",
        at=BEGIN,
        register_wh=0,
        token=TokenRef(uid="04AA", auth_id="NL-EMS-C1-X", emsp="NL-EMS"),
        token_accepted=True,
        auth_method="WHITELIST",
        location=_location("LOC1", ("LOC1-1",), "Somewhere"),
        evse=_evse("LOC1", "LOC1-1"),
        connector=_connector(),
        currency="EUR",
    )
    periods = changes.pop("periods", (Period(start=BEGIN, energy_wh=energy_wh, charging_s=60),) if energy_wh else ())
    status = changes.pop("status", SessionStatus.ACTIVE)
    stopped = Stopped(at=BEGIN + timedelta(minutes=5), register_wh=energy_wh) if status is SessionStatus.COMPLETED else None
    return Session(id=key, status=status, started=started, energy_wh=energy_wh, periods=periods, stopped=stopped, **changes)


def a_cdr(key: str) -> Cdr:
    session = a_session(key, energy_wh=1000)
    return Cdr(
        id=key,
        session_id=f"S-{key}",
        start=BEGIN,
        stop=BEGIN + timedelta(minutes=5),
        station_id="CS-1",
        location=session.started.location,
        evse=session.started.evse,
        connector=session.started.connector,
        token=session.started.token,
        auth_method="WHITELIST",
        currency="EUR",
        energy_wh=1000,
        total_time_s=300,
        parking_time_s=0,
        periods=session.periods,
        cost=Cost(currency="EUR", excl_vat=1),  # type: ignore[arg-type]
    )


async def until(condition: Callable[[], Any], what: str = "", timeout_s: float = 5.0) -> None:
    """Wait until something is true."""
    end = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"never came true: {what}"
        await asyncio.sleep(0.01)
