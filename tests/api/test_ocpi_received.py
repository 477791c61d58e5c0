"""What roaming partners write: every verb of OCPI 2.1.1 on what they own, at every level."""

import asyncio
from collections.abc import Awaitable
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from api.house import Answer, House
from api.partners import CPO, EMSP, at, cdr, connect, connector, evse, location, session, tariff, token, with_emsp
from chargewire.protocols.ocpi.v211.locations import Location
from chargewire.protocols.ocpi.v211.reading import understood
from chargewire.roaming.receiving import expire_location, keep

HOME = f"{EMSP}/locations/DE/CPO"


@pytest.fixture
async def partner(each_house: House) -> str:
    """The token of a CPO, DE-CPO, that our eMSP is connected with."""
    await with_emsp(each_house)
    return await connect(each_house, "EMSP", "NL-OUR", "DE-CPO", id="conn")


def codes(answer: Answer) -> tuple[int, int]:
    assert {"status_code", "timestamp"} <= answer.json.keys()
    return answer.status, answer.json["status_code"]


async def write(house: House, method: str, url: str, token: str, body: Any = None) -> tuple[int, int]:
    return codes(await house.ask(method, url, token, body))


async def test_a_location_is_kept_as_it_was_said(each_house: House, partner: str) -> None:
    said = location(name=None, directions=[], nltnm_extra={"deep": [1, 2.5, None, "ö"]}, last_updated="2026-11-24T08:00:00.5Z")
    assert await write(each_house, "PUT", f"{HOME}/L1", partner, said) == (201, 1000)
    assert (await each_house.get(f"{HOME}/L1", partner)).data == said
    assert await write(each_house, "PUT", f"{HOME}/L1", partner, said) == (200, 1000)
    assert (await each_house.get(f"{HOME}/L1/E1", partner)).data == said["evses"][0]
    assert (await each_house.get(f"{HOME}/L1/E1/1", partner)).data == said["evses"][0]["connectors"][0]


async def test_what_happens_below_raises_the_times_above(each_house: House, partner: str) -> None:
    await write(each_house, "PUT", f"{HOME}/L1", partner, location(second=10))
    assert await write(each_house, "PATCH", f"{HOME}/L1/E1", partner, {"status": "CHARGING", "last_updated": at(20)}) == (
        200,
        1000,
    )
    here = (await each_house.get(f"{HOME}/L1", partner)).data
    assert (here["last_updated"], here["evses"][0]["last_updated"]) == (at(20), at(20))
    assert here["evses"][0]["connectors"][0]["last_updated"] == at(10)
    await write(each_house, "PATCH", f"{HOME}/L1/E1/1", partner, {"amperage": 16, "last_updated": at(30)})
    here = (await each_house.get(f"{HOME}/L1", partner)).data
    assert (here["last_updated"], here["evses"][0]["last_updated"]) == (at(30), at(30))
    assert here["evses"][0]["connectors"][0]["amperage"] == 16
    assert here["evses"][0]["status"] == "CHARGING"


async def test_a_new_evse_or_connector_comes_by_put_at_its_own_address(each_house: House, partner: str) -> None:
    await write(each_house, "PUT", f"{HOME}/L1", partner, location())
    assert await write(each_house, "PUT", f"{HOME}/L1/E2", partner, evse("E2", 5)) == (201, 1000)
    assert await write(each_house, "PUT", f"{HOME}/L1/E2", partner, evse("E2", 6)) == (200, 1000)
    assert await write(each_house, "PUT", f"{HOME}/L1/E2/9", partner, connector("9", 7)) == (201, 1000)
    here = (await each_house.get(f"{HOME}/L1", partner)).data
    assert [each["uid"] for each in here["evses"]] == ["E1", "E2"]
    assert [each["id"] for each in here["evses"][1]["connectors"]] == ["1", "9"]
    assert here["last_updated"] == at(7)


async def test_a_removed_evse_stays(each_house: House, partner: str) -> None:
    await write(each_house, "PUT", f"{HOME}/L1", partner, location())
    await write(each_house, "PATCH", f"{HOME}/L1/E1", partner, {"status": "REMOVED", "last_updated": at(9)})
    assert (await each_house.get(f"{HOME}/L1", partner)).data["evses"][0]["status"] == "REMOVED"


