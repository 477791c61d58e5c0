"""The SQLite file: connections, migrations, the lock that keeps a second process out, and errors in our words."""

import fcntl
import os
from pathlib import Path
from typing import Any

import apsw

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import JournalError
from chargewire.journal.statements import pending

CACHE_KIB = 65_536
WAL_PAGES = 4_000  # a checkpoint writes back about this many pages
BUSY_MS = 5_000
OUT_OF_REACH = (
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.BusyError,
    apsw.PermissionsError,
    apsw.ConnectionClosedError,
    apsw.NoMemError,
    apsw.LockedError,
    apsw.ProtocolError,
    apsw.CorruptError,
    apsw.NotADBError,
)


def unavailable(error: Exception) -> MemoryUnavailable:
    """The database's trouble in our words."""
    return MemoryUnavailable(f"SQLite: {error}")


def connect_writer(path: Path, *, durable: bool) -> apsw.Connection:
    """The one connection that writes. `durable`: each commit is on the disk before it returns."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def connect_reader(path: Path) -> apsw.Connection:
    """A connection that cannot write."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_MS)
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA mmap_size = 17179869184")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB // 4}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def version_of(connection: apsw.Connection) -> int:
    """The number of the last migration that the data has been through."""
    version: Any = connection.pragma("user_version")
    return int(version)


def migrate(connection: apsw.Connection) -> None:
    """Bring the data to this program's version, one transaction per migration. Raises JournalError if it is newer."""
    for number, sql in pending("sqlite", version_of(connection)):
        with connection:
            connection.execute(sql)
            connection.pragma("user_version", number)


class FileLock:
    """Only one process writes a SQLite journal; the lock ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def take(self) -> None:
        """Raises JournalError if another process has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            raise JournalError(f"another process works with {self._path.with_suffix('')}") from None
        self._file = file

    def release(self) -> None:
        """Let another process in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
