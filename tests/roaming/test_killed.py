"""Power cuts in the middle of roaming: whatever was under way, afterwards it is as before, or as it should have become."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from chargewire.journal import open_journal
from chargewire.journal.memory import ListQuery
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.cdrs import Cdr
from chargewire.protocols.ocpi.v211.sessions import Session
from chargewire.settings import Settings
from journeys.foreign_station import ForeignStation, foreign_station, minutes
from journeys.world import Asked, Server, ask, served, token, until
from roaming.pair import CPO, WIDE, Side, furnish_cpo, furnish_emsp
from roaming.test_handshake import STAMP, Them, partner
from roaming.test_races import Hold
from roaming.test_roaming import received

pytestmark = pytest.mark.long
UID = "04DDEEFF"
INVITED = {"name": "Them", "role": "CPO", "party": CPO}
HANDSHAKES = 10


@pytest.fixture
def database(journal_url: str) -> str | None:
    return journal_url if journal_url.startswith("postgresql") else None


@asynccontextmanager
async def furnished(tmp_path: Path, database: str | None) -> AsyncIterator[tuple[Server, Side]]:
    """A CPO's platform in a process of its own."""
    async with served(tmp_path / "cpo", database) as server:
        side = Side(server.url, server.ocpp_url)
        await furnish_cpo(side)
        yield server, side


async def cut(server: Server, *under_way: "asyncio.Task[Asked]") -> None:
    """A power cut, and power again; whoever waits for an answer gets none."""
    await server.kill()
    for each in under_way:
        with suppress(aiohttp.ClientError):
            await each
    await server.again()


async def connected(side: Side, them: Them) -> Any:
    return await side.admin("POST", "/partners", INVITED | {"versions_url": them.url, "token": "their-token-a"})


async def seen(side: Side, connection_id: str) -> Any:
    """A connection, but for the steps of the last handshake and what is pulled by itself."""
    return {**await side.partner(connection_id), "steps": [], "pulls": [], "last_updated": ""}


async def good_for(side: Side, said: str) -> tuple[int, int]:
    """The HTTP status that a partner's token gets from versions, and from data."""
    versions = await ask("GET", f"{side.url}/ocpi/cpo/versions", said)
    data = await ask("GET", f"{side.url}/ocpi/cpo/2.1.1/locations", said)
    return versions.status, data.status


@pytest.mark.parametrize("point", ["/versions", "/2.1.1", "/credentials"])
async def test_who_is_killed_while_it_registers_has_not_registered_and_may_do_so_again(
    tmp_path: Path, database: str | None, point: str
) -> None:
    async with partner(status=503) as them, furnished(tmp_path, database) as (server, side):
        failed = await side.tried("POST", "/partners", INVITED | {"versions_url": them.url, "token": "their-token-a"})
        before = await seen(side, failed.body["id"])
        them.mend()
        held = Hold(them, point)
        connecting = asyncio.create_task(side.tried("POST", f"/partners/{before['id']}/connect"))
        await asyncio.wait_for(held.reached.wait(), 10)
        token_b = held.bodies[0]["token"] if point == "/credentials" else None
        if token_b:
            assert await good_for(side, token_b) == (200, 401)  # the partner may call back, no more
        await cut(server, connecting)
        assert await seen(side, before["id"]) == before
        if token_b:
            assert (await good_for(side, token_b))[1] == 401
        held.released.set()
        again = await side.admin("POST", f"/partners/{before['id']}/connect")
        assert (again["state"], again["partner"]) == ("connected", "DE-XYZ")
        assert await good_for(side, them.token_b) == (200, 200)
        if token_b:
            assert await good_for(side, token_b) == (401, 401)


async def test_who_was_killed_after_the_partner_had_registered_it_is_told_what_to_do(
    tmp_path: Path, database: str | None
) -> None:
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        held = Hold(them, "/credentials", answered=True)
        wanted = INVITED | {"versions_url": them.url, "token": "their-token-a"}
        connecting = asyncio.create_task(side.tried("POST", "/partners", wanted))
        await asyncio.wait_for(held.reached.wait(), 10)
        await cut(server, connecting)
        otherwise = them.answer

        async def registered_already(request: web.Request) -> web.StreamResponse:
            if request.method == "POST" and request.path.endswith("/credentials"):
                return web.json_response({"status_code": 2000, "timestamp": STAMP}, status=405)
            return await otherwise(request)

        them.answer = registered_already  # type: ignore[method-assign]
        [there] = (await side.admin("GET", "/partners"))["data"]
        refused = await side.tried("POST", f"/partners/{there['id']}/connect")
        assert (refused.status, "must unregister us" in refused.body["detail"]) == (422, True), refused.body
        them.answer = otherwise  # type: ignore[method-assign]
        held.released.set()
        anew = {"versions_url": them.url, "token": "their-new-token-a"}
        assert (await side.admin("POST", f"/partners/{there['id']}/connect", anew))["state"] == "connected"


