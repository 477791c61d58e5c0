"""Two subscriptions with different CPOs never see, count or infer each other's objects, at any endpoint that exists."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from api import partners as said
from api.house import Answer, House, furnish, open_house, place
from api.partners import ALL, CPO, EMSP, connect, with_emsp
from api.stock import keep_message, keep_reading, keep_session, session
from api.test_pull import SAMPLES, window
from chargewire.api.build import PULL, PULL_2
from chargewire.api.ocpi_routes import CPO as CPO_ROUTES
from chargewire.api.ocpi_routes import EMSP as EMSP_ROUTES
from chargewire.charging.session import SessionStatus

OWNERS = ("NL-AAA", "NL-BBB")


class Happening(Struct, frozen=True):
    """Something that a CPO's stations did."""

    owner: str
    kind: str  # location | session | running | reading | message


HAPPENINGS = st.lists(
    st.builds(
        Happening,
        owner=st.sampled_from(OWNERS),
        kind=st.sampled_from(["location", "session", "running", "reading", "message"]),
    ),
    max_size=14,
)


async def happen(house: House, happenings: list[Happening]) -> dict[str, set[str]]:
    """Make it so; gives, by owner, marks that appear in everything that belongs to it."""
    marks: dict[str, set[str]] = {owner: {f"LOC-{owner[-1]}", f"CS-{owner[-1]}"} for owner in OWNERS}
    for number, each in enumerate(happenings):
        mark, letter = f"{each.owner[-3:]}x{number}x", each.owner[-1]
        match each.kind:
            case "location":
                await house.put(f"locations/{mark}", place(each.owner, f"CS{mark}"))
            case "session" | "running":
                status = SessionStatus.COMPLETED if each.kind == "session" else SessionStatus.ACTIVE
                await keep_session(house.journal, each.owner, session(mark, f"CS-{letter}", "NL-EMS", status=status))
            case "reading":
                await keep_reading(house.journal, each.owner, f"CS-{letter}", number, SAMPLES)
            case _:
                await keep_message(house.journal, each.owner, f"CS-{letter}", number)
        marks[each.owner].add(mark)
    return marks


def lists(house: House) -> Iterator[str]:
    """The first page of every list that exists."""
    always = "date_from=2020-01-01T00:00:00Z"
    yield f"/api/1.0/locations?{always}"
    for status in ("", "&status=ACTIVE", "&status=COMPLETED,ACTIVE,INVALID,PENDING"):
        yield f"/api/1.0/sessions?{always}&limit=2{status}"
    for version in ("1.0", "2.0"):
        for path in ("cdrs", "cdrs/NL-EMS", "cdrs/NL-EMS/customer-1"):
            yield f"/api/{version}/{path}?limit=2"
    yield f"/api/1.0/metervalues?{window(house)}"
    yield f"/api/1.0/chargestationnotifications?{window(house)}"
    for letter in "AB":
        small = window(house).replace("limit=10000", "limit=3")
        yield f"/api/1.0/chargestationnotifications/CS-{letter}?{small}"


def test_every_list_and_every_single_object_is_looked_at_here() -> None:
    paths = {path for handler in (*PULL, *PULL_2) for path in handler.paths}
    assert paths == {
        "/sessions",
        "/cdrs",
        "/cdrs/{emsp:str}",
        "/cdrs/{emsp:str}/{customer:str}",
        "/locations",
        "/locations/{location_id:str}",
        "/locations/{location_id:str}/{evse_uid:str}",
        "/locations/{location_id:str}/{evse_uid:str}/{connector_id:str}",
        "/metervalues",
        "/chargestationnotifications",
        "/chargestationnotifications/{station_id:str}",
    }


async def crawl(house: House, url: str, token: str) -> list[Answer]:
    pages, following = [], url
    while following:
        pages.append(await house.get(following, token))
        following = pages[-1].next or ""
    return pages


