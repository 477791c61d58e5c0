"""Reading a partner's lists into the journal, when the partner, the list or we ourselves fail in the middle of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import web

from chargewire.charging.errors import Refused
from chargewire.csms.connecting import Theirs, connected
from chargewire.csms.directory import Directory
from chargewire.csms.parties import put_cpo, put_emsp, put_network
from chargewire.csms.partnering import amend, open_connection
from chargewire.csms.registry import Registry
from chargewire.csms.subscribing import write_subscription
from chargewire.journal.memory import Journal, ListQuery, Ref, Unit, Write
from chargewire.outgoing.http import Client
from chargewire.protocols.ocpi.v211 import locations, tokens
from chargewire.protocols.ocpi.v211.reading import understood
from chargewire.roaming.calls import Declined, PartnerCalls
from chargewire.roaming.pull_times import PullTimes
from chargewire.roaming.pulling import Puller
from chargewire.roaming.receiving import keep, keep_token
from chargewire.sharing.keys import Keys
from chargewire.sharing.subscription import Subscription
from journeys.world import token, until

STAMP = "2026-11-24T06:00:00Z"
LATER = "2026-11-24T06:00:01Z"
PARTNER = "DE-XYZ"


def place(name: str, stamp: str = STAMP, status: str = "AVAILABLE") -> dict[str, Any]:
    connector = {
        "id": "1", "standard": "IEC_62196_T2", "format": "SOCKET", "power_type": "AC_3_PHASE", "voltage": 230, "amperage": 16,
        "last_updated": stamp,
    }  # fmt: skip
    evse = {"uid": f"{name}-1", "status": status, "connectors": [connector], "last_updated": stamp}
    return {
        "id": name, "type": "ON_STREET", "address": "Main Street 1", "city": "Berlin", "postal_code": "10115", "country": "DEU",
        "coordinates": {"latitude": "52.520000", "longitude": "13.400000"}, "evses": [evse], "last_updated": stamp,
    }  # fmt: skip


def tariff(name: str) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": 0.3, "step_size": 1}
    return {"id": name, "currency": "EUR", "elements": [{"price_components": [component]}], "last_updated": STAMP}


@dataclass
class Partner:
    """A partner's lists. `before` is called with a page's offset before it is answered."""

    url: str = ""
    lists: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    before: Callable[[int], Awaitable[None]] | None = None
    headers: Callable[[dict[str, str]], dict[str, str]] = dict
    fails: set[int] = field(default_factory=set)  # offsets

    def pages(self, module: str) -> list[tuple[int, str]]:
        """Offset and date_from of each page that was asked for."""
        return [(int(query.get("offset", 0)), query.get("date_from", "")) for name, query in self.asked if name == module]

    async def answer(self, request: web.Request) -> web.Response:
        module, query = request.path.strip("/"), dict(request.query)
        self.asked.append((module, query))
        offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", 100)), 100)
        rows = self.lists.get(module, [])
        page = rows[offset : offset + limit]
        if self.before:
            await self.before(offset)
        if offset in self.fails:
            return web.json_response({"status_code": 3000, "timestamp": STAMP}, status=500)
        headers = {"X-Total-Count": str(len(rows)), "X-Limit": str(limit)}
        if offset + limit < len(rows):
            headers["Link"] = f'<{request.url.update_query(offset=str(offset + limit))}>; rel="next"'
        texts = ",".join(row if isinstance(row, str) else msgspec.json.encode(row).decode() for row in page)
        body = f'{{"data":[{texts}],"status_code":1000,"timestamp":"{STAMP}"}}'
        return web.Response(text=body, headers=self.headers(headers), content_type="application/json")


@dataclass
class World:
    journal: Journal
    registry: Registry
    keys: Keys
    partner: Partner
    calls: PartnerCalls
    emsp: Subscription  # our eMSP's connection
    cpo: Subscription  # our CPO's

    def puller(self) -> Puller:
        return Puller(self.registry, self.calls, self.keys)

    async def kept(self, kind: str) -> dict[str, Any]:
        """What the partner is known to have, by id."""
        query = ListQuery(kind=kind, owners=(PARTNER,), limit=1000)
        rows = (await self.journal.walk(query)).rows
        return {stored.ref.key.rpartition("/")[2]: msgspec.json.decode(stored.body) for stored in rows}

    async def statuses(self) -> dict[str, str]:
        """The status of the one EVSE of each location."""
        found = await self.kept("partnerlocation")
        return {name: each["content"]["evses"][0]["status"] for name, each in found.items()}

    async def push(self, content: dict[str, Any]) -> None:
        """The partner PUTs a location."""
        await keep(self.registry, self.emsp, "locations", understood(locations.Location, content))


@pytest.fixture
async def world(journal: Journal) -> AsyncIterator[World]:
    keys = Keys.random()
    directory = Directory(journal, keys)
    registry = Registry(journal, directory, keys)
    await directory.load(following=False)
    await put_network(registry, "demo", b'{"name": "Demo"}')
    await put_cpo(registry, "NL-AAA", b'{"network_id": "demo", "name": "CPO"}')
    await put_emsp(registry, "NL-EMS", b'{"name": "eMSP", "network_ids": ["demo"]}')
    client = Client(allow_private=True)
    async with listing() as partner:
        emsp = await _connected(registry, "EMSP", "NL-EMS", partner.url)
        cpo = await _connected(registry, "CPO", "NL-AAA", partner.url)
        yield World(journal, registry, keys, partner, PartnerCalls(client), emsp, cpo)
        await client.close()


async def test_an_object_that_cannot_be_understood_is_not_taken_for_gone(world: World) -> None:
    partner, puller = world.partner, world.puller()
    partner.lists["locations"] = [place("L1"), place("L2"), place("L3")]
    assert (await puller.pull(world.emsp, "locations")).read == 3
    partner.lists["locations"] = [place("L1"), {"id": "L2", "type": 7}]
    done = await puller.pull(world.emsp, "locations", whole=True)
    assert (done.read, done.unreadable, done.gone) == (1, 1, 1)
    assert await world.statuses() == {"L1": "AVAILABLE", "L2": "AVAILABLE", "L3": "REMOVED"}
    assert (await puller.pull(world.emsp, "locations", whole=True)).gone == 0  # it is marked already


async def test_what_is_broken_costs_nothing_but_itself(world: World) -> None:
    world.partner.lists["locations"] = [
        place("L1"),
        '{"id":"L2","name":"\\u0000"}',
        '{"id":"L3","name":1e999}',
        "[7]",
        '{"id":' + "[" * 100 + "]" * 100 + "}",
        place("L4"),
    ]
    done = await world.puller().pull(world.emsp, "locations")
    assert (done.read, done.unreadable) == (2, 4)
    assert set(await world.kept("partnerlocation")) == {"L1", "L4"}


async def test_a_list_with_a_gap_says_nothing_about_what_is_gone_and_is_read_again(world: World) -> None:
    partner, puller = world.partner, world.puller()
    partner.lists["tariffs"] = [tariff(f"T{number}") for number in range(3)]
    await puller.pull(world.emsp, "tariffs")
    partner.lists["tariffs"] = partner.lists["tariffs"][:2]
    partner.headers = lambda headers: headers | {"X-Total-Count": "3"}
    done = await puller.pull(world.emsp, "tariffs", whole=True)
    assert (done.gone, set(await world.kept("partnertariff"))) == (0, {"T0", "T1", "T2"})
    partner.headers = dict
    done = await puller.pull(world.emsp, "tariffs", whole=True)
    assert (done.gone, set(await world.kept("partnertariff"))) == (1, {"T0", "T1"})


async def test_what_is_pushed_while_a_list_is_read_is_not_gone_and_not_undone(world: World) -> None:
    partner, puller = world.partner, world.puller()
    partner.lists["locations"] = [place("L1"), place("L2")]
    await puller.pull(world.emsp, "locations")

    async def pushes(_: int) -> None:  # the page is made by then
        await world.push(place("L1", LATER, "CHARGING"))
        await world.push(place("L2", status="CHARGING"))  # within the same second as the one that is listed
        await world.push(place("NEW"))

    partner.before = pushes
    partner.lists["locations"] = [place("L1"), place("L2", status="BLOCKED")]
    done = await puller.pull(world.emsp, "locations", whole=True)
    assert await world.statuses() == {"L1": "CHARGING", "L2": "CHARGING", "NEW": "AVAILABLE"}
    assert (done.read, done.changed, done.gone) == (2, 0, 0)
    partner.before = None
    partner.lists["locations"] = [place("L1", LATER, "BLOCKED"), place("L2", status="BLOCKED"), place("NEW")]
    done = await puller.pull(world.emsp, "locations")
    assert await world.statuses() == {"L1": "BLOCKED", "L2": "BLOCKED", "NEW": "AVAILABLE"}
    assert (done.read, done.changed) == (3, 2)


async def test_a_token_that_is_blocked_while_a_list_is_read_stays_blocked(world: World) -> None:
    listed = token("UID1", "DE-XYZ-C1") | {"last_updated": STAMP}

    async def pushes(_: int) -> None:
        assert world.cpo.roaming
        await keep_token(world.registry, world.cpo.roaming, understood(tokens.Token, listed | {"valid": False}))

    world.partner.lists["tokens"], world.partner.before = [listed], pushes
    await world.puller().pull(world.cpo, "tokens")
    assert (await world.kept("token"))["UID1"]["valid"] is False


async def test_a_list_goes_on_after_a_kill_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chargewire.roaming.pulling.SAVED_EVERY", 2)
    partner = world.partner
    partner.lists["tokens"] = [token(f"UID{number:04}", "DE-XYZ-C1") | {"last_updated": STAMP} for number in range(700)]
    reached = asyncio.Event()

    async def hangs(offset: int) -> None:
        if offset == 500:
            reached.set()
            await asyncio.sleep(60)

    partner.before = hangs
    life = asyncio.create_task(world.puller().pull(world.cpo, "tokens"))
    await asyncio.wait_for(reached.wait(), 20)
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    partner.before = None
    partner.asked.clear()
    done = await world.puller().pull(world.cpo, "tokens")
    assert [offset for offset, _ in partner.pages("tokens")] == [400, 500, 600]
    assert (done.read, done.changed, len(await world.kept("token"))) == (700, 600, 700)  # a page came twice
    partner.asked.clear()
    again = await world.puller().pull(world.cpo, "tokens")
    assert (again.read, again.changed) == (700, 0)
    assert done.began_at
    assert {since for _, since in partner.pages("tokens")} == {_before(done.began_at)}


async def test_where_a_list_was_to_go_on_may_be_gone(world: World) -> None:
    partner, puller = world.partner, world.puller()
    partner.lists["tokens"] = [token(f"UID{number:04}", "DE-XYZ-C1") for number in range(250)]
    partner.fails = {200}
    for _ in range(2):
        with pytest.raises(Declined):
            await puller.pull(world.cpo, "tokens")
    partner.fails = set()
    assert (await puller.pull(world.cpo, "tokens")).read == 250
    assert [offset for offset, _ in partner.pages("tokens")] == [0, 100, 200, 200, 0, 100, 200]
    [state] = await puller.state(world.cpo.id)
    assert (state["error"], state["failed_at"], state["broken"]) == ("", None, None)


async def test_a_list_of_locations_is_read_from_its_beginning_after_it_broke_off(world: World) -> None:
    """Only who has seen every page knows what is not in them."""
    partner, puller = world.partner, world.puller()
    partner.lists["locations"] = [place(f"L{number}") for number in range(150)]
    await puller.pull(world.emsp, "locations")
    partner.lists["locations"] = partner.lists["locations"][:120]
    partner.fails = {100}
    with pytest.raises(Declined):
        await puller.pull(world.emsp, "locations", whole=True)
    assert "REMOVED" not in (await world.statuses()).values()
    partner.fails = set()
    assert (await puller.pull(world.emsp, "locations", whole=True)).gone == 30
    assert list((await world.statuses()).values()).count("REMOVED") == 30


async def test_nothing_is_read_any_more_once_a_connection_is_suspended(world: World) -> None:
    partner, puller = world.partner, world.puller()
    partner.lists["tokens"] = [token(f"UID{number:04}", "DE-XYZ-C1") for number in range(250)]

    async def suspends(offset: int) -> None:
        if offset == 100:
            await amend(world.registry, world.cpo.id, b'{"state":"suspended"}')

    partner.before = suspends
    with pytest.raises(Refused, match="not connected"):
        await puller.pull(world.cpo, "tokens")
    assert [offset for offset, _ in partner.pages("tokens")] == [0, 100]


async def test_one_list_is_not_read_twice_at_once(world: World) -> None:
    world.partner.lists["tokens"] = [token("UID1", "DE-XYZ-C1")]
    puller = world.puller()
    results = await asyncio.gather(puller.pull(world.cpo, "tokens"), puller.pull(world.cpo, "tokens"), return_exceptions=True)
    assert [type(each).__name__ for each in results] == ["Pulled", "Refused"]


async def test_sessions_are_asked_for_since_ever_at_first_as_a_time_is_required_there(world: World) -> None:
    done = await world.puller().pull(world.emsp, "sessions")
    await world.puller().pull(world.emsp, "sessions")
    assert done.began_at
    assert world.partner.pages("sessions") == [(0, "2010-01-01T00:00:00Z"), (0, _before(done.began_at))]
    assert not any("date_to" in query for _, query in world.partner.asked)


async def test_a_restart_does_not_pull_what_was_pulled_a_moment_ago_but_a_new_handshake_does(world: World) -> None:
    first = PullTimes(world.registry, world.puller())
    first.start()
    await until(lambda: _asked(world, {"tariffs", "locations", "sessions", "cdrs", "tokens"}), 10, "every list")
    await asyncio.sleep(0.2)
    await first.stop()
    world.partner.asked.clear()
    second = PullTimes(world.registry, world.puller())
    second.start()
    await asyncio.sleep(0.5)
    assert world.partner.asked == []
    await _connect(world.registry, world.cpo.id, world.partner.url)
    await until(lambda: _asked(world, {"tokens"}), 10, "the list of who has connected anew")
    await asyncio.sleep(0.2)
    assert {name for name, _ in world.partner.asked} == {"tokens"}
    await second.stop()


async def test_a_connection_that_is_never_to_be_pulled_from_is_pulled_from_by_hand_only(world: World) -> None:
    for connection in (world.emsp, world.cpo):
        await amend(world.registry, connection.id, b'{"pull_every_s":0}')
    times = PullTimes(world.registry, world.puller())
    times.start()
    await asyncio.sleep(0.3)
    assert world.partner.asked == []
    current = world.registry.directory.subscription(world.cpo.id)
    assert current
    assert times.begin(current) == ["tokens"]
    await until(lambda: _asked(world, {"tokens"}), 10, "the list that was asked for")
    await times.stop()


async def test_a_connection_of_which_nobody_knows_how_far_it_was_pulled_costs_the_others_nothing(world: World) -> None:
    assert [each.id for each in world.registry.directory.connections()] == [world.emsp.id, world.cpo.id]
    broken = Write(ref=Ref("partnerpull", "", f"{world.emsp.id}/tariffs"), content=b'{"module":7}', expect=0, what="pulled")
    await world.journal.append(Unit(place=f"partner/{world.emsp.id}", writes=[broken]))
    times = PullTimes(world.registry, world.puller())
    times.start()
    await until(lambda: _asked(world, {"tokens"}), 10, "the list of the other")
    await times.stop()


async def test_what_a_partner_breaks_costs_the_next_list_nothing(world: World) -> None:
    world.partner.lists |= {"tariffs": "nonsense", "locations": [place("L1")]}
    times = PullTimes(world.registry, world.puller())
    times.start()
    await until(lambda: _asked(world, {"tariffs", "locations", "sessions", "cdrs", "tokens"}), 10, "every list")
    await until(lambda: _kept(world), 10, "the location")
    await times.stop()


async def _kept(world: World) -> bool:
    return set(await world.kept("partnerlocation")) == {"L1"}


async def _asked(world: World, modules: set[str]) -> bool:
    return modules <= {name for name, _ in world.partner.asked}


async def _connected(registry: Registry, role: str, party: str, url: str) -> Subscription:
    """A connection after its handshake."""
    made, _ = await open_connection(registry, msgspec.json.encode({"name": role, "role": role, "party": party}))
    return await _connect(registry, made.id, url)


async def _connect(registry: Registry, connection_id: str, url: str) -> Subscription:
    stored = await registry.journal.get(Ref("subscription", "", connection_id))
    assert stored
    before = msgspec.json.decode(stored.body, type=Subscription)
    endpoints = {module: f"{url}/{module}" for module in ("tariffs", "locations", "sessions", "cdrs", "tokens")}
    theirs = Theirs(
        versions_url=f"{url}/versions", version="2.1.1", endpoints=endpoints, encoding="raw", party=PARTNER, token="theirs"
    )
    after = connected(registry, before, theirs, registry.keys.hash(f"ours-{stored.version}-{connection_id}"), ())
    await write_subscription(registry, after, stored.version)
    return after


def _before(at: datetime) -> str:
    """`date_from` of a list that was read at a time."""
    return (at - timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")


@asynccontextmanager
async def listing() -> AsyncIterator[Partner]:
    """A partner on a free port."""
    partner = Partner()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", partner.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    partner.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    yield partner
    await runner.cleanup()
