"""Real-time authorization: what we ask of a driver's eMSP and make of its answer, and what ours answers (2.1.1 mod_tokens)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import aiohttp
import pytest

from api.house import open_house
from api.partners import connect
from chargewire.charging.token import Allowed, Token
from chargewire.csms.connecting import PARTNER_TOKEN
from chargewire.roaming import authorize
from journeys.foreign_station import ForeignStation, foreign_station, minutes
from journeys.world import ask, token
from roaming.listener import Listener, listener
from roaming.pair import Pair
from roaming.test_handshake import Them, partner
from roaming.test_roaming import authorized

UID = "04DD/EFF"
EVSE = "NL-AAA-ECS-AAA-1"
HERE: dict[str, Any] = {"location_id": "LOC-AAA", "evse_uids": [EVSE]}


@asynccontextmanager
async def their_driver(both: Pair, *answers: Any, whitelist: str = "NEVER") -> AsyncIterator[tuple[Listener, ForeignStation]]:
    """A partner that is an eMSP with a driver, at a station of ours; its tokens module is the listener."""
    async with (
        partner() as them,
        listener(*answers) as box,
        foreign_station(both.cpo.ocpp_url, "CS-AAA") as station,
    ):
        endpoints = [
            {"identifier": "credentials", "url": f"{them.base}/2.1.1/credentials"},
            {"identifier": "tokens", "url": f"{box.url}/tokens/"},
        ]
        them.how = {"endpoints": endpoints}
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        driver = token(UID, "DE-XYZ-C1-X") | {"whitelist": whitelist}
        there = f"{both.cpo.url}/ocpi/cpo/2.1.1/tokens/DE/XYZ/04DD%2FEFF"
        async with aiohttp.ClientSession(headers={"Authorization": f"Token {them.token_b}"}) as http:
            pushed = await http.put(f"{there}", json=driver)
            assert pushed.status in (200, 201), await pushed.text()
        await station.boot()
        yield box, station


async def started(station: ForeignStation, at: datetime | None = None) -> str:
    return str((await station.start_session(UID, 0, at)).id_tag_info["status"])


async def test_the_question_says_who_and_where_once_for_a_start(both: Pair) -> None:
    async with their_driver(both, {"allowed": "ALLOWED"}) as (box, station):
        assert await started(station) == "Accepted"
        [asked] = box.posted
        assert (asked.path, asked.authorization) == ("/tokens/04DD%2FEFF/authorize?type=RFID", "Token their-token-c")
        assert asked.body == HERE


@pytest.mark.parametrize(
    ("whitelist", "answer", "heard"),
    [
        ("NEVER", 404, "Invalid"),
        ("ALLOWED_OFFLINE", 404, "Invalid"),  # it knows that it does not know the token
        ("NEVER", 2002, "Invalid"),
        ("ALLOWED_OFFLINE", 2002, "Invalid"),  # it was told all that we know
        ("NEVER", 500, "Invalid"),
        ("ALLOWED_OFFLINE", 500, "Accepted"),
        ("NEVER", "no JSON", "Invalid"),
        ("ALLOWED_OFFLINE", "no JSON", "Accepted"),
        ("NEVER", {"allowed": "PERHAPS"}, "Invalid"),
        ("ALLOWED_OFFLINE", {"allowed": "PERHAPS"}, "Accepted"),
        ("NEVER", "silence", "Invalid"),
        ("ALLOWED_OFFLINE", "silence", "Accepted"),
        ("NEVER", [{"allowed": "ALLOWED", "info": None, "location": None}], "Accepted"),  # in a list, with nulls
    ],
)
async def test_an_answer_that_is_none_leaves_it_to_the_whitelist(
    both: Pair, whitelist: str, answer: Any, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorize, "ASK_S", 0.5)
    async with their_driver(both, answer, whitelist=whitelist) as (box, station):
        before = monotonic()
        assert await authorized(station, UID) == heard
        assert monotonic() - before < 2
        assert len(box.posted) == 1  # a question is asked once


@pytest.mark.parametrize(
    ("where", "heard"),
    [
        (HERE, "Accepted"),
        ({"location_id": "loc-aaa", "evse_uids": [EVSE.lower()]}, "Accepted"),
        ({"location_id": "LOC-AAA"}, "Accepted"),
        ({"location_id": "LOC-AAA", "evse_uids": ["ANOTHER"]}, "Invalid"),
        ({"location_id": "ANOTHER"}, "Invalid"),
    ],
)
async def test_a_yes_holds_where_the_partner_says(both: Pair, where: dict[str, Any], heard: str) -> None:
    async with their_driver(both, {"allowed": "ALLOWED", "location": where}) as (_, station):
        assert await started(station) == heard


async def test_nobody_is_asked_about_a_start_of_yesterday_or_over_a_connection_that_is_suspended(both: Pair) -> None:
    async with their_driver(both, {"allowed": "BLOCKED"}) as (box, station):
        assert await started(station, datetime.now(UTC) - minutes(60 * 24)) == "Accepted"
        [connection] = (await both.cpo.admin("GET", "/partners"))["data"]
        await both.cpo.admin("PATCH", f"/partners/{connection['id']}", {"state": "suspended"})
        assert await authorized(station, UID) == "Invalid"
        assert box.posted == []
        await both.cpo.admin("PATCH", f"/partners/{connection['id']}", {"state": "live"})
        assert await authorized(station, UID) == "Blocked"
        assert len(box.posted) == 1


async def test_a_partner_that_is_a_cpo_too_is_asked_over_the_connection_where_it_is_the_emsp() -> None:
    async with open_house() as house, listener({"allowed": "ALLOWED"}) as box:
        said = house.keys.seal("theirs", PARTNER_TOKEN)
        for role in ("EMSP", "CPO"):
            endpoints = {"tokens": f"{box.url}/{role}/tokens"}
            await connect(house, role, "NL-AAA", "DE-XYZ", endpoints=endpoints, token=said)
        driver = Token(uid=UID, type="RFID", auth_id="DE-XYZ-C1-X", issuer="Them", valid=True, whitelist="NEVER")
        assert await house.office.authority.ask("NL-AAA", "DE-XYZ", driver, None) is Allowed.ACCEPTED
        assert [each.path for each in box.posted] == ["/CPO/tokens/04DD%2FEFF/authorize?type=RFID"]
        await house.office.stop()


@asynccontextmanager
async def their_cpo(both: Pair) -> AsyncIterator[tuple[str, Them, str]]:
    """A partner that is a CPO: our eMSP's address for tokens, and what it says to us."""
    invited = await both.invite("emsp")
    async with partner() as them:
        url = f"{both.emsp.url}/ocpi/emsp/2.1.1"
        answer = await ask("POST", f"{url}/credentials", invited["token"], them.credentials)
        yield f"{url}/tokens", them, answer.body["data"]["token"]


