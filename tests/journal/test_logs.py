"""Readings and messages: numbered, in the order in which they were heard, filtered by owner, station, session, action, time."""

import asyncio

from msgspec.structs import replace

from chargewire.journal.memory import Journal, LogQuery, MessageRow, Page, ReadingRow, Unit
from journal.units import message, reading

OWNERS = ("NL-AAA", "NL-BBB")


async def crawl(journal: Journal, query: LogQuery, *, messages: bool = False) -> list[ReadingRow | MessageRow]:
    rows: list[ReadingRow | MessageRow] = []
    while True:
        page: Page = await (journal.messages(query) if messages else journal.readings(query))
        rows += page.rows
        if page.next is None:
            return rows
        query = replace(query, after=tuple(page.next))


async def fill(journal: Journal, number: int = 40) -> None:
    for n in range(number):
        owner, station, session = OWNERS[n % 2], f"CS-{n % 4}", f"S{n % 3}" if n % 3 else ""
        unit = Unit(
            place=f"L{n % 5}",
            readings=[reading(owner, station=station, session=session, message_id=f"r{n}")],
            messages=[message(owner, station=station, action=("Heartbeat", "MeterValues")[n % 4 // 2], message_id=f"m{n}")],
        )
        await journal.append(unit)


async def test_a_reading_comes_back_as_it_was_given(journal: Journal) -> None:
    given = reading("NL-AAA", station="CS-7", session="S1", message_id="m1")
    committed = await journal.append(Unit(place="L1", readings=[given]))
    (row,) = (await journal.readings(LogQuery(owners=("NL-AAA",)))).rows
    assert row == ReadingRow(committed.part, 1, "NL-AAA", committed.stamp, "CS-7", "1", 1, "S1", given.at, given.samples, "m1")


async def test_a_message_comes_back_as_it_was_given(journal: Journal) -> None:
    given = message("NL-AAA", station="CS-7", message_id="m1", call=b'{"a":"\\u0000\xc3\xa9"}')
    committed = await journal.append(Unit(place="L1", messages=[given]))
    (row,) = (await journal.messages(LogQuery(owners=("NL-AAA",)))).rows
    assert row == MessageRow(
        committed.part, 1, "NL-AAA", committed.stamp, "CS-7", "L1", "", "in", "Heartbeat", "m1", given.call, b"{}", "Info"
    )


async def test_a_crawl_gives_everything_in_the_order_it_was_heard(journal: Journal) -> None:
    await fill(journal)
    query = LogQuery(owners=OWNERS, limit=7)
    assert [row.message_id for row in await crawl(journal, query)] == [f"r{n}" for n in range(40)]
    assert [row.message_id for row in await crawl(journal, query, messages=True)] == [f"m{n}" for n in range(40)]


async def test_logs_are_filtered(journal: Journal) -> None:
    await fill(journal)

    async def numbers(query: LogQuery, *, messages: bool = False) -> list[int]:
        return [int(row.message_id[1:]) for row in await crawl(journal, query, messages=messages)]

    assert await numbers(LogQuery(owners=OWNERS[:1], limit=7)) == list(range(0, 40, 2))
    assert await numbers(LogQuery(owners=OWNERS, session="S1", limit=7)) == list(range(1, 40, 3))
    assert await numbers(LogQuery(owners=OWNERS[:1], session="S1", limit=7)) == list(range(4, 40, 6))
    assert await numbers(LogQuery(owners=OWNERS, station="CS-3", limit=7)) == list(range(3, 40, 4))
    assert await numbers(LogQuery(owners=OWNERS, station="CS-3", limit=7), messages=True) == list(range(3, 40, 4))
    assert await numbers(LogQuery(owners=OWNERS[:1], station="CS-3"), messages=True) == []
    meter_values = LogQuery(owners=OWNERS, action="MeterValues", limit=7)
    assert await numbers(meter_values, messages=True) == [n for n in range(40) if n % 4 >= 2]
    assert await numbers(LogQuery(owners=())) == []


async def test_times_begin_inclusive_and_end_exclusive(journal: Journal) -> None:
    await fill(journal)
    rows = await crawl(journal, LogQuery(owners=OWNERS))
    query = LogQuery(owners=OWNERS, heard_from=rows[5].heard_at, heard_to=rows[20].heard_at, limit=4)
    assert await crawl(journal, query) == rows[5:20]


async def test_logs_are_counted_and_skipped(journal: Journal) -> None:
    await fill(journal)
    page = await journal.readings(LogQuery(owners=OWNERS, offset=30, limit=7, count=True))
    assert page.total == 40
    assert [row.message_id for row in page.rows] == [f"r{n}" for n in range(30, 37)]
    assert page.next is not None


async def test_whoever_follows_a_log_misses_nothing(journal: Journal) -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def write(place: int) -> None:
        for n in range(60):
            await journal.append(Unit(place=f"L{place}", readings=[reading(message_id=f"{place}-{n}")]))

    async def follow() -> None:
        after = None
        while True:
            finished = done.is_set()
            page = await journal.readings(LogQuery(owners=("NL-AAA",), after=after, limit=1000))
            seen.extend(row.message_id for row in page.rows)
            if page.rows:
                after = (page.rows[-1].heard_at, page.rows[-1].part)
            elif finished:
                return
            await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(place) for place in range(16)))
    done.set()
    await following
    assert len(seen) == len(set(seen)) == 16 * 60
