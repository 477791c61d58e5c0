"""A copy of a SQLite journal while it is written, and the way back."""

import os
from pathlib import Path

import apsw

from chargewire.journal.memory import JournalError
from chargewire.journal.sqlite_files import OUT_OF_REACH, FileLock, connect_reader, unavailable, version_of
from chargewire.journal.statements import pending

PAGES = 256  # of one step


def copy_to(source: Path, target: Path) -> None:
    """Write a consistent, checked copy; `target` appears only when it is complete.

    The copy is made within one reading transaction: the writer goes on, and the copy does not begin anew with every commit.

    Raises JournalError if there is no journal or the copy is not sound, MemoryUnavailable.
    """
    if not source.is_file():
        raise JournalError(f"there is no journal {source}")
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    try:
        reader, copy = connect_reader(source), apsw.Connection(str(unfinished))
        try:
            reader.execute("BEGIN; SELECT count(*) FROM head").fetchall()
            with copy.backup("main", reader, "main") as backup:
                while not backup.done:
                    backup.step(PAGES)
            check(copy, unfinished)
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
            reader.close()
        _sync(unfinished)
        unfinished.replace(target)
        _sync(target.parent)
    except OUT_OF_REACH as error:
        unfinished.unlink(missing_ok=True)
        raise unavailable(error) from error
    except JournalError:
        unfinished.unlink(missing_ok=True)
        raise


def restore_from(copy: Path, target: Path, *, force: bool) -> None:
    """Put a copy in the place of a journal that nobody works with. It is checked before anything is replaced.

    Raises JournalError if the copy is damaged or too new, the target is in use, or holds data and `force` is not given.
    """
    if not copy.is_file():
        raise JournalError(f"there is no backup {copy}")
    if target.exists() and target.stat().st_size and not force:
        raise JournalError(f"{target} holds data already")
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target)
    lock.take()
    try:
        unfinished = target.with_name(target.name + ".part")
        _copy_checked(copy, unfinished)
        for leftover in ("-wal", "-shm"):
            target.with_name(target.name + leftover).unlink(missing_ok=True)
        unfinished.replace(target)
        _sync(target.parent)
    finally:
        lock.release()


def _copy_checked(copy: Path, unfinished: Path) -> None:
    unfinished.unlink(missing_ok=True)
    with copy.open("rb") as source, unfinished.open("wb") as sink:
        while piece := source.read(1 << 20):
            sink.write(piece)
        sink.flush()
        os.fsync(sink.fileno())
    connection = apsw.Connection(str(unfinished))
    try:
        check(connection, copy)
    except JournalError:
        unfinished.unlink()
        raise
    finally:
        connection.close()


def check(connection: apsw.Connection, path: Path) -> None:
    """Raises JournalError if the data is damaged, none of ours, or newer than this program."""
    try:
        found = connection.pragma("quick_check")
        version = version_of(connection)
        heads = next(connection.execute("SELECT count(*) FROM head"))[0]
    except apsw.Error as error:
        raise JournalError(f"{path} is no sound journal: {error}") from error
    if found != "ok" or not version or not heads:
        raise JournalError(f"{path} is no sound journal: {found}")
    pending("sqlite", version)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