@pytest.mark.parametrize("point", ["/versions", "/2.1.1"])
async def test_who_is_killed_while_it_calls_a_partner_back_has_not_registered_it_and_its_invitation_stands(
    tmp_path: Path, database: str | None, point: str
) -> None:
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        invited = await side.admin("POST", "/partners", INVITED)
        before, credentials = await seen(side, invited["id"]), f"{side.url}/ocpi/cpo/2.1.1/credentials"
        held = Hold(them, point)
        registering = asyncio.create_task(ask("POST", credentials, invited["token"], them.credentials))
        await asyncio.wait_for(held.reached.wait(), 10)
        await cut(server, registering)
        assert await seen(side, invited["id"]) == before
        assert await good_for(side, invited["token"]) == (200, 401)
        held.released.set()
        again = await ask("POST", credentials, invited["token"], them.credentials)
        assert again.body["status_code"] == 1000, again.body
        assert await good_for(side, again.body["data"]["token"]) == (200, 200)
        assert await good_for(side, invited["token"]) == (401, 401)


async def test_who_is_killed_about_when_it_has_registered_a_partner_has_done_so_or_has_not(
    tmp_path: Path, database: str | None
) -> None:
    chance = random.Random(20261124)
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        invited = await side.admin("POST", "/partners", INVITED)
        name, credentials = f"/partners/{invited['id']}", f"{side.url}/ocpi/cpo/2.1.1/credentials"
        outcomes = []
        for _ in range(HANDSHAKES):
            before, otherwise = await seen(side, invited["id"]), them.answer
            held = Hold(them, "/2.1.1", answered=True)  # the last thing that is asked before the commit
            held.released.set()
            registering = asyncio.create_task(ask("POST", credentials, invited["token"], them.credentials))
            await asyncio.wait_for(held.reached.wait(), 10)
            await asyncio.sleep(0.05 * chance.random() ** 3)  # most of what can happen happens at once
            await cut(server, registering)
            them.answer = otherwise  # type: ignore[method-assign]
            after, answer = await seen(side, invited["id"]), _answer_of(registering)
            outcomes.append((after["state"], answer is not None))
            if after["state"] == "connected":
                assert after["pushes"] == ["cdrs", "locations", "sessions", "tariffs"]
                assert await good_for(side, invited["token"]) == (401, 401)
                assert answer is None or await good_for(side, answer.body["data"]["token"]) == (200, 200)
                await side.admin("POST", f"{name}/unregister", {"anyway": True})
                invited = await side.admin("POST", f"{name}/invite")
            else:
                assert after == before
                assert answer is None, "what was answered is not there"
                assert await good_for(side, invited["token"]) == (200, 401)
        last = await ask("POST", credentials, invited["token"], them.credentials)
        assert await good_for(side, last.body["data"]["token"]) == (200, 200), outcomes


def _answer_of(task: "asyncio.Task[Asked]") -> Asked | None:
    return None if task.exception() else task.result()


async def test_two_platforms_one_of_which_is_killed_while_they_shake_hands_can_be_connected_afterwards(
    tmp_path: Path, database: str | None
) -> None:
    chance = random.Random(7)
    async with furnished(tmp_path, database) as (server, cpo), served(tmp_path / "emsp") as other:
        emsp = Side(other.url, other.ocpp_url)
        await furnish_emsp(emsp)
        ours = await cpo.admin("POST", "/partners", INVITED)
        theirs = await emsp.admin("POST", "/partners", {"name": "us", "role": "EMSP", "party": "DE-EMS"})
        for number in range(4):
            invitation = {"versions_url": ours["versions_url"], "token": ours["token"]}
            connecting = asyncio.create_task(emsp.tried("POST", f"/partners/{theirs['id']}/connect", invitation))
            await asyncio.sleep(chance.uniform(0.01, 0.15))
            await cut((server, other)[number % 2], connecting)
            for side, connection in ((cpo, ours), (emsp, theirs)):
                now = await side.partner(connection["id"])
                assert now["state"] in ("invited", "asked", "connected", "unregistered")  # the last: the other has just left
                assert bool(now["partner"] and now["endpoints"] and now["pushes"]) == (now["state"] == "connected")
                if now["state"] == "connected":
                    await side.admin("POST", f"/partners/{connection['id']}/unregister", {"anyway": True})
            ours = await cpo.admin("POST", f"/partners/{ours['id']}/invite")
        invitation = {"versions_url": ours["versions_url"], "token": ours["token"]}
        connection = await emsp.admin("POST", f"/partners/{theirs['id']}/connect", invitation)
        assert connection["state"] == "connected"
        assert [place["id"] for place in await received(emsp, connection, "locations")] == ["LOC-AAA"]


