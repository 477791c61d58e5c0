"""A full disk, a lost database: no answer is given that is not kept, and it recovers by itself."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal import open_journal
from chargewire.journal.memory import Journal, ListQuery, Ref, Unit
from chargewire.journal.sqlite import SqliteJournal
from journal.units import message, put
from postgres_server import PostgresServer, why_not

CAR = Ref("session", "NL-AAA", "S1")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some megabytes."""
    if os.getuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def until_full(journal: Journal) -> int:
    """Write until it is refused; how many were acknowledged."""
    for n in range(10_000):
        try:
            await journal.append(put(Ref("session", "NL-AAA", f"S{n}"), "x" * 20_000))
        except MemoryUnavailable:
            return n
    raise AssertionError("it never was full")


async def check(journal: Journal, acknowledged: int) -> None:
    rows = (await journal.walk(ListQuery(kind="session", owners=("NL-AAA",), limit=10_000))).rows
    assert [row.ref.key for row in rows] == [f"S{n}" for n in range(acknowledged)]
    assert [change.seq for change in await journal.changes(0, 0, 100_000)] == list(range(1, acknowledged + 1))


async def test_a_full_disk_refuses_and_recovers_when_there_is_room_again(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk}/journal.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 2_500_000)
    journal = await open_journal(url)
    acknowledged = await until_full(journal)
    assert acknowledged > 10
    for _ in range(3):
        with pytest.raises(MemoryUnavailable):
            await journal.append(put(Ref("session", "NL-AAA", "more"), "x" * 500_000))
    await check(journal, acknowledged)
    ballast.unlink()
    assert (await journal.append(put(Ref("session", "NL-AAA", f"S{acknowledged}"), "x" * 20_000))).versions == (1,)
    await check(journal, acknowledged + 1)
    await journal.close()
    journal = await open_journal(url)
    await check(journal, acknowledged + 1)
    await journal.close()


async def test_a_database_that_may_not_grow_refuses_and_recovers(tmp_path: Path) -> None:
    journal = await open_journal(f"sqlite:///{tmp_path}/journal.db")
    assert isinstance(journal, SqliteJournal)
    journal._writing.pragma("max_page_count", 200)
    acknowledged = await until_full(journal)
    await check(journal, acknowledged)
    journal._writing.pragma("max_page_count", 100_000)
    await journal.append(put(Ref("session", "NL-AAA", f"S{acknowledged}"), "x"))
    await check(journal, acknowledged + 1)
    await journal.close()


@pytest.fixture
async def server() -> AsyncIterator[PostgresServer]:
    if reason := why_not(own=True):
        pytest.skip(reason)
    server = PostgresServer()
    yield server
    server.remove()


@pytest.mark.postgres
async def test_a_lost_database_refuses_and_is_found_again(server: PostgresServer) -> None:
    journal = await open_journal(server.url)
    part = journal.part_of("L1")
    version = (await journal.append(put(CAR, 0))).versions[0]
    waiting = asyncio.create_task(journal.wait(part, 1))
    server.stop()
    for _ in range(3):
        with pytest.raises(MemoryUnavailable):
            await journal.append(put(CAR, 1, expect=1))
        with pytest.raises(MemoryUnavailable):
            await journal.get(CAR)
    server.start()
    for _ in range(100):
        with suppress(MemoryUnavailable):
            version = (await journal.append(put(CAR, 1, expect=1))).versions[0]
            break
        await asyncio.sleep(0.1)
    assert version == 2
    await asyncio.wait_for(waiting, 10)
    stored = await journal.get(CAR)
    assert stored is not None
    assert stored.version == 2
    await journal.close()


@pytest.mark.postgres
async def test_what_was_acknowledged_survives_a_database_that_is_shot(server: PostgresServer) -> None:
    journal = await open_journal(server.url)
    acknowledged: set[str] = set()

    async def write(number: int) -> None:
        for n in range(100_000):
            key = f"{number}-{n}"
            try:
                await journal.append(Unit(place=key, writes=put(Ref("session", "NL-AAA", key), n).writes, messages=[message()]))
            except MemoryUnavailable:
                return
            acknowledged.add(key)

    writers = [asyncio.create_task(write(number)) for number in range(20)]
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.stop)
    await asyncio.gather(*writers)
    await journal.close()
    server.start()
    journal = await open_journal(server.url)
    rows = (await journal.walk(ListQuery(kind="session", owners=("NL-AAA",), limit=10**6))).rows
    assert acknowledged <= {row.ref.key for row in rows}
    for part in range(8):
        changes = await journal.changes(part, 0, 10**6)
        assert [change.seq for change in changes] == list(range(1, len(changes) + 1))
    assert sum(await journal.heads()) == len(rows)
    await journal.close()


@pytest.mark.postgres
async def test_a_message_that_postgres_cannot_hold_costs_nobody_else(postgres_database: str) -> None:
    journal = await open_journal(postgres_database)
    units = [Unit(place="L1", messages=[message(message_id=f"m{n}")]) for n in range(20)]
    units[7] = Unit(place="L1", messages=[message(message_id="with\0nul")])
    results = await asyncio.gather(*map(journal.append, units), return_exceptions=True)
    assert [n for n, result in enumerate(results) if isinstance(result, Exception)] == [7]
    await journal.close()
