"""Two subscriptions with different CPOs never see, count or infer each other's objects, at any endpoint that exists."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from api.house import Answer, House, furnish, open_house, place
from api.stock import keep_message, keep_reading, keep_session, session
from api.test_pull import SAMPLES, window
from chargewire.api.build import PULL, PULL_2
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
