"""What roaming partners pull: pages as OCPI 2.1.1 wants them, with nothing in them that is not theirs to see."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from api.house import House, furnish, open_house, place
from api.partners import ALL, CPO, EMSP, cdr, connect, location, tariff, token, with_emsp
from api.partners import session as said_session
from api.stock import cdr as made_cdr
from api.stock import keep_session, session
from chargewire.charging.session import SessionStatus
from chargewire.journal.memory import Ref, Unit, Write
from chargewire.protocols.ocpi.v211 import cdrs, locations, sessions, tariffs, tokens

TARIFF: dict[str, Any] = {"currency": "EUR", "elements": [{"price_components": [{"type": "FLAT", "price": 1, "step_size": 1}]}]}


async def pages(house: House, url: str, token: str) -> list[Any]:
    """All answers of a crawl along `Link`."""
    found, following = [], url
    while following:
        found.append(await house.get(following, token))
        assert found[-1].status == 200, found[-1].body
        following = found[-1].next or ""
    return found


async def ids(house: House, url: str, token: str, name: str = "id") -> list[str]:
    return [each[name] for page in await pages(house, url, token) for each in page.data]


@pytest.fixture
async def partner(each_house: House) -> str:
    """The token of an eMSP, DE-EMS, that our CPO NL-AAA is connected with."""
    return await connect(each_house, "CPO", "NL-AAA", "DE-EMS")


async def test_pages_carry_the_headers_that_the_specification_wants(each_house: House, partner: str) -> None:
    for number in range(4):
        await each_house.put(f"locations/MORE-{number}", place("NL-AAA", f"CS-M{number}"))
    url = f"{CPO}/locations?date_from=2020-01-01T00:00:00Z&limit=2&whatever=1"
    first = await each_house.get(url, partner)
    assert (first.headers["x-limit"], first.headers["x-total-count"], len(first.data)) == ("2", "5", 2)
    link = first.headers["link"]
    assert link.endswith('; rel="next"')
    following = urlsplit(link[1 : link.index(">")])
    assert (following.scheme, following.netloc, following.path) == ("http", "chargewire.test", f"{CPO}/locations")
    asked = parse_qs(following.query)
    assert (asked["date_from"], asked["limit"], asked["offset"]) == (["2020-01-01T00:00:00Z"], ["2"], ["2"])
    found = await pages(each_house, url, partner)
    assert [len(page.data) for page in found] == [2, 2, 1]
    assert {page.headers["x-limit"] for page in found} == {"2"}
    assert "link" not in found[-1].headers
    by_offset = [(await each_house.get(f"{url}&offset={offset}", partner)).data for offset in (0, 2, 4)]
    assert [page.data for page in found] == by_offset


async def test_a_limit_beyond_ours_becomes_ours(each_house: House, partner: str) -> None:
    assert (await each_house.get(f"{CPO}/locations?limit=5000", partner)).headers["x-limit"] == "1000"
    assert (await each_house.get(f"{CPO}/locations", partner)).headers["x-limit"] == "100"


@pytest.mark.parametrize("module", ["locations", "sessions", "cdrs", "tariffs"])
async def test_a_trailing_slash_head_and_doubled_slashes_change_nothing(each_house: House, partner: str, module: str) -> None:
    plain = await each_house.get(f"{CPO}/{module}?{ALL}", partner)
    assert plain.status == 200
    for path in (f"{CPO}/{module}/", f"{CPO}//{module}"):
        again = await each_house.get(f"{path}?{ALL}", partner)
        assert (again.status, again.data) == (200, plain.data)
    head = await each_house.ask("HEAD", f"{CPO}/{module}?{ALL}", partner)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["x-total-count"] == plain.headers["x-total-count"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "date_from"),
        ("date_from=", "date_from"),
        ("date_from=yesterday", "date_from"),
        (f"{ALL}&date_to=never", "date_to"),
        (f"{ALL}&limit=0", "limit"),
        (f"{ALL}&limit=many", "limit"),
        (f"{ALL}&offset=-1", "offset"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(house: House, query: str, named: str) -> None:
    partner = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    answer = await house.get(f"{CPO}/sessions?{query}", partner)
    assert (answer.status, answer.json["status_code"]) == (200, 2001)
    assert answer.json["status_message"].startswith(f"{named}:")


async def test_date_from_is_inclusive_and_date_to_is_not(each_house: House, partner: str) -> None:
    stored = await each_house.journal.get(Ref("location", "NL-AAA", "LOC-A"))
    assert stored is not None
    second = (await each_house.get(f"{CPO}/locations/LOC-A", partner)).data["last_updated"]
    assert await ids(each_house, f"{CPO}/locations?date_from={second}", partner) == ["LOC-A"]
    assert await ids(each_house, f"{CPO}/locations?date_to={second}", partner) == []


async def test_a_crawl_loses_nothing_while_objects_are_made_and_changed(each_house: House, partner: str) -> None:
    for number in range(10):
        await each_house.put(f"tariffs/NL-AAA/T{number}", TARIFF)
    seen, following, number = [], f"{CPO}/tariffs?{ALL}&limit=3", 10
    totals = []
    while following:
        page = await each_house.get(following, partner)
        seen += [each["id"] for each in page.data]
        totals.append(int(page.headers["x-total-count"]))
        following = page.next or ""
        if following and number < 16:
            await each_house.put(f"tariffs/NL-AAA/T{number}", TARIFF)
            await each_house.put(f"tariffs/NL-AAA/T{number - 10}", {**TARIFF, "currency": "CHF"})
            number += 1
    assert sorted(seen) == sorted(set(seen))
    assert set(seen) == {f"T{each}" for each in range(number)}
    assert totals == sorted(totals)
    assert totals[-1] == number > 12


async def test_objects_that_leave_the_filter_make_the_crawl_miss_none(each_house: House, partner: str) -> None:
    for number in range(9):
        await each_house.put(f"tariffs/NL-AAA/T{number}", TARIFF)
    await asyncio.sleep(1.1)
    until = f"{each_house.registry.now().isoformat(timespec='seconds')[:19]}Z"
    first = await each_house.get(f"{CPO}/tariffs?date_to={until}&limit=3", partner)
    for number in range(3):  # those of the first page are updated, and so no longer before date_to
        await each_house.put(f"tariffs/NL-AAA/T{number}", {**TARIFF, "currency": "CHF"})
    assert first.next is not None
    rest = await ids(each_house, first.next, partner)
    assert [each["id"] for each in first.data] + rest == [f"T{each}" for each in range(9)]


async def test_everything_listed_is_strict_2_1_1(each_house: House, partner: str) -> None:
    await with_emsp(each_house, "NL-OUR", "04AA", "04BB")
    emsp = await connect(each_house, "EMSP", "NL-OUR", "DE-CPO")
    await each_house.put("tariffs/NL-AAA/T1", TARIFF)
    await keep_session(each_house.journal, "NL-AAA", session("s-done", emsp="DE-EMS"))
    running = session("s-running", emsp="DE-EMS", status=SessionStatus.ACTIVE, stopped=None)
    await keep_session(each_house.journal, "NL-AAA", running)
    lists: list[tuple[str, str, Any, int]] = [
        (f"{CPO}/locations", partner, locations.Location, 1),
        (f"{CPO}/sessions?{ALL}", partner, sessions.Session, 2),
        (f"{CPO}/cdrs", partner, cdrs.Cdr, 1),
        (f"{CPO}/tariffs", partner, tariffs.Tariff, 1),
        (f"{EMSP}/tokens", emsp, tokens.Token, 2),
    ]
    for url, caller, kind, count in lists:
        data = (await each_house.get(url, caller)).data
        assert len(msgspec.convert(data, list[kind], strict=True)) == count, url
        known = {field.encode_name for field in msgspec.structs.fields(kind)}
        assert all(set(each) <= known for each in data), url


async def test_running_sessions_are_listed(each_house: House, partner: str) -> None:
    for status in SessionStatus:
        made = session(f"s-{status.value}", emsp="DE-EMS", status=status)
        await keep_session(each_house.journal, "NL-AAA", made)
    found = (await each_house.get(f"{CPO}/sessions?{ALL}", partner)).data
    assert {each["status"] for each in found} == {"PENDING", "ACTIVE", "COMPLETED", "INVALID"}


async def test_sessions_and_cdrs_are_those_of_the_partners_drivers(each_house: House, partner: str) -> None:
    other = await connect(each_house, "CPO", "NL-AAA", "FR-OTH")
    elsewhere = await connect(each_house, "CPO", "NL-BBB", "DE-EMS")
    for owner, emsp, name in (
        ("NL-AAA", "DE-EMS", "mine"),
        ("NL-AAA", "FR-OTH", "theirs"),
        ("NL-AAA", None, "nobodys"),
        ("NL-BBB", "DE-EMS", "at-b"),
    ):
        await keep_session(each_house.journal, owner, session(name, emsp=emsp))
    for caller, name in ((partner, "mine"), (other, "theirs"), (elsewhere, "at-b")):
        assert await ids(each_house, f"{CPO}/sessions?{ALL}&limit=1", caller) == [name]
        page = await each_house.get(f"{CPO}/cdrs", caller)
        assert [each["id"] for each in page.data] == [f"{name}-cdr"]
        assert page.headers["x-total-count"] == "1"


async def test_a_credit_is_not_shown_and_what_replaces_the_cdr_says_so(each_house: House, partner: str) -> None:
    await keep_session(each_house.journal, "NL-AAA", session("one", emsp="DE-EMS"))
    original = made_cdr(session("one", emsp="DE-EMS"))
    credit = msgspec.structs.replace(original, id="one-credit", credit=True, credit_of=original.id)
    instead = msgspec.structs.replace(original, id="one-new", replaces=original.id)
    writes = [
        Write(ref=Ref("cdr", "NL-AAA", each.id), content=each, expect=0, counterparty="DE-EMS", state=state)
        for each, state in ((credit, "credit"), (instead, ""))
    ]
    await each_house.journal.append(Unit(place="LOC-A", writes=writes))
    page = await each_house.get(f"{CPO}/cdrs", partner)
    assert [each["id"] for each in page.data] == ["one-cdr", "one-new"]
    assert page.headers["x-total-count"] == "2"
    assert page.data[1]["remark"].startswith("replaces one-cdr")


async def test_our_own_ids_may_hold_a_slash(each_house: House, partner: str) -> None:
    await with_emsp(each_house, "NL-OUR", "04/AA")
    emsp = await connect(each_house, "EMSP", "NL-OUR", "DE-CPO")
    slashed = place("NL-AAA", "CS-A")
    slashed["stations"][0]["evses"][0]["uid"] = "E/1"
    await each_house.put("locations/LOC-A", slashed)
    assert (await each_house.get(f"{CPO}/locations/LOC-A/E%2F1", partner)).data["uid"] == "E/1"
    assert (await each_house.get(f"{CPO}/locations/LOC-A/E%2F1/1", partner)).data["id"] == "1"
    assert (await each_house.ask("POST", f"{EMSP}/tokens/04%2FAA/authorize", emsp)).data == {"allowed": "ALLOWED"}


async def test_unpublished_locations_are_never_shown_but_to_the_cpos_own_subscriptions(each_house: House, partner: str) -> None:
    own = await each_house.subscribe("NL-AAA")
    await each_house.put("locations/SECRET", place("NL-AAA", "CS-S", publish=False))
    assert await ids(each_house, f"{CPO}/locations", partner) == ["LOC-A"]
    assert (await each_house.get(f"{CPO}/locations", partner)).headers["x-total-count"] == "1"
    for path in ("SECRET", "SECRET/NL-AAA-ECS-S-1", "SECRET/NL-AAA-ECS-S-1/1"):
        hidden = await each_house.get(f"{CPO}/locations/{path}", partner)
        unknown = await each_house.get(f"{CPO}/locations/{path}".replace("SECRET", "NOWHERE"), partner)
        assert (hidden.status, hidden.json["status_code"]) == (404, 2003)
        assert hidden.json["status_message"].replace("SECRET", "NOWHERE") == unknown.json["status_message"]
    assert await ids(each_house, "/api/1.0/locations", own) == ["LOC-A", "SECRET"]
    await each_house.put("locations/SECRET", place("NL-AAA", "CS-S", publish=True))
    assert await ids(each_house, f"{CPO}/locations", partner) == ["LOC-A", "SECRET"]
    await each_house.put("locations/SECRET", place("NL-AAA", "CS-S", publish=False))
    assert await ids(each_house, f"{CPO}/locations", partner) == ["LOC-A"]


async def test_a_location_without_a_valid_evse_is_not_listed_but_can_be_read(each_house: House, partner: str) -> None:
    await each_house.put("locations/LOC-A", {**place("NL-AAA", "CS-A"), "stations": []})
    assert await ids(each_house, f"{CPO}/locations", partner) == []
    alone = (await each_house.get(f"{CPO}/locations/LOC-A", partner)).data
    assert {each["status"] for each in alone["evses"]} == {"REMOVED"}
    await each_house.put("locations/LOC-A", place("NL-AAA", "CS-A"))
    assert await ids(each_house, f"{CPO}/locations", partner) == ["LOC-A"]
    await each_house.put("locations/EMPTY", {**place("NL-AAA", "CS-E"), "stations": []})
    assert (await each_house.get(f"{CPO}/locations/EMPTY", partner)).status == 404


async def test_a_removed_evse_is_shown_within_its_location(each_house: House, partner: str) -> None:
    smaller = place("NL-AAA", "CS-A")
    smaller["stations"][0]["evses"] = smaller["stations"][0]["evses"][:1]
    await each_house.put("locations/LOC-A", smaller)
    (shown,) = (await each_house.get(f"{CPO}/locations", partner)).data
    assert [each["status"] == "REMOVED" for each in shown["evses"]] == [False, True]


async def test_a_location_whose_last_station_goes_elsewhere_is_no_longer_listed(each_house: House, partner: str) -> None:
    await each_house.put("locations/LOC-C", place("NL-AAA", "CS-A"))  # takes the station of LOC-A along
    assert await ids(each_house, f"{CPO}/locations", partner) == ["LOC-C"]
    moved = await each_house.put("locations/LOC-C", place("NL-BBB", "CS-A"))
    assert moved
    assert await ids(each_house, f"{CPO}/locations", partner) == []
    tombstone = (await each_house.get(f"{CPO}/locations/LOC-C", partner)).data
    assert {each["status"] for each in tombstone["evses"]} == {"REMOVED"}


async def test_only_wholesale_tariffs_are_shown(each_house: House, partner: str) -> None:
    for kind in ("wholesale", "retail", "reimbursement"):
        await each_house.put(f"tariffs/NL-AAA/{kind}", {**TARIFF, "kind": kind})
    await each_house.put("tariffs/NL-BBB/foreign", TARIFF)
    assert await ids(each_house, f"{CPO}/tariffs", partner) == ["wholesale"]


async def test_each_role_has_its_own_lists(house: House) -> None:
    await with_emsp(house, "NL-OUR", "04AA")
    cpo = await connect(house, "CPO", "NL-AAA", "DE-EMS")
    emsp = await connect(house, "EMSP", "NL-OUR", "DE-CPO")
    assert (await house.get(f"{CPO}/locations", emsp)).status == 401
    assert (await house.get(f"{EMSP}/tokens", cpo)).status == 401
    assert await ids(house, f"{EMSP}/tokens", emsp, "uid") == ["04AA"]
    assert (await house.get(f"{CPO}/locations", await house.subscribe())).status == 401
    assert (await house.get("/api/1.0/locations", cpo)).status == 401


async def test_a_link_of_another_partner_gives_nothing_of_that_partner(house: House) -> None:
    one, two = [await connect(house, "CPO", "NL-AAA", party) for party in ("DE-EMS", "FR-OTH")]
    for number in range(3):
        await keep_session(house.journal, "NL-AAA", session(f"s{number}", emsp="DE-EMS"))
    first = await house.get(f"{CPO}/sessions?{ALL}&limit=1", one)
    stolen = await house.get(first.next or "", two)
    assert (stolen.data, stolen.headers["x-total-count"]) == ([], "0")


async def test_an_operator_reads_what_partners_wrote(each_house: House) -> None:
    await with_emsp(each_house)
    cpo = await connect(each_house, "EMSP", "NL-OUR", "DE-CPO", id="as-emsp")
    emsp = await connect(each_house, "CPO", "NL-AAA", "DE-EMS", id="as-cpo")
    base = f"{EMSP}/{{}}/DE/CPO"
    for number in range(3):
        await each_house.ask("PUT", f"{base.format('locations')}/L{number}", cpo, location(f"L{number}", name=None))
    await each_house.ask("PUT", f"{base.format('sessions')}/S1", cpo, said_session(kwh="1.5"))
    await each_house.ask("PUT", f"{base.format('tariffs')}/T1", cpo, tariff())
    await each_house.ask("POST", f"{EMSP}/cdrs", cpo, cdr())
    await each_house.ask("PUT", f"{CPO}/tokens/DE/EMS/04AB", emsp, token())
    first = (await each_house.admin("GET", "partners/as-emsp/locations?limit=2")).json
    rest = (await each_house.admin("GET", f"partners/as-emsp/locations?limit=2&cursor={first['next']}")).json
    assert [each["id"] for each in first["data"] + rest["data"]] == ["L0", "L1", "L2"]
    assert rest["next"] is None
    assert first["data"][0]["object"] == location("L0", name=None)
    (kept,) = (await each_house.admin("GET", "partners/as-emsp/sessions")).json["data"]
    assert (kept["object"]["kwh"], kept["flags"]) == ("1.5", ["number-as-text:kwh"])
    for path in ("as-emsp/tariffs", "as-emsp/cdrs", "as-cpo/tokens"):
        assert len((await each_house.admin("GET", f"partners/{path}")).json["data"]) == 1, path
    for path in ("as-emsp/tokens", "as-emsp/commands", "as-emsp/nothing", "as-cpo/cdrs", "nobody/cdrs"):
        assert (await each_house.admin("GET", f"partners/{path}")).status == 404, path


async def test_large_pages_come_whole() -> None:
    async with open_house() as house:
        await furnish(house)
        partner = await connect(house, "CPO", "NL-AAA", "DE-EMS")
        for number in range(230):
            await keep_session(house.journal, "NL-AAA", session(f"s{number:03}", emsp="DE-EMS"))
        assert len((await house.get(f"{CPO}/cdrs?limit=1000", partner)).data) == 230
        assert await ids(house, f"{CPO}/cdrs?limit=60", partner) == [f"s{number:03}-cdr" for number in range(230)]


async def test_a_roaming_connection_is_not_ended_as_if_it_were_a_platform_subscription(house: House) -> None:
    token = await connect(house, "CPO", "NL-AAA", "DE-EMS", id="conn")
    answer = await house.admin("DELETE", "subscriptions/conn")
    assert (answer.status, "/admin/v1/partners" in answer.json["detail"]) == (422, True)
    assert (await house.get("/ocpi/cpo/versions", token)).status == 200