@pytest.mark.parametrize(
    ("method", "path", "body", "answer"),
    [
        ("PUT", "NOT/E1", evse(), (404, 2003)),
        ("PATCH", "NOT/E1", {"status": "CHARGING"}, (404, 2003)),
        ("PUT", "NOT/E1/1", connector(), (404, 2003)),
        ("PATCH", "NOT", {"name": "x"}, (404, 2003)),
        ("PATCH", "L1/NOT", {"status": "CHARGING"}, (404, 2000)),
        ("PUT", "L1/NOT/1", connector(), (404, 2000)),
        ("PATCH", "L1/E1/NOT", {"amperage": 1}, (404, 2000)),
        ("PUT", "L1", location("L2"), (200, 2001)),
        ("PUT", "L1/E1", evse("E2"), (200, 2001)),
        ("PATCH", "L1", {"id": "L2"}, (200, 2001)),
        ("PATCH", "L1/E1", {"uid": "E2"}, (200, 2001)),
        ("PATCH", "L1/E1/1", {"id": "2"}, (200, 2001)),
        ("PATCH", "L1", {"coordinates": 7}, (200, 2001)),
        ("PATCH", "L1", ["name"], (200, 2001)),
        ("PUT", "L1", b"{", (400, 2001)),
        ("PUT", "L1", b"", (400, 2001)),
        ("POST", "L1", location(), (405, 2000)),
        ("DELETE", "L1", None, (405, 2000)),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    house: House, method: str, path: str, body: Any, answer: tuple[int, int]
) -> None:
    await with_emsp(house)
    partner = await connect(house, "EMSP", "NL-OUR", "DE-CPO")
    await write(house, "PUT", f"{HOME}/L1", partner, location())
    assert await write(house, method, f"{HOME}/{path}", partner, body) == answer
    assert (await house.get(f"{HOME}/L1", partner)).data == location()


async def test_a_refusal_names_the_field(house: House) -> None:
    await with_emsp(house)
    partner = await connect(house, "EMSP", "NL-OUR", "DE-CPO")
    wrong = location(evses=[evse(connectors=[connector(power_type="STEAM")])])
    answer = await house.ask("PUT", f"{HOME}/L1", partner, wrong)
    assert answer.json["status_message"].startswith("evses[0].connectors[0].power_type:")


async def test_an_older_object_does_not_replace_a_newer_one(each_house: House, partner: str) -> None:
    await write(each_house, "PUT", f"{HOME}/L1", partner, location(second=50))
    answer = await each_house.ask("PUT", f"{HOME}/L1", partner, location(second=40, name="stale"))
    assert codes(answer) == (200, 1000)
    assert "newer" in answer.json["status_message"]
    await write(each_house, "PATCH", f"{HOME}/L1/E1", partner, {"status": "CHARGING", "last_updated": at(60)})
    await write(each_house, "PATCH", f"{HOME}/L1/E1", partner, {"status": "BLOCKED", "last_updated": at(55)})
    here = (await each_house.get(f"{HOME}/L1", partner)).data
    assert "name" not in here
    assert here["evses"][0]["status"] == "CHARGING"


async def test_a_location_pushed_after_a_status_with_a_later_time_is_not_older_for_what_it_holds(
    each_house: House, partner: str
) -> None:
    """A sender that does not ripple: the location's own time stays, that of its EVSE is the newest."""
    await write(each_house, "PUT", f"{HOME}/L1", partner, location(second=10))
    await write(each_house, "PATCH", f"{HOME}/L1/E1", partner, {"status": "CHARGING", "last_updated": at(20)})
    again = location(second=10, name="Resync", evses=[evse(second=20, status="CHARGING")])
    await write(each_house, "PUT", f"{HOME}/L1", partner, again)
    assert (await each_house.get(f"{HOME}/L1", partner)).data == again


async def test_a_time_that_was_ahead_of_the_clock_does_not_block_for_ever(each_house: House, partner: str) -> None:
    await write(each_house, "PUT", f"{EMSP}/tariffs/DE/CPO/T1", partner, tariff(last_updated="2099-01-01T00:00:00Z"))
    now = f"{each_house.registry.now().isoformat(timespec='seconds')[:-6].replace('2026', '2098')}Z"
    said = tariff(currency="CHF", last_updated=now)
    await write(each_house, "PUT", f"{EMSP}/tariffs/DE/CPO/T1", partner, said)
    assert (await each_house.get(f"{EMSP}/tariffs/DE/CPO/T1", partner)).data["currency"] == "CHF"


async def test_a_patch_without_a_time_is_taken_and_invents_none(each_house: House, partner: str) -> None:
    await write(each_house, "PUT", f"{HOME}/L1", partner, location(second=10))
    await write(each_house, "PATCH", f"{HOME}/L1/E1", partner, {"status": "CHARGING"})
    here = (await each_house.get(f"{HOME}/L1", partner)).data
    assert (here["evses"][0]["status"], here["last_updated"]) == ("CHARGING", at(10))


async def test_a_completed_session_changes_no_more(each_house: House, partner: str) -> None:
    url = f"{EMSP}/sessions/DE/CPO/S1"
    assert await write(each_house, "PATCH", url, partner, {"kwh": 2}) == (404, 2000)
    assert await write(each_house, "PUT", url, partner, session(x_more=1)) == (201, 1000)
    assert await write(each_house, "PATCH", url, partner, {"kwh": 2.5, "last_updated": at(5)}) == (200, 1000)
    done = session(kwh=3, x_more=1, status="COMPLETED", end_datetime=at(9), second=9)
    assert await write(each_house, "PUT", url, partner, done) == (200, 1000)
    assert await write(each_house, "PUT", url, partner, done) == (200, 1000)
    assert await write(each_house, "PUT", url, partner, done | {"last_updated": at(30)}) == (200, 1000)
    assert await write(each_house, "PATCH", url, partner, {"kwh": 4, "last_updated": at(31)}) == (200, 2001)
    assert await write(each_house, "PUT", url, partner, done | {"status": "ACTIVE", "last_updated": at(32)}) == (200, 2001)
    assert (await each_house.get(url, partner)).data == done


async def test_a_cdr_is_kept_once_and_can_be_read_where_the_answer_says(each_house: House, partner: str) -> None:
    for cdr_id in ("C1", "a/b c?d#e%41", "~tilde", "..", "ünï"):
        said = cdr(cdr_id, x_own={"a": None})
        first = await each_house.ask("POST", f"{EMSP}/cdrs", partner, said)
        assert codes(first) == (201, 1000)
        place = first.headers["location"]
        assert place.startswith("http://chargewire.test/ocpi/emsp/2.1.1/cdrs/")
        again = await each_house.ask("POST", f"{EMSP}/cdrs", partner, said)
        assert (codes(again), again.headers["location"]) == ((200, 1000), place)
        other = await each_house.ask("POST", f"{EMSP}/cdrs/", partner, {**said, "total_cost": 99})
        assert (codes(other), "location" in other.headers) == ((200, 2001), False)
        assert (await each_house.get(place.removeprefix("http://chargewire.test"), partner)).data == said
    assert codes(await each_house.get(f"{EMSP}/cdrs/none", partner)) == (404, 2000)
    assert codes(await each_house.get(f"{EMSP}/cdrs/~!!", partner)) == (404, 2000)


async def test_a_tariff_is_replaced_changed_and_deleted(each_house: House, partner: str) -> None:
    url = f"{EMSP}/tariffs/DE/CPO/T1"
    assert await write(each_house, "DELETE", url, partner) == (404, 2000)
    assert await write(each_house, "PUT", url, partner, tariff()) == (201, 1000)
    assert await write(each_house, "PATCH", url, partner, {"tariff_alt_url": "https://x.example", "last_updated": at(3)}) == (
        200,
        1000,
    )
    assert (await each_house.get(url, partner)).data == tariff(second=3, tariff_alt_url="https://x.example")
    assert await write(each_house, "DELETE", url, partner) == (200, 1000)
    assert codes(await each_house.get(url, partner)) == (404, 2000)
    assert await write(each_house, "PUT", url, partner, tariff()) == (201, 1000)


async def test_a_token_is_written_changed_and_made_invalid(each_house: House) -> None:
    partner = await connect(each_house, "CPO", "NL-AAA", "DE-EMS")
    url = f"{CPO}/tokens/DE/EMS/04AB"
    assert await write(each_house, "PATCH", url, partner, {"valid": False}) == (404, 2000)
    said = token(visual_number="DF-000-001", language="de")
    assert await write(each_house, "PUT", url, partner, said) == (201, 1000)
    assert (await each_house.get(url, partner)).data == said
    assert await write(each_house, "PATCH", url, partner, {"valid": False, "last_updated": at(8)}) == (200, 1000)
    assert (await each_house.get(url, partner)).data == {**said, "valid": False, "last_updated": at(8)}
    assert await write(each_house, "PUT", url, partner, said) == (200, 1000)  # older: a blocked card stays blocked
    assert (await each_house.get(url, partner)).data["valid"] is False
    assert await write(each_house, "PATCH", url, partner, {"whitelist": "NEVER"}) == (200, 1000)
    assert (await each_house.get(url, partner)).data["last_updated"] == at(8)


async def test_the_type_of_a_token_may_be_asked_for(house: House) -> None:
    partner = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    url = f"{CPO}/tokens/DE/EMS/04AB"
    assert await write(house, "PUT", f"{url}?type=OTHER", partner, token()) == (200, 2001)
    assert await write(house, "PUT", f"{url}?type=RFID", partner, token()) == (201, 1000)
    assert codes(await house.get(f"{url}?type=rfid", partner)) == (200, 1000)
    assert codes(await house.get(f"{url}?type=OTHER", partner)) == (404, 2000)
    assert codes(await house.get(f"{url}?type=APP", partner)) == (200, 2001)


async def test_what_our_operator_says_of_a_partners_token_survives_the_partners_push(house: House) -> None:
    partner = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    await house.put(
        "tokens/DE-EMS/04AB", {"auth_id": "DE-EMS-1", "customer_id": "fleet-7", "expires_at": "2027-01-01T00:00:00Z"}
    )
    await write(house, "PUT", f"{CPO}/tokens/DE/EMS/04ab", partner, token("04ab"))
    kept = (await house.admin("GET", "tokens/DE-EMS/04AB")).json
    assert (kept["customer_id"], kept["auth_id"]) == ("fleet-7", "DE-EMS-04ab")


async def test_a_partner_stays_a_partner_whatever_our_operator_says_of_its_tokens(house: House) -> None:
    await connect(house, "CPO", "NL-AAA", "DE-EMS")
    await house.put("tokens/DE-EMS/04AB", {"auth_id": "DE-EMS-1", "customer_id": "fleet-7"})
    assert house.directory.emsp("DE-EMS") is None
    refused = await house.admin("PUT", "emsps/DE-EMS", {"name": "Ours?", "network_ids": ["demo"]})
    assert (refused.status, refused.json["field"]) == (422, "party")


@pytest.mark.parametrize(
    ("role", "party", "theirs", "path", "body"),
    [
        ("EMSP", "NL-OUR", "DE-CPO", "locations/{}/X1", location("X1")),
        ("EMSP", "NL-OUR", "DE-CPO", "sessions/{}/X1", session("X1")),
        ("EMSP", "NL-OUR", "DE-CPO", "tariffs/{}/X1", tariff("X1")),
        ("CPO", "NL-AAA", "DE-CPO", "tokens/{}/X1", token("X1")),
    ],
)
async def test_a_partner_writes_and_reads_under_its_own_party_only(
    each_house: House, role: str, party: str, theirs: str, path: str, body: Any
) -> None:
    await with_emsp(each_house)
    base = f"/ocpi/{role.lower()}/2.1.1"
    one = await connect(each_house, role, party, theirs)
    other = await connect(each_house, role, party, "FR-OTH")
    assert await write(each_house, "PUT", f"{base}/{path.format('de/cpo')}", one, body) == (201, 1000)
    own, foreign = f"{base}/{path.format('FR/OTH')}", f"{base}/{path.format('DE/CPO')}"
    for method, sent in (("GET", None), ("PUT", body), ("PATCH", {"last_updated": at(3)})):
        there = await each_house.ask(method, foreign, other, sent)
        unknown = await each_house.ask(method, foreign.replace("DE/CPO", "XX/YYY"), other, sent)
        assert there.status == 404, method
        assert there.json | {"timestamp": ""} == unknown.json | {"timestamp": ""}
    assert codes(await each_house.get(own, other))[0] == 404
    assert (await each_house.get(foreign, one)).data == body


async def test_two_connections_with_the_same_partner_are_kept_apart(house: House) -> None:
    await with_emsp(house, "NL-OUR")
    await with_emsp(house, "NL-TWO")
    one = await connect(house, "EMSP", "NL-OUR", "DE-CPO")
    two = await connect(house, "EMSP", "NL-TWO", "DE-CPO")
    await write(house, "PUT", f"{EMSP}/tariffs/DE/CPO/T1", one, tariff())
    assert codes(await house.get(f"{EMSP}/tariffs/DE/CPO/T1", two)) == (404, 2000)


async def test_a_suspended_or_unregistered_partner_writes_nothing(house: House) -> None:
    await with_emsp(house)
    for state, status in (("suspended", 403), ("requested", 404)):
        partner = await connect(house, "EMSP", "NL-OUR", f"DE-{state[:3].upper()}", state=state)
        url = f"{EMSP}/tariffs/DE/{state[:3].upper()}/T1"
        assert (await house.ask("PUT", url, partner, tariff())).status == status


async def test_a_connection_that_is_not_about_a_module_has_none(house: House) -> None:
    await with_emsp(house)
    partner = await connect(house, "EMSP", "NL-OUR", "DE-CPO", modules=("locations",))
    assert (await house.ask("PUT", f"{EMSP}/tariffs/DE/CPO/T1", partner, tariff())).status == 404
    assert (await house.ask("PUT", f"{HOME}/L1", partner, location())).status == 201


async def test_a_location_that_was_gone_and_is_listed_again_is_back(each_house: House, partner: str) -> None:
    connection = each_house.directory.subscription("conn")
    assert connection is not None
    await write(each_house, "PUT", f"{HOME}/L1", partner, location(second=10))
    await expire_location(each_house.registry, connection, "L1")
    assert (await each_house.get(f"{HOME}/L1/E1", partner)).data == evse(second=10, status="REMOVED")
    await keep(each_house.registry, connection, "locations", understood(Location, location(second=10)))
    assert (await each_house.get(f"{HOME}/L1", partner)).data == location(second=10)


async def test_ids_may_hold_any_printable_character(each_house: House, partner: str) -> None:
    for name in ("NL/TNM/1", "a b?c#d%41", "50%2F50", "ünï"):
        there = quote(name, safe="")
        said = location(name, evses=[evse(name, connectors=[connector(name)])])
        assert await write(each_house, "PUT", f"{HOME}/{there}", partner, said) == (201, 1000)
        assert (await each_house.get(f"{HOME}/{there}", partner)).data == said
        assert (await each_house.get(f"{HOME}/{there}/{there}/{there}", partner)).data == connector(name)
        changed = await write(each_house, "PATCH", f"{HOME}/{there}/{there}", partner, {"status": "BLOCKED"})
        assert changed == (200, 1000)


async def test_pushes_that_come_at_once_all_count(each_house: House, partner: str) -> None:
    many = [f"E{number}" for number in range(40)]
    await write(each_house, "PUT", f"{HOME}/L1", partner, location(evses=[evse(uid) for uid in many]))
    changes = [({"status": "CHARGING", "last_updated": at(number)}) for number in range(40)]
    answers = await asyncio.gather(
        *(write(each_house, "PATCH", f"{HOME}/L1/{uid}", partner, change) for uid, change in zip(many, changes, strict=True)),
        *(each_house.ask("POST", f"{EMSP}/cdrs", partner, cdr("SAME")) for _ in range(20)),
    )
    assert set(answers[:40]) == {(200, 1000)}
    assert sorted(answer.status for answer in answers[40:]) == [200] * 19 + [201]
    here = (await each_house.get(f"{HOME}/L1", partner)).data
    assert {each["status"] for each in here["evses"]} == {"CHARGING"}
    assert here["last_updated"] == at(39)


async def test_what_no_database_can_hold_is_refused(each_house: House, partner: str) -> None:
    for value in ("a\0b", "\ud800"):
        body = msgspec.json.encode(tariff(x="@")).replace(
            b'"@"', ascii(value).replace("'", '"').replace("\\x00", "\\u0000").encode()
        )
        answer = await each_house.ask("PUT", f"{EMSP}/tariffs/DE/CPO/T1", partner, body)
        assert answer.json["status_code"] == 2001, (value, answer.body)
    assert (await each_house.get(f"{EMSP}/tariffs/DE/CPO/T1", partner)).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_others_get_their_turn_while_a_large_object_is_read(each_house: House, partner: str, method: str) -> None:
    large = location(evses=[evse(f"E{number}") for number in range(4000)])
    if method == "PATCH":
        assert await write(each_house, "PUT", f"{HOME}/L1", partner, large) == (201, 1000)
        large = {"name": "Köln"}
    assert await turns_during(write(each_house, method, f"{HOME}/L1", partner, large)) > 10


async def test_others_get_their_turn_while_a_token_with_much_beside_it_is_read(house: House) -> None:
    partner = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    large = token(x_more=[[]] * 1_000_000)
    assert await turns_during(write(house, "PUT", f"{CPO}/tokens/DE/EMS/04AB", partner, large)) > 10


async def turns_during(writing: Awaitable[tuple[int, int]]) -> int:
    """How often others get their turn until something is written."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    waiting = asyncio.create_task(others())
    await asyncio.sleep(0)
    assert (await writing)[1] == 1000
    waiting.cancel()
    return turns