async def test_who_is_killed_while_it_rotates_lets_its_partner_in_by_the_token_that_it_took_and_rotates_again(
    tmp_path: Path, database: str | None
) -> None:
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        made = await connected(side, them)
        first = them.token_b
        held = Hold(them, "/credentials", answered=True)
        rotating = asyncio.create_task(side.tried("POST", f"/partners/{made['id']}/rotate"))
        await asyncio.wait_for(held.reached.wait(), 10)
        before = await seen(side, made["id"])
        await cut(server, rotating)
        assert await seen(side, made["id"]) == before
        assert them.token_b != first
        for said in (first, them.token_b):
            assert await good_for(side, said) == (200, 200)
        held.released.set()
        assert (await side.admin("POST", f"/partners/{made['id']}/rotate"))["state"] == "connected"
        assert await good_for(side, them.token_b) == (200, 200)


async def test_who_is_killed_while_it_leaves_can_leave_again_although_the_partner_knows_it_no_more(
    tmp_path: Path, database: str | None
) -> None:
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        made = await connected(side, them)
        held = Hold(them, "/credentials")
        leaving = asyncio.create_task(side.tried("POST", f"/partners/{made['id']}/unregister"))
        await asyncio.wait_for(held.reached.wait(), 10)
        await cut(server, leaving)
        assert (await side.partner(made["id"]))["state"] == "connected"
        del them.answer  # type: ignore[method-assign]
        them.how = {"status": 401}
        left = await side.admin("POST", f"/partners/{made['id']}/unregister")
        assert (left["state"], left["pushes"]) == ("unregistered", [])
        assert await good_for(side, them.token_b) == (401, 401)


@pytest.mark.parametrize("answered", [False, True])
async def test_a_command_that_a_kill_cut_off_has_one_result_and_the_session_that_follows_is_let_in(
    tmp_path: Path, database: str | None, answered: bool
) -> None:
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        await connected(side, them)
        held = Hold(them, "/results/42") if answered else None
        async with foreign_station(side.ocpp_url, "CS-AAA") as station:
            await station.boot()
            await station.status("Preparing")
            told = asyncio.Event()
            if not answered:
                hold_answers(station, told)
            start = {"response_url": f"{them.base}/results/42", "location_id": "LOC-AAA", "token": token(UID, "DE-XYZ-C1-X")}
            url = f"{side.url}/ocpi/cpo/2.1.1/commands/START_SESSION"
            assert (await ask("POST", url, them.token_b, start)).body["data"] == {"result": "ACCEPTED"}
            await asyncio.wait_for((held.reached if held else told).wait(), 10)
            if held:
                del them.answer  # type: ignore[method-assign]
            await cut(server)
        result = {"result": "ACCEPTED" if answered else "TIMEOUT"}
        await until(lambda: them.results == [("42", result)], 10, "the result")
        async with foreign_station(side.ocpp_url, "CS-AAA") as station:
            await station.boot()
            begin = datetime.now(UTC).replace(microsecond=0) - minutes(1)
            begun = await station.start_session(UID, 1000, begin)
            assert begun.id_tag_info["status"] == "Accepted"
            await station.meter(begun.transaction_id, 2000)
            await station.stop_session(begun.transaction_id, 3000)
        listed = await ask("GET", f"{side.url}/ocpi/cpo/2.1.1/sessions?{WIDE}", them.token_b)
        [session] = listed.body["data"]
        assert (session["auth_id"], session["auth_method"], session["status"]) == ("DE-XYZ-C1-X", "AUTH_REQUEST", "COMPLETED")
        await asyncio.sleep(1)
        assert them.results == [("42", result)]
        assert not [path for path in them.asked if path.endswith("/authorize")]


def hold_answers(station: ForeignStation, told: asyncio.Event) -> None:
    """A station that hears of a start and says nothing."""

    async def say_nothing(**_: Any) -> Any:
        told.set()
        await asyncio.sleep(60)

    station.route_map["RemoteStartTransaction"]["_on_action"] = say_nothing


