"""Rendered pages: made at the write, made again when they are of an older dialect or the object was touched."""

import re

import msgspec
import pytest
from msgspec import Struct

from chargewire.journal import Rendering, open_journal
from chargewire.journal.memory import CREATED, STAMP, Journal, JournalError, ListQuery, Ref, Touch, Unit, Write
from chargewire.journal.rendering import wire_time
from journal.units import put


class Car(Struct, frozen=True):
    name: str


def first(car: Car) -> bytes:
    return b'{"v":1,"name":"%s","last_updated":"%s","created":"%s"}' % (car.name.encode(), STAMP, CREATED)


def second(car: Car) -> bytes:
    return first(car).replace(b'"v":1', b'"v":2')


FIRST = {"car": Rendering(1, Car, first)}
SECOND = {"car": Rendering(2, Car, second)}
QUERY = ListQuery(kind="car", owners=("NL-AAA",))
REF = Ref("car", "NL-AAA", "C1")


def write(name: str, expect: int = 0) -> Unit:
    return Unit(place="L1", writes=[Write(ref=REF, content=Car(name), expect=expect)])


async def page_of(journal: Journal) -> dict[str, object]:
    (page,) = (await journal.walk_pages(QUERY)).rows
    return msgspec.json.decode(page, type=dict[str, object])


def test_times_are_milliseconds_rounded_down() -> None:
    assert wire_time(1_795_500_720_123_999) == b"2026-11-24T06:12:00.123Z"
    assert wire_time(1_795_500_720_000_000) == b"2026-11-24T06:12:00.000Z"


async def test_a_page_has_the_times_of_the_commit(journal_url: str) -> None:
    journal = await open_journal(journal_url, renderers=FIRST)
    made = await journal.append(write("a"))
    changed = await journal.append(write("b", 1))
    assert await page_of(journal) == {
        "v": 1,
        "name": "b",
        "last_updated": wire_time(changed.stamp).decode(),
        "created": wire_time(made.stamp).decode(),
    }
    await journal.close()


async def test_an_object_that_is_not_worth_it_yet_is_rendered_when_it_is_read(journal_url: str) -> None:
    rendered: list[str] = []

    def noted(car: Car) -> bytes:
        rendered.append(car.name)
        return first(car)

    renderers = {"car": Rendering(1, Car, noted, lasting=lambda car: car.name == "lasting")}
    journal = await open_journal(journal_url, renderers=renderers)
    await journal.append(write("soon"))
    assert rendered == []
    assert (await page_of(journal))["name"] == "soon"
    last = await journal.append(write("lasting", 1))
    assert rendered == ["soon", "lasting"]
    assert await page_of(journal) | {"created": ""} == {
        "v": 1,
        "name": "lasting",
        "last_updated": wire_time(last.stamp).decode(),
        "created": "",
    }
    assert rendered == ["soon", "lasting"]
    await journal.close()


async def test_content_that_is_json_already_is_rendered_too(journal_url: str) -> None:
    journal = await open_journal(journal_url, renderers=FIRST)
    await journal.append(put(REF, {"name": "c"}))
    assert (await page_of(journal))["name"] == "c"
    await journal.close()


async def test_the_page_of_a_touched_object_has_its_new_time(journal_url: str) -> None:
    journal = await open_journal(journal_url, renderers=FIRST)
    made = await journal.append(write("a"))
    touched = await journal.append(Unit(place="L1", touches=[Touch(REF)]))
    page = await page_of(journal)
    assert page["last_updated"] == wire_time(touched.stamp).decode()
    assert page["created"] == wire_time(made.stamp).decode()
    both = await journal.append(Unit(place="L1", writes=write("b", 1).writes, touches=[Touch(REF)]))
    assert (await page_of(journal))["last_updated"] == wire_time(both.stamp).decode()
    await journal.close()


async def test_pages_walk_like_objects(journal_url: str) -> None:
    journal = await open_journal(journal_url, renderers=FIRST)
    for n in range(10):
        await journal.append(put(Ref("car", "NL-AAA", f"C{n}"), {"name": f"n{n}"}))
    page = await journal.walk_pages(msgspec.structs.replace(QUERY, limit=4, count=True))
    assert page.next is not None
    assert (len(page.rows), page.total) == (4, 10)
    rest = await journal.walk_pages(msgspec.structs.replace(QUERY, after=tuple(page.next)))
    names = re.findall(rb'"name":"(n\d)"', b"".join([*page.rows, *rest.rows]))
    assert names == [b"n%d" % n for n in range(10)]
    await journal.close()


async def test_a_kind_without_a_renderer_has_no_pages(journal: Journal) -> None:
    with pytest.raises(JournalError):
        await journal.walk_pages(ListQuery(kind="network", owners=("",)))


async def test_pages_of_an_older_dialect_are_made_again(durable_url: str) -> None:
    journal = await open_journal(durable_url, renderers=FIRST)
    made = await journal.append(write("a"))
    await journal.close()
    journal = await open_journal(durable_url, renderers=SECOND)
    page = await page_of(journal)
    assert (page["v"], page["last_updated"]) == (2, wire_time(made.stamp).decode())
    await journal.append(write("b", 1))
    assert (await page_of(journal))["name"] == "b"
    await journal.close()


async def test_objects_written_before_there_was_a_renderer_have_pages(durable_url: str) -> None:
    journal = await open_journal(durable_url)
    await journal.append(write("a"))
    await journal.close()
    journal = await open_journal(durable_url, renderers=FIRST)
    assert (await page_of(journal))["name"] == "a"
    await journal.close()


async def test_what_cannot_be_rendered_is_not_kept(journal_url: str) -> None:
    journal = await open_journal(journal_url, renderers=FIRST)
    with pytest.raises(msgspec.ValidationError):
        await journal.append(put(REF, {"no": "name"}))
    assert await journal.get(REF) is None
    await journal.close()
