"""Commands of roaming partners: what goes to a station, whom it lets in, and what is told where, how often and after a kill."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from ocpp.exceptions import NotImplementedError as NotKnown
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from chargewire.cli import main
from chargewire.roaming import commands
from chargewire.simulator.car import Car
from chargewire.simulator.link import Address
from chargewire.simulator.station import Plan, Station
from journeys.foreign_station import ForeignStation, foreign_station, minutes
from journeys.world import ADMIN, admin, ask, furnish, location, served, token, until
from roaming.listener import Listener, Posted, listener
from roaming.pair import CPO, Pair
from roaming.test_handshake import Them, partner

UID, AUTH_ID = "04DDEEFF", "DE-XYZ-C1-X"
EVSE = "NL-AAA-ECS-AAA-1"
ASKED_EACH_TIME = token(UID, AUTH_ID) | {"whitelist": "NEVER"}


class Stubborn(ForeignStation):
    """Says what it is told to say: a status, or `unknown` for an action that it does not implement; `late`, it says yes."""

    says = "Rejected"

    async def said(self) -> str:
        if self.says == "late":
            await asyncio.sleep(1.5)
            return "Accepted"
        if self.says == "unknown":
            raise NotKnown
        return self.says

    @on(Action.remote_start_transaction)
    async def _on_start(self, **payload: Any) -> Any:
        self.told.append(("RemoteStartTransaction", payload))
        return call_result.RemoteStartTransaction(status=await self.said())  # type: ignore[arg-type]

    @on(Action.unlock_connector)
    async def _on_unlock(self, **payload: Any) -> Any:
        self.told.append(("UnlockConnector", payload))
        return call_result.UnlockConnector(status=await self.said())  # type: ignore[arg-type]


@asynccontextmanager
async def asking(url: str, country: str = "DE", party: str = "XYZ") -> AsyncIterator[Them]:
    """A partner that is an eMSP, connected with our CPO."""
    async with partner(country, party) as them:
        body = {"name": party, "role": "CPO", "party": CPO, "versions_url": them.url, "token": "their-a"}
        made = await ask("POST", f"{url}/admin/v1/partners", ADMIN, body)
        assert made.status == 201, made.body
        yield them


async def command(url: str, them: Them, name: str, reply: str, **more: Any) -> tuple[int, Any]:
    """The direct answer: OCPI status code, and the word or the message."""
    answer = await ask("POST", f"{url}/ocpi/cpo/2.1.1/commands/{name}", them.token_b, {"response_url": reply} | more)
    assert answer.status == 200, answer.body
    data = answer.body.get("data")
    return answer.body["status_code"], data["result"] if data else answer.body["status_message"]


START = {"location_id": "LOC-AAA", "token": ASKED_EACH_TIME}
UNLOCK = {"location_id": "LOC-AAA", "evse_uid": EVSE, "connector_id": "1"}


async def test_a_virtual_station_is_started_and_stopped_by_a_partner(both: Pair) -> None:
    plan = Plan(step_s=0.05, speed=600.0, settings={"MeterValueSampleInterval": "1", "AuthorizeRemoteTxRequests": "true"})
    station = Station(Address(url=both.cpo.ocpp_url, station_id="CS-AAA", password=None), plan)
    life = asyncio.create_task(station.run())
    try:
        async with asking(both.cpo.url) as them, listener() as box:
            await asyncio.wait_for(station.ready.wait(), 10)
            station.charger.arrive(1, Car())
            reply = f"{box.url}/results?of=start"
            assert await command(both.cpo.url, them, "START_SESSION", reply, **START) == (1000, "ACCEPTED")
            session = await session_of(both.cpo.url, them, "ACTIVE")
            assert (session["auth_id"], session["auth_method"]) == (AUTH_ID, "AUTH_REQUEST")
            assert [path for path in them.asked if "authorize" in path] == []  # its command was its word
            reply = f"{box.url}/results?of=stop"
            asked = {"session_id": session["id"]}
            assert await command(both.cpo.url, them, "STOP_SESSION", reply, **asked) == (1000, "ACCEPTED")
            await session_of(both.cpo.url, them, "COMPLETED")
            await until(lambda: len(box.posted) == 2, 5, "both results")
            assert [(each.path, each.authorization, each.body) for each in box.posted] == [
                ("/results?of=start", "Token their-token-c", {"result": "ACCEPTED"}),
                ("/results?of=stop", "Token their-token-c", {"result": "ACCEPTED"}),
            ]
            assert await command(both.cpo.url, them, "STOP_SESSION", reply, **asked) == (1000, "UNKNOWN_SESSION")
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


@pytest.mark.parametrize(
    ("name", "asked", "says", "result"),
    [
        ("START_SESSION", START, "Accepted", "ACCEPTED"),
        ("START_SESSION", START, "Rejected", "REJECTED"),
        ("START_SESSION", START, "unknown", "NOT_SUPPORTED"),
        ("START_SESSION", START, "late", "TIMEOUT"),
        ("UNLOCK_CONNECTOR", UNLOCK, "Unlocked", "ACCEPTED"),
        ("UNLOCK_CONNECTOR", UNLOCK, "UnlockFailed", "REJECTED"),
        ("UNLOCK_CONNECTOR", UNLOCK, "NotSupported", "NOT_SUPPORTED"),
        ("UNLOCK_CONNECTOR", UNLOCK, "late", "TIMEOUT"),
    ],
)
async def test_the_result_is_what_the_station_said_told_once(
    both: Pair, name: str, asked: dict[str, Any], says: str, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STATION_S", 0.5)
    monkeypatch.setattr(Stubborn, "says", says)
    async with (
        asking(both.cpo.url) as them,
        listener() as box,
        foreign_station(both.cpo.ocpp_url, "CS-AAA", Stubborn) as station,
    ):
        await station.boot()
        assert await command(both.cpo.url, them, name, box.url, **asked) == (1000, "ACCEPTED")
        await until(lambda: box.posted, 5, "the result")
        if says == "Accepted":
            await station.start_session(UID, 0)  # a session that follows is no second result
        await asyncio.sleep(0.3)
        assert box.results == [result]


@pytest.mark.parametrize(("says", "let_in"), [("Accepted", "Accepted"), ("late", "Accepted"), ("Rejected", "Invalid")])
async def test_who_is_started_is_let_in_there_unless_the_station_refused_and_nowhere_else(
    both: Pair, says: str, let_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "STATION_S", 0.5)
    monkeypatch.setattr(Stubborn, "says", says)
    await both.cpo.admin("PUT", "/locations/LOC-2", location("LOC-2", CPO, ["CS-2"]))
    url = both.cpo.ocpp_url
    async with (
        asking(both.cpo.url) as them,
        listener() as box,
        foreign_station(url, "CS-AAA", Stubborn) as station,
        foreign_station(url, "CS-2") as other,
    ):
        await station.boot()
        await other.boot()
        await command(both.cpo.url, them, "START_SESSION", box.url, **START)
        await until(lambda: box.posted, 5, "the result")
        them.how = {"allowed": "NOT_ALLOWED"}
        assert (await station.start_session(UID.lower(), 0)).id_tag_info["status"] == let_in
        assert (await other.start_session(UID, 0)).id_tag_info["status"] == "Invalid"


async def test_a_start_goes_to_the_named_evse_or_to_one_that_is_free_first_to_one_with_a_car(both: Pair) -> None:
    await both.cpo.admin("PUT", "/locations/LOC-AAA", location("LOC-AAA", CPO, ["CS-AAA"], connectors=3))
    async with asking(both.cpo.url) as them, listener() as box, foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        for number, status in ((1, "Charging"), (2, "Available"), (3, "Preparing")):
            await station.status(status, connector=number)
        for named in ({}, {"evse_uid": EVSE.lower()}):
            assert (await command(both.cpo.url, them, "START_SESSION", box.url, **START | named)) == (1000, "ACCEPTED")
            await until(lambda: station.told, 5, "the start")
        await until(lambda: len(station.told) == 2, 5, "both starts")
        assert [payload["connector_id"] for _, payload in station.told] == [3, 1]
        for number in (2, 3):
            await station.status("Charging", connector=number)
        assert (await command(both.cpo.url, them, "START_SESSION", box.url, **START)) == (1000, "REJECTED")


@pytest.mark.parametrize(
    ("rules", "more", "said"),
    [
        ([{"type": "ClosedGroups", "value": "SOMEBODY-ELSE"}], {}, "REJECTED"),
        ([{"type": "ClosedGroups", "value": AUTH_ID}], {}, "ACCEPTED"),
        ([], {"valid": False}, "REJECTED"),
    ],
)
async def test_a_start_of_who_may_not_charge_there_is_not_passed_on(
    both: Pair, rules: list[Any], more: dict[str, Any], said: str
) -> None:
    await both.cpo.admin("PUT", "/locations/LOC-AAA", location("LOC-AAA", CPO, ["CS-AAA"]) | {"auth_rules": rules})
    async with asking(both.cpo.url) as them, listener() as box, foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        start = START | {"token": ASKED_EACH_TIME | more}
        assert await command(both.cpo.url, them, "START_SESSION", box.url, **start) == (1000, said)
        await until(lambda: bool(station.told) == (said == "ACCEPTED"), 2, "what the station is told")


async def test_a_session_of_another_partner_is_as_unknown_as_one_that_does_not_exist(both: Pair) -> None:
    async with (
        asking(both.cpo.url) as owner,
        asking(both.cpo.url, "FR", "ABC") as other,
        listener() as box,
        foreign_station(both.cpo.ocpp_url, "CS-AAA") as station,
    ):
        await station.boot()
        await command(both.cpo.url, owner, "START_SESSION", box.url, **START)
        await until(lambda: box.posted, 5, "the result")
        await station.start_session(UID, 0, datetime.now(UTC) - minutes(1))
        asked = {"session_id": (await session_of(both.cpo.url, owner, "ACTIVE"))["id"]}
        nothing = await command(both.cpo.url, other, "STOP_SESSION", box.url, session_id="NOTHING")
        assert await command(both.cpo.url, other, "STOP_SESSION", box.url, **asked) == nothing == (1000, "UNKNOWN_SESSION")
        assert [action for action, _ in station.told] == ["RemoteStartTransaction"]
        assert await command(both.cpo.url, owner, "STOP_SESSION", box.url, **asked) == (1000, "ACCEPTED")


ELSEWHERE = [
    "http://localhost:{port}/",
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1@[::1]:{port}/",
    "http://127.0.0.1.example.org/",
    "http://2130706433:{port}/",
    "http://127.0.0.1:{port}/#part",
    "http://127.0.0.1:{port}/ö",
    "http://127.0.0.1:{port}/?a b",
    "http://127.0.0.1:99999/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "//127.0.0.1:{port}/",
    "",
]


async def test_a_result_goes_to_no_host_but_the_partners_own(both: Pair) -> None:
    async with asking(both.cpo.url) as them, listener() as box, foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        for url in ELSEWHERE:
            reply = url.format(port=box.url.rpartition(":")[2])
            code, why = await command(both.cpo.url, them, "UNLOCK_CONNECTOR", reply, **UNLOCK)
            assert (code, why.partition(":")[0]) == (2001, "response_url"), url
        assert await command(both.cpo.url, them, "UNLOCK_CONNECTOR", box.url, **UNLOCK) == (1000, "ACCEPTED")
        await until(lambda: box.posted, 5, "the result")
        assert [action for action, _ in station.told] == ["UnlockConnector"]


@pytest.mark.parametrize(
    ("answers", "times", "why"),
    [
        ([503, 200], 2, None),
        ([2000, 200], 2, None),
        (["taken"], 1, None),  # no envelope: it has the result all the same
        ([503], 3, "HTTP 503, OCPI 2000"),
    ],
)
async def test_a_result_is_told_again_until_it_is_taken_then_given_up(
    both: Pair, tmp_path: Path, answers: list[Any], times: int, why: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TRIES_S", (0.0, 0.1, 0.1))
    async with (
        asking(both.cpo.url) as them,
        listener(*answers) as box,
        foreign_station(both.cpo.ocpp_url, "CS-AAA") as station,
    ):
        await station.boot()
        await command(both.cpo.url, them, "UNLOCK_CONNECTOR", box.url, **UNLOCK)
        order_id = order_in(tmp_path / "cpo")

        async def over() -> bool:
            return "replied" in await both.cpo.admin("GET", f"/commands/{order_id}") and bool(
                (await both.cpo.admin("GET", f"/commands/{order_id}"))["replied"]
            )

        await until(over, 5, "the order to be over")
        await asyncio.sleep(0.3)
        order = await both.cpo.admin("GET", f"/commands/{order_id}")
        assert (box.results, order.get("reply_error")) == (["ACCEPTED"] * times, why)
        assert "their-token-c" not in repr(order)


async def test_nothing_is_told_to_a_partner_that_was_suspended_meanwhile(both: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "TRIES_S", (0.3,))
    async with asking(both.cpo.url) as them, listener() as box, foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()
        await command(both.cpo.url, them, "UNLOCK_CONNECTOR", box.url, **UNLOCK)
        [connection] = (await both.cpo.admin("GET", "/partners"))["data"]
        await both.cpo.admin("PATCH", f"/partners/{connection['id']}", {"state": "suspended"})
        await asyncio.sleep(0.8)
        assert (station.told, box.posted) == ([("UnlockConnector", {"connector_id": 1})], [])


@pytest.mark.long
@pytest.mark.parametrize(("says", "result"), [("Accepted", "ACCEPTED"), ("late", "TIMEOUT")])
async def test_after_a_kill_the_result_is_told_and_the_driver_let_in(
    tmp_path: Path, journal_url: str, says: str, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stubborn, "says", says)
    on = journal_url if journal_url.startswith("postgresql") else None
    async with served(tmp_path / "data", on) as server, listener(503) as box:
        await furnish(server, {CPO: ["CS-AAA"]})
        async with asking(server.url) as them:
            async with foreign_station(server.ocpp_url, "CS-AAA", Stubborn) as station:
                await station.boot()
                assert await command(server.url, them, "START_SESSION", f"{box.url}/1", **START) == (1000, "ACCEPTED")
                await until(lambda: bool(box.posted) if says == "Accepted" else bool(station.told), 5, "what is told")
                await server.kill()
            told_before = len(box.posted)
            box.answers = [200]
            await server.again()
            await until(lambda: len(box.posted) > told_before, 10, "the result")
            assert box.posted[-1].body == {"result": result}
            them.how = {"allowed": "NOT_ALLOWED"}
            async with foreign_station(server.ocpp_url, "CS-AAA") as station:
                await station.boot()
                assert (await station.start_session(UID, 0)).id_tag_info["status"] == "Accepted"
            await server.kill()
            await server.again()
            await asyncio.sleep(0.5)
            assert len(box.posted) == told_before + 1  # what was told is not told again
            assert await admin(server, "GET", "/partners")


# as eMSP


@asynccontextmanager
async def asked(both: Pair, *answers: Any) -> AsyncIterator[tuple[str, Them, Listener]]:
    """A partner that is a CPO, connected with our eMSP; its commands module is the listener."""
    async with partner("NL", "XYZ") as them, listener(*answers) as box:
        endpoints = [{"identifier": name, "url": f"{them.base}/2.1.1/{name}"} for name in ("credentials", "locations")]
        them.how = {"endpoints": [*endpoints, {"identifier": "commands", "url": f"{box.url}/commands/"}]}
        body = both.wanted("emsp") | {"versions_url": them.url, "token": "their-a"}
        yield (await both.emsp.admin("POST", "/partners", body))["id"], them, box


WANTED = {"token_uid": "04AABBCC", "location_id": "L-1"}


async def sent(both: Pair, connection_id: str, name: str = "START_SESSION", **more: Any) -> Any:
    return await both.emsp.admin("POST", f"/partners/{connection_id}/commands/{name}", WANTED | more)


async def state(both: Pair, connection_id: str, command_id: str) -> str:
    return str((await both.emsp.admin("GET", f"/partners/{connection_id}/commands/{command_id}"))["state"])


async def test_a_command_of_ours_holds_the_whole_token_and_the_first_result_counts(both: Pair) -> None:
    async with asked(both, {"result": "ACCEPTED"}) as (connection_id, them, box):
        made = await sent(both, connection_id)
        assert (made["state"], made["direct"]) == ("SENT", "ACCEPTED")
        [posted] = box.posted
        reply = posted.body.pop("response_url")
        assert (posted.path, posted.authorization) == ("/commands/START_SESSION", "Token their-token-c")
        assert posted.body["location_id"] == "L-1"
        assert set(posted.body["token"]) >= {"uid", "type", "auth_id", "issuer", "valid", "whitelist", "last_updated"}
        assert reply == f"{both.emsp.url}/ocpi/emsp/2.1.1/commands/START_SESSION/{made['id']}"

        wrong = await ask("POST", reply, them.token_b, {"result": "PERHAPS"})
        assert (wrong.body["status_code"], wrong.body["status_message"].partition(":")[0]) == (2001, "result")
        assert (await ask("POST", reply, "somebody-else", {"result": "ACCEPTED"})).status == 401
        elsewhere = reply.replace("START_SESSION", "STOP_SESSION")
        assert (await ask("POST", elsewhere, them.token_b, {"result": "ACCEPTED"})).status == 404
        assert await state(both, connection_id, made["id"]) == "SENT"
        assert (await ask("POST", reply, them.token_b, "REJECTED")).body["status_code"] == 1000  # as before 2.1.1-d2
        assert (await ask("POST", reply, them.token_b, {"result": "ACCEPTED"})).body["status_code"] == 1000
        assert await state(both, connection_id, made["id"]) == "REJECTED"


async def test_a_result_of_another_partner_is_for_no_command(both: Pair) -> None:
    async with asked(both, {"result": "ACCEPTED"}) as (connection_id, _, box):
        made = await sent(both, connection_id)
        async with partner("FR", "ABC") as other:
            body = both.wanted("emsp") | {"versions_url": other.url, "token": "their-a"}
            await both.emsp.admin("POST", "/partners", body)
            answer = await ask("POST", box.posted[0].body["response_url"], other.token_b, {"result": "ACCEPTED"})
        assert answer.status == 404
        assert await state(both, connection_id, made["id"]) == "SENT"


@pytest.mark.parametrize(
    ("direct", "expected"),
    [
        ({"result": "REJECTED"}, "REJECTED"),
        ("not even JSON", "FAILED"),
        ("UNKNOWN", "FAILED"),
        (503, "FAILED"),
        (2003, "FAILED"),
    ],
)
async def test_what_is_not_passed_on_is_over_at_once(both: Pair, direct: Any, expected: str) -> None:
    async with asked(both, direct) as (connection_id, _, _):
        made = await sent(both, connection_id)
        assert made["state"] == await state(both, connection_id, made["id"]) == expected
        assert bool(made.get("error")) == (expected == "FAILED")


async def test_a_result_counts_though_the_direct_answer_is_slower_or_lost_or_the_time_is_over(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(both, {"result": "ACCEPTED"}) as (connection_id, them, box):

        async def tell(posted: Posted) -> None:
            await ask("POST", posted.body["response_url"], them.token_b, {"result": "ACCEPTED"})

        box.before_answer = tell
        for direct in ({"result": "ACCEPTED"}, 503):
            box.answers = [direct]
            made = await sent(both, connection_id)
            assert await state(both, connection_id, made["id"]) == "ACCEPTED", direct

        box.before_answer, box.answers = None, [503]
        made = await sent(both, connection_id)
        assert made["state"] == "FAILED"
        await tell(box.posted[-1])
        assert await state(both, connection_id, made["id"]) == "ACCEPTED"

        monkeypatch.setattr(commands, "RESULT_S", 0.1)
        box.answers = [{"result": "ACCEPTED"}]
        made = await sent(both, connection_id)
        await asyncio.sleep(0.2)
        assert await state(both, connection_id, made["id"]) == "TIMEOUT"
        await tell(box.posted[-1])
        assert await state(both, connection_id, made["id"]) == "ACCEPTED"


async def test_a_command_that_cannot_be_sent_is_refused_by_the_name_of_the_field(both: Pair) -> None:
    async with asked(both, {"result": "ACCEPTED"}) as (connection_id, _, box):
        for name, body, field in (
            ("DANCE", WANTED, "command"),
            ("START_SESSION", WANTED | {"token_uid": "NOBODY"}, "token_uid"),
            ("START_SESSION", {"token_uid": "04AABBCC"}, "location_id"),
            ("STOP_SESSION", {}, "session_id"),
            ("UNLOCK_CONNECTOR", {"location_id": "L", "evse_uid": "E"}, "connector_id"),
        ):
            refused = await both.emsp.tried("POST", f"/partners/{connection_id}/commands/{name}", body)
            assert (refused.status, refused.body["field"]) == (422, field), name
        assert box.posted == []


async def test_the_shell_waits_for_the_result_and_says_it(both: Pair) -> None:
    async with asked(both, {"result": "ACCEPTED"}) as (connection_id, them, box):

        async def shell(result: str, *arguments: str) -> tuple[int, str]:
            async def tell(posted: Posted) -> None:
                async def later() -> None:
                    await asyncio.sleep(0.4)
                    await ask("POST", posted.body["response_url"], them.token_b, {"result": result})

                tasks.append(asyncio.create_task(later()))

            tasks: list[asyncio.Task[None]] = []
            box.before_answer = tell
            given = ["partner", arguments[0], connection_id, *arguments[1:], "--url", both.emsp.url, "--admin-token", ADMIN]
            done = await asyncio.to_thread(CliRunner().invoke, main, given)
            return done.exit_code, done.output.strip()

        start = ("start", "--token", "04AABBCC", "--location", "L-1")
        assert await shell("ACCEPTED", *start) == (0, "START_SESSION: ACCEPTED")
        assert await shell("TIMEOUT", "stop", "--session", "S-1") == (1, "STOP_SESSION: TIMEOUT")
        unlock = ("unlock", "--location", "L-1", "--evse", "E-1", "--connector", "1")
        assert await shell("REJECTED", *unlock) == (1, "UNLOCK_CONNECTOR: REJECTED")
        assert [each.path.rpartition("/")[2] for each in box.posted] == ["START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR"]


async def session_of(url: str, them: Them, status: str) -> Any:
    """The partner's session as it pulls it, once it has a status."""
    found: list[Any] = []

    async def there() -> bool:
        answer = await ask("GET", f"{url}/ocpi/cpo/2.1.1/sessions?date_from=2020-01-01T00:00:00Z", them.token_b)
        found[:] = [each for each in answer.body["data"] if each["status"] == status]
        return bool(found)

    await until(there, 20, f"a session that is {status}")
    return found[0]


def order_in(data: Path) -> str:
    """The one order that was made: a partner does not hear its id."""
    with sqlite3.connect(data / "chargewire.sqlite") as journal:
        rows = journal.execute("select body from object where kind = 'command'").fetchall()
    [order_id] = [msgspec.json.decode(body)["id"] for (body,) in rows]
    return str(order_id)