@pytest.mark.parametrize(
    ("more", "allowed"),
    [
        ({}, "ALLOWED"),
        ({"valid": False}, "BLOCKED"),
        ({"expires_at": "2026-01-01T00:00:00Z"}, "EXPIRED"),
        ({"expires_at": (datetime.now(UTC) + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%SZ")}, "ALLOWED"),
        ({"whitelist": "NEVER"}, "ALLOWED"),
    ],
)
async def test_our_emsp_says_what_its_token_is_worth_and_where_only_with_a_yes(
    both: Pair, more: dict[str, Any], allowed: str
) -> None:
    await both.emsp.admin("PUT", "/tokens/DE-EMS/04AABBCC", token("04AABBCC", "DE-EMS-C1-X") | more)
    async with their_cpo(both) as (tokens, _, said):
        for uid in ("04AABBCC", "04aabbcc"):
            answer = await ask("POST", f"{tokens}/{uid}/authorize?type=RFID", said, HERE)
            expected = {"allowed": allowed, "location": HERE} if allowed == "ALLOWED" else {"allowed": allowed}
            assert (answer.status, answer.body["status_code"], answer.body["data"]) == (200, 1000, expected)
            assert (await ask("POST", f"{tokens}/{uid}/authorize", said)).body["data"] == {"allowed": allowed}


async def test_a_token_of_another_emsp_of_ours_is_as_unknown_as_any(both: Pair) -> None:
    await both.emsp.admin("PUT", "/emsps/DE-OTH", {"name": "Other", "network_ids": ["drivers"]})
    await both.emsp.admin("PUT", "/tokens/DE-OTH/04OTHER", token("04OTHER", "DE-OTH-C1-X"))
    async with their_cpo(both) as (tokens, _, said):
        foreign = await ask("POST", f"{tokens}/04OTHER/authorize", said)
        nothing = await ask("POST", f"{tokens}/NOTHING/authorize", said)
        assert (foreign.status, foreign.body["status_code"]) == (nothing.status, nothing.body["status_code"]) == (404, 2000)
        assert foreign.body["status_message"].replace("04OTHER", "") == nothing.body["status_message"].replace("NOTHING", "")
        assert (await ask("POST", f"{tokens}/04AABBCC/authorize", "nobody")).status == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "location_id"),
        ({"location_id": None, "evse_uids": ["E1"]}, "location_id"),
        ({"location_id": {}}, "location_id"),
        ([], ""),
    ],
)
async def test_a_place_that_cannot_be_understood_is_2001_by_the_name_of_the_field(both: Pair, body: Any, field: str) -> None:
    async with their_cpo(both) as (tokens, _, said):
        answer = await ask("POST", f"{tokens}/04AABBCC/authorize", said, body)
        assert (answer.status, answer.body["status_code"]) == (200, 2001), answer.body
        assert answer.body["status_message"].startswith(field)


async def test_a_place_whose_id_is_too_long_for_ocpi_is_not_repeated(both: Pair) -> None:
    async with their_cpo(both) as (tokens, _, said):
        answer = await ask("POST", f"{tokens}/04AABBCC/authorize", said, {"location_id": "L" * 40})
        assert answer.body["data"] == {"allowed": "ALLOWED"}


async def test_our_two_sides_ask_and_answer_each_other(both: Pair) -> None:
    await both.emsp.admin("PUT", "/tokens/DE-EMS/04AABBCC", token("04AABBCC", "DE-EMS-C1-X") | {"whitelist": "NEVER"})
    await both.connected()
    async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
        await station.boot()

        async def heard(expected: str) -> None:
            deadline = monotonic() + 10
            while (said := await authorized(station, "04aabbcc")) != expected and monotonic() < deadline:
                pass  # the token is on its way
            assert said == expected

        await heard("Accepted")
        await both.emsp.admin("PUT", "/tokens/DE-EMS/04AABBCC", token("04AABBCC", "DE-EMS-C1-X") | {"valid": False})
        await heard("Blocked")