async def test_a_list_whose_reading_was_cut_off_is_read_to_its_end_and_nothing_in_it_is_new_twice(
    tmp_path: Path, database: str | None
) -> None:
    rows = [token(f"UID{number:03}", "DE-XYZ-C1") for number in range(250)]
    held, released = asyncio.Event(), asyncio.Event()
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        otherwise = them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            if not (request.method == "GET" and request.path.endswith("/tokens")):
                return await otherwise(request)
            offset = int(request.query.get("offset", 0))
            if offset == 200 and not released.is_set():
                held.set()
                await released.wait()
            following = str(request.url.update_query(offset=str(offset + 100)))
            headers = {"Link": f'<{following}>; rel="next"'} if offset + 100 < len(rows) else {}
            body = {"data": rows[offset : offset + 100], "status_code": 1000, "timestamp": STAMP}
            return web.json_response(body, headers=headers)

        them.answer = answer  # type: ignore[method-assign]
        made = await connected(side, them)
        await asyncio.wait_for(held.wait(), 20)
        await cut(server)
        released.set()

        async def ended() -> bool:
            return any(each["ended_at"] for each in (await side.partner(made["id"]))["pulls"])

        await until(ended, 20, "the list read")
        [pull] = (await side.partner(made["id"]))["pulls"]
        assert (pull["read"], pull["changed"]) == (250, 50)  # two pages were there already
        await server.stop()
    versions = await kept_tokens(tmp_path, database)
    assert versions == {row["uid"]: 1 for row in rows}


async def kept_tokens(tmp_path: Path, database: str | None) -> dict[str, int]:
    """The version of every token of the partner, as the journal has it."""
    journal = await open_journal(Settings(data=tmp_path / "cpo", database=database).database_url)
    page = await journal.walk(ListQuery(kind="token", owners=("DE-XYZ",), limit=1000))
    await journal.close()
    return {stored.ref.key: stored.version for stored in page.rows}


class StrictReceiver:
    """An eMSP's receiver of sessions and CDRs: strict, slow, and it keeps the first CDR of an id."""

    def __init__(self, them: Them) -> None:
        self.sessions: dict[str, Any] = {}
        self.cdrs: dict[str, Any] = {}
        self.wrong: list[str] = []
        otherwise = them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            parts = request.path.split("/")
            if request.method in ("PUT", "PATCH", "POST") and {"sessions", "cdrs"} & set(parts):
                await asyncio.sleep(0.01)
                return self._take(request.method, parts, await request.read())
            return await otherwise(request)

        them.answer = answer  # type: ignore[method-assign]

    def _take(self, method: str, parts: list[str], body: bytes) -> web.Response:
        said, headers = reading.decoded(body), {}
        if method == "PATCH" and parts[-1] not in self.sessions:
            return web.json_response({"status_code": 2000, "timestamp": STAMP}, status=404)
        if "cdrs" in parts:
            self._check(Cdr, said)
            if self.cdrs.setdefault(said["id"], said) != said:
                self.wrong.append(f"CDR {said['id']} is another one now")
            headers["Location"] = f"http://127.0.0.1/cdrs/{said['id']}"
        else:
            said = self.sessions.get(parts[-1], {}) | said if method == "PATCH" else said
            self._check(Session, said)
            self.sessions[parts[-1]] = said
        return web.json_response({"status_code": 1000, "timestamp": STAMP}, headers=headers)

    def _check(self, kind: Any, said: Any) -> None:
        if slips := reading.understood(kind, said).slips:
            self.wrong.append(f"{said['id']}: {slips}")


async def test_what_is_pushed_when_the_power_goes_is_there_in_the_end_and_the_same(
    tmp_path: Path, database: str | None
) -> None:
    chance = random.Random(20)
    async with partner() as them, furnished(tmp_path, database) as (server, side):
        receiver = StrictReceiver(them)
        await connected(side, them)
        known = await ask("PUT", f"{side.url}/ocpi/cpo/2.1.1/tokens/DE/XYZ/{UID}", them.token_b, token(UID, "DE-XYZ-C1-X"))
        assert known.status == 201
        for number in range(4):
            async with foreign_station(side.ocpp_url, "CS-AAA") as station:
                await station.boot()
                for each in range(5):
                    await charged(station, 1000 * (5 * number + each))
                await asyncio.sleep(chance.uniform(0, 0.1))
                await cut(server)
        lists = [f"{side.url}/ocpi/cpo/2.1.1/{module}?{WIDE}&limit=100" for module in ("sessions", "cdrs")]
        sessions, cdrs = [{row["id"]: row for row in (await ask("GET", url, them.token_b)).body["data"]} for url in lists]
        assert len(sessions) == len(cdrs) == 20
        await until(lambda: len(receiver.cdrs) == 20 and receiver.sessions == sessions, 30, "what was pushed to be the same")
        assert receiver.cdrs == cdrs
        assert receiver.wrong == []


async def charged(station: ForeignStation, register_wh: int) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) - minutes(30)
    begun = await station.start_session(UID, register_wh, begin)
    assert begun.id_tag_info["status"] == "Accepted"
    await station.meter(begun.transaction_id, register_wh + 500, begin + minutes(10))
    await station.stop_session(begun.transaction_id, register_wh + 1000, begin + minutes(20))