def told(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """All that a caller learns, without the moment of the answer."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-complete-until", "content-length")}
    return answer.status, headers, re.sub(rb'"timestamp":"[^"]*"', b"", answer.body)


async def nothing_leaks(house: House, happenings: list[Happening]) -> None:
    marks = await happen(house, happenings)
    tokens = {owner: await house.subscribe(owner) for owner in OWNERS}
    whole = await house.subscribe()
    for url in lists(house):
        everything = await crawl(house, url, whole)
        parts = 0
        for owner, other in (OWNERS, OWNERS[::-1]):
            pages = await crawl(house, url, tokens[owner])
            text = b"".join(page.body for page in pages).decode()
            assert all(page.status == 200 for page in pages)
            assert not [mark for mark in marks[other] if f'"{mark}' in text], url
            count = sum(len(page.data) for page in pages)
            parts += count
            if "x-total-count" in pages[0].headers:
                assert {page.headers["x-total-count"] for page in pages} == {str(count)}, url
            for page in pages:
                if page.next is not None:
                    stolen = await house.get(page.next, tokens[other])
                    assert stolen.json["status_code"] == 2001, url
        assert parts == sum(len(page.data) for page in everything), url


async def foreign_is_unknown(house: House, owner: str, other: str) -> None:
    """What belongs to the other answers exactly as what does not exist."""
    token, letter = await house.subscribe(owner), other[-1]
    small = window(house).replace("limit=10000", "limit=3")
    pairs: list[tuple[str, str]] = [
        (f"/api/1.0/locations/LOC-{letter}", "/api/1.0/locations/LOC-Q"),
        (f"/api/1.0/locations/LOC-{letter}/{other}-ECS-{letter}-1", "/api/1.0/locations/LOC-Q/XX-XXX-ECS-Q-1"),
        (f"/api/1.0/locations/LOC-{letter}/{other}-ECS-{letter}-1/1", "/api/1.0/locations/LOC-Q/XX-XXX-ECS-Q-1/1"),
        (f"/api/1.0/chargestationnotifications/CS-{letter}?{small}", f"/api/1.0/chargestationnotifications/CS-Q?{small}"),
        ("/api/1.0/cdrs/NL-EMS/customer-other", "/api/1.0/cdrs/NL-EMS/customer-none"),
    ]
    for foreign, unknown in pairs:
        status, headers, body = told(await house.get(foreign, token))
        assert (status, headers, body.replace(f"LOC-{letter}".encode(), b"LOC-Q")) == told(await house.get(unknown, token))


async def _scenario(happenings: list[Happening]) -> None:
    async with open_house() as house:
        await furnish(house)
        await nothing_leaks(house, happenings)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HAPPENINGS)
def test_nothing_of_one_is_seen_or_counted_by_the_other(happenings: list[Happening]) -> None:
    asyncio.run(_scenario(happenings))


BUSY: list[Any] = [
    Happening(owner, kind) for kind in ("location", "session", "running", "reading", "message") for owner in OWNERS
]


async def test_nothing_of_one_is_seen_or_counted_by_the_other_on_either_engine(each_house: House) -> None:
    await nothing_leaks(each_house, [*BUSY, *BUSY, *BUSY])


@pytest.mark.parametrize(("owner", "other"), [OWNERS, OWNERS[::-1]])
async def test_what_belongs_to_the_other_answers_as_what_does_not_exist(each_house: House, owner: str, other: str) -> None:
    await happen(each_house, BUSY)
    await foreign_is_unknown(each_house, owner, other)


OWN = {"versions", "2.1.1", "2.1.1/credentials"}  # what a partner reads of its own connection
OCPI_LISTS = {
    "cpo": ("2.1.1/locations", "2.1.1/sessions", "2.1.1/cdrs", "2.1.1/tariffs"),
    "emsp": ("2.1.1/tokens",),
}
OCPI_SINGLES = {
    "cpo": (
        "2.1.1/locations/{location_id:str}",
        "2.1.1/locations/{location_id:str}/{evse_uid:str}",
        "2.1.1/locations/{location_id:str}/{evse_uid:str}/{connector_id:str}",
        "2.1.1/tokens/{country_code:str}/{party_id:str}/{token_uid:str}",
    ),
    "emsp": (
        "2.1.1/locations/{country_code:str}/{party_id:str}/{location_id:str}",
        "2.1.1/locations/{country_code:str}/{party_id:str}/{location_id:str}/{evse_uid:str}",
        "2.1.1/locations/{country_code:str}/{party_id:str}/{location_id:str}/{evse_uid:str}/{connector_id:str}",
        "2.1.1/sessions/{country_code:str}/{party_id:str}/{session_id:str}",
        "2.1.1/tariffs/{country_code:str}/{party_id:str}/{tariff_id:str}",
        "2.1.1/cdrs/{name:str}",
    ),
}


@pytest.mark.parametrize(("role", "routes"), [("cpo", CPO_ROUTES), ("emsp", EMSP_ROUTES)])
def test_every_ocpi_route_that_can_be_read_is_looked_at_here(role: str, routes: list[Any]) -> None:
    paths = {path.strip("/") for route in routes if "GET" in route.http_methods for path in route.paths}
    assert paths == {*OWN, *OCPI_LISTS[role], *OCPI_SINGLES[role]}


class Shared(Struct, frozen=True):
    """Something of ours that one partner may see, or none."""

    owner: str
    emsp: str
    kind: str  # location | unpublished | session | running | wholesale | retail


EMSPS = ("DE-EMS", "FR-OTH")
SHARED = st.lists(
    st.builds(
        Shared,
        owner=st.sampled_from(OWNERS),
        emsp=st.sampled_from([*EMSPS, ""]),
        kind=st.sampled_from(["location", "unpublished", "session", "running", "wholesale", "retail"]),
    ),
    max_size=14,
)
PRICE = {"currency": "EUR", "elements": [{"price_components": [{"type": "FLAT", "price": 1, "step_size": 1}]}]}


async def share(house: House, things: list[Shared]) -> dict[tuple[str, str], dict[str, set[str]]]:
    """Make it so; gives, by CPO and partner, the ids that the partner must see in each list."""
    seen = {
        (owner, emsp): {"locations": {f"LOC-{owner[-1]}"}, "sessions": set(), "cdrs": set(), "tariffs": set()}
        for owner in OWNERS
        for emsp in EMSPS
    }
    for number, each in enumerate(things):
        mark = f"{each.owner[-3:]}x{number}x"
        match each.kind:
            case "location" | "unpublished":
                shown = each.kind == "location"
                await house.put(f"locations/{mark}", place(each.owner, f"CS{mark}", publish=shown))
                lists_with, everybody = (["locations"] if shown else []), True
            case "session" | "running":
                done = each.kind == "session"
                status = SessionStatus.COMPLETED if done else SessionStatus.ACTIVE
                made = session(mark, f"CS-{each.owner[-1]}", each.emsp or None, status=status)
                await keep_session(house.journal, each.owner, made)
                lists_with, everybody = (["sessions", "cdrs"] if done else ["sessions"]), False
            case _:
                await house.put(f"tariffs/{each.owner}/{mark}", PRICE | {"kind": each.kind})
                lists_with, everybody = (["tariffs"] if each.kind == "wholesale" else []), True
        for emsp in EMSPS if everybody else filter(None, [each.emsp]):
            for name in lists_with:
                seen[each.owner, emsp][name].add(f"{mark}-cdr" if name == "cdrs" else mark)
    return seen


async def partners_see_their_own(house: House, things: list[Shared]) -> None:
    seen = await share(house, things)
    for (owner, emsp), wanted in seen.items():
        token = await connect(house, "CPO", owner, emsp)
        for path in OCPI_LISTS["cpo"]:
            found = await crawl(house, f"/ocpi/cpo/{path}?{ALL}&limit=2", token)
            ids = [each["id"] for page in found for each in page.data]
            assert sorted(ids) == sorted(wanted[path.split("/")[-1]]), (owner, emsp, path)
            assert {page.headers["x-total-count"] for page in found} == {str(len(ids))}


async def _partners(things: list[Shared]) -> None:
    async with open_house() as house:
        await furnish(house)
        await partners_see_their_own(house, things)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHARED)
def test_a_partner_sees_and_counts_exactly_what_is_its_own(things: list[Shared]) -> None:
    asyncio.run(_partners(things))


async def test_a_partner_sees_and_counts_exactly_what_is_its_own_on_either_engine(each_house: House) -> None:
    kinds = ("location", "unpublished", "session", "running", "wholesale", "retail")
    await partners_see_their_own(
        each_house, [Shared(owner, emsp, kind) for kind in kinds for owner in OWNERS for emsp in EMSPS]
    )


async def test_each_of_our_emsps_shows_its_own_tokens_only(each_house: House) -> None:
    await with_emsp(each_house, "NL-ONE", "11AA", "11BB")
    await with_emsp(each_house, "NL-TWO", "22AA")
    for party, uids in (("NL-ONE", ["11AA", "11BB"]), ("NL-TWO", ["22AA"])):
        found = await crawl(each_house, f"{EMSP}/tokens?limit=1", await connect(each_house, "EMSP", party, "DE-CPO"))
        assert [each["uid"] for page in found for each in page.data] == uids
        assert {page.headers["x-total-count"] for page in found} == {str(len(uids))}


async def test_a_single_object_of_another_answers_as_one_that_does_not_exist(each_house: House) -> None:
    """Every single object that OCPI lets be read, asked for by the wrong partner under either party."""
    await with_emsp(each_house)
    wrong = {
        "cpo": await connect(each_house, "CPO", "NL-BBB", "FR-OTH"),
        "emsp": await connect(each_house, "EMSP", "NL-OUR", "FR-OTH"),
    }
    cpo, emsp = await connect(each_house, "CPO", "NL-AAA", "DE-PAR"), await connect(each_house, "EMSP", "NL-OUR", "DE-PAR")
    for method, url, token, body in (
        ("PUT", f"{CPO}/tokens/DE/PAR/X1", cpo, said.token("X1")),
        ("PUT", f"{EMSP}/locations/DE/PAR/X1", emsp, said.location("X1")),
        ("PUT", f"{EMSP}/sessions/DE/PAR/X1", emsp, said.session("X1")),
        ("PUT", f"{EMSP}/tariffs/DE/PAR/X1", emsp, said.tariff("X1")),
        ("POST", f"{EMSP}/cdrs", emsp, said.cdr("X1")),
    ):
        assert (await each_house.ask(method, url, token, body)).status == 201
    for role, paths in OCPI_SINGLES.items():
        for path in paths:
            for party in (("DE", "PAR"), ("FR", "OTH")):
                there = _filled(path, party, {"location_id": "LOC-A" if role == "cpo" else "X1"}, "X1")
                nowhere = _filled(path, party, {"location_id": "LOC-Q" if role == "cpo" else "Q1"}, "Q1")
                foreign = told(await each_house.get(f"/ocpi/{role}/{there}", wrong[role]))
                unknown = told(await each_house.get(f"/ocpi/{role}/{nowhere}", wrong[role]))
                assert foreign[0] == unknown[0] == 404, path
                assert foreign[2].replace(b"LOC-A", b"LOC-Q").replace(b"X1", b"Q1") == unknown[2], path


def _filled(path: str, party: tuple[str, str], named: dict[str, str], otherwise: str) -> str:
    names = {"country_code": party[0], "party_id": party[1], "evse_uid": "E1", "connector_id": "1", **named}
    return re.sub(r"\{(\w+):str\}", lambda found: names.get(found[1], otherwise), path)
