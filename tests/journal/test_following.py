"""Following the changes: waiting for them, waking, and up to when everything is visible."""

import asyncio

import pytest

from chargewire.journal import open_journal
from chargewire.journal.memory import Change, Journal, Ref, Unit, follow
from journal.units import put, reading

CAR = Ref("session", "NL-AAA", "S1")


async def test_a_change_tells_what_became_of_which_object(journal: Journal) -> None:
    committed = await journal.append(put(CAR, 1, what="start"))
    assert await journal.changes(committed.part, 0) == [Change(committed.part, 1, CAR, 1, committed.stamp, "start")]
    assert await journal.changes(committed.part, 1) == []


async def test_changes_come_in_pieces(journal: Journal) -> None:
    for n in range(10):
        await journal.append(put(CAR, n, expect=n))
    part = journal.part_of("L1")
    assert [change.seq for change in await journal.changes(part, 3, limit=4)] == [4, 5, 6, 7]
    assert (await journal.heads())[part] == 10


async def test_who_waits_is_woken_by_the_next_change(journal: Journal) -> None:
    part = journal.part_of("L1")
    waiting = asyncio.create_task(journal.wait(part, 0))
    await journal.append(Unit(place="L1", readings=[reading()]))
    assert not waiting.done()
    await journal.append(put(CAR, 1))
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(journal.wait(part, 0), 1)  # at once: it is there already


async def test_a_follower_gets_every_change_once_and_in_order(journal: Journal) -> None:
    part = journal.part_of("L1")
    seen: list[int] = []

    async def listen() -> None:
        async for batch in follow(journal, part, 0):
            seen.extend(change.seq for change in batch)
            if seen[-1] == 300:
                return

    listening = asyncio.create_task(listen())
    for start in range(0, 300, 10):
        await asyncio.gather(*(journal.append(put(CAR, n, expect=n)) for n in range(start, start + 10)))
    await asyncio.wait_for(listening, 10)
    assert seen == list(range(1, 301))


async def test_everything_is_visible_up_to_the_moment_that_is_named(journal: Journal) -> None:
    """Whatever is named while others write: no object with a lower stamp appears later."""
    writing = True

    async def write(place: int) -> None:
        n = 0
        while writing:
            await journal.append(put(Ref("session", "NL-AAA", f"{place}-{n}"), n, place=f"L{place}"))
            n += 1

    async def stamps() -> list[int]:
        found = [await journal.changes(part, 0, 100_000) for part in range(journal.parts)]
        return [change.at for changes in found for change in changes]

    writers = [asyncio.create_task(write(place)) for place in range(8)]
    promises: list[tuple[int, int]] = []
    for _ in range(30):
        until = journal.complete_until()
        promises.append((until, sum(stamp < until for stamp in await stamps())))
        await asyncio.sleep(0.001)
    writing = False
    await asyncio.gather(*writers)
    final = await stamps()
    assert [sum(stamp < until for stamp in final) for until, _ in promises] == [there for _, there in promises]
    assert journal.complete_until() > max(final)


async def test_stamps_rise_though_the_clock_falls(journal_url: str) -> None:
    times = iter([2_000_000, 1_000_000, *[500_000] * 1000])
    journal = await open_journal(journal_url, clock=lambda: next(times))
    stamps = [(await journal.append(put(CAR, n, expect=n))).stamp for n in range(5)]
    assert stamps == sorted(set(stamps))
    assert journal.complete_until() > stamps[-1]
    later = (await journal.append(put(CAR, 9, expect=5))).stamp
    assert later >= journal.complete_until() - 1
    await journal.close()


@pytest.mark.postgres
async def test_another_process_is_woken_too(postgres_database: str) -> None:
    here, there = await open_journal(postgres_database), await open_journal(postgres_database)
    try:
        waiting = asyncio.create_task(there.wait(there.part_of("L1"), 0))
        await asyncio.sleep(0.05)
        await here.append(put(CAR, 1))
        await asyncio.wait_for(waiting, 2)
    finally:
        await here.close()
        await there.close()


@pytest.mark.postgres
async def test_two_processes_number_without_gaps(postgres_database: str) -> None:
    journals = [await open_journal(postgres_database) for _ in range(2)]
    units = [put(Ref("session", "NL-AAA", str(n)), n, place=f"L{n % 3}") for n in range(300)]
    try:
        await asyncio.gather(*(journals[n % 2].append(unit) for n, unit in enumerate(units)))
        for part in range(8):
            changes = await journals[0].changes(part, 0)
            assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
            stamps = [change.at for change in changes]
            assert stamps == sorted(set(stamps))
        assert sum(await journals[1].heads()) == 300
    finally:
        for journal in journals:
            await journal.close()
