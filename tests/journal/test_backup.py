"""Backups are made while others write, and are checked before they replace anything."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import apsw
import asyncpg
import pytest

from chargewire.journal import open_journal
from chargewire.journal.backup import backup, restore
from chargewire.journal.memory import Journal, JournalError, ListQuery, Ref
from journal.units import put
from postgres_server import binaries, drop_database, make_database


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own pg_dump comes first: an older one refuses."""
    if folder := binaries():
        monkeypatch.setenv("PATH", str(folder), prepend=":")


async def keys(journal: Journal) -> list[str]:
    page = await journal.walk(ListQuery(kind="session", owners=("NL-AAA",), limit=100_000))
    return [row.ref.key for row in page.rows]


async def make_newer(url: str) -> None:
    """Pretend that a later program has been here."""
    if url.startswith("sqlite"):
        connection = apsw.Connection(urlsplit(url).path)
        connection.pragma("user_version", 9999)
        connection.close()
    else:
        server = await asyncpg.connect(url)
        await server.execute("INSERT INTO schema_version VALUES (9999)")
        await server.close()


async def test_a_backup_that_is_made_while_others_write_is_consistent(durable_url: str, tmp_path: Path) -> None:
    journal = await open_journal(durable_url)
    copy = tmp_path / "backup"
    writing = True
    written: list[str] = []

    async def write() -> None:
        while writing:
            n = len(written)
            await journal.append(put(Ref("session", "NL-AAA", f"S{n}"), "x" * 500))
            written.append(f"S{n}")

    writer = asyncio.create_task(write())
    await asyncio.sleep(0.2)
    before = list(written)
    await journal.backup(str(copy))
    writing = False
    await writer
    await journal.close()
    with pytest.raises(JournalError, match="holds data"):
        await restore(durable_url, str(copy))
    await restore(durable_url, str(copy), force=True)
    journal = await open_journal(durable_url)
    found = await keys(journal)
    part = journal.part_of("L1")
    assert found == written[: len(found)]
    assert found[: len(before)] == before
    assert [change.seq for change in await journal.changes(part, 0, 100_000)] == list(range(1, len(found) + 1))
    assert (await journal.append(put(Ref("session", "NL-AAA", "next"), 1))).versions == (1,)
    assert (await journal.heads())[part] == len(found) + 1
    await journal.close()


async def test_a_backup_can_be_made_beside_a_running_server_and_restored_elsewhere(durable_url: str, tmp_path: Path) -> None:
    journal = await open_journal(durable_url)
    await journal.append(put(Ref("session", "NL-AAA", "S1"), 1))
    await backup(durable_url, str(tmp_path / "copy"))
    if durable_url.startswith("sqlite"):
        elsewhere = f"sqlite:///{tmp_path}/elsewhere/journal.db"
    else:
        elsewhere = await make_database(durable_url, f"test_{uuid4().hex}")
    await restore(elsewhere, str(tmp_path / "copy"))
    other = await open_journal(elsewhere)
    assert await keys(other) == await keys(journal) == ["S1"]
    await other.close()
    await journal.close()
    if elsewhere.startswith("postgresql"):
        await drop_database(durable_url, elsewhere.rpartition("/")[2])


async def test_a_backup_of_a_newer_version_replaces_nothing(durable_url: str, tmp_path: Path) -> None:
    journal = await open_journal(durable_url)
    await journal.append(put(Ref("session", "NL-AAA", "S1"), 1))
    copy = str(tmp_path / "copy")
    await journal.backup(copy)
    await journal.close()
    if durable_url.startswith("sqlite"):
        await make_newer(f"sqlite:///{copy}")
    else:
        await make_newer(durable_url)
        await backup(durable_url, copy)
    with pytest.raises(JournalError, match="newer"):
        await restore(durable_url, copy, force=True)


async def test_a_damaged_backup_replaces_nothing(durable_url: str, tmp_path: Path) -> None:
    journal = await open_journal(durable_url)
    for n in range(200):
        await journal.append(put(Ref("session", "NL-AAA", f"S{n}"), "x" * 500))
    copy = tmp_path / "copy"
    await journal.backup(str(copy))
    await journal.close()
    whole = copy.read_bytes()
    for damaged in (b"", b"not a backup", whole[: len(whole) // 2]):
        copy.write_bytes(damaged)
        with pytest.raises(JournalError):
            await restore(durable_url, str(copy), force=True)
    with pytest.raises(JournalError):
        await restore(durable_url, str(tmp_path / "missing"), force=True)
    journal = await open_journal(durable_url)
    assert len(await keys(journal)) == 200
    await journal.close()


async def test_a_journal_in_use_is_not_replaced(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    journal = await open_journal(url)
    await journal.backup(str(tmp_path / "copy"))
    with pytest.raises(JournalError, match="another process"):
        await restore(url, str(tmp_path / "copy"), force=True)
    await journal.close()


async def test_data_of_a_newer_version_is_refused(durable_url: str) -> None:
    journal = await open_journal(durable_url)
    await journal.close()
    await make_newer(durable_url)
    with pytest.raises(JournalError, match="newer"):
        await open_journal(durable_url)


async def test_what_was_written_is_there_when_it_is_opened_again(durable_url: str) -> None:
    for n in range(3):
        journal = await open_journal(durable_url)
        assert await journal.setting("secret", f"value{n}") == "value0"
        assert (await journal.append(put(Ref("session", "NL-AAA", "S1"), n, expect=n))).versions == (n + 1,)
        assert await journal.setting("nothing") is None
        await journal.close()


async def test_a_second_process_may_not_write_the_same_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    journal = await open_journal(url)
    with pytest.raises(JournalError, match="another process"):
        await open_journal(url)
    await journal.close()
    await (await open_journal(url)).close()


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:relative", "journal.db", ""])
async def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(JournalError, match="URL"):
        await open_journal(url)
