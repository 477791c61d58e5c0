"""The embedded engine: one SQLite file, one writing thread, readers beside it. One process, one partition."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

import apsw

from chargewire.journal import sqlite_lanes, sqlite_lists, sqlite_logs, sqlite_points, sqlite_retention
from chargewire.journal.frontier import Clock, Frontier
from chargewire.journal.gathering import Gathering, Outcome
from chargewire.journal.memory import (
    Change,
    Committed,
    Deferred,
    LanePosition,
    ListQuery,
    LogQuery,
    Page,
    Ref,
    Stored,
    Unit,
)
from chargewire.journal.prepared import Prepared, prepare
from chargewire.journal.rendering import Renderers, rendering_of
from chargewire.journal.shelves import Shelves
from chargewire.journal.sqlite_backup import copy_to
from chargewire.journal.sqlite_files import OUT_OF_REACH, FileLock, connect_reader, connect_writer, migrate, unavailable
from chargewire.journal.sqlite_thread import Threads
from chargewire.journal.sqlite_write import BatchWriter
from chargewire.journal.statements import queries
from chargewire.journal.waking import Heads

T = TypeVar("T")
READERS = 4  # threads for lists
AT_ONCE = 100  # objects that are read without a thread

_sql = queries("sqlite")


class SqliteJournal:
    """`Journal` over a file. Without a path: over a temporary one, not durable, gone when it is closed."""

    parts = 1

    def __init__(self, path: Path | None, *, renderers: Renderers, clock: Clock) -> None:
        self._given = path
        self._renderers = renderers
        self._clock = clock
        self._frontier = Frontier(clock)
        self._heads = Heads(self.parts)
        self._gathering = Gathering(self._flush)

    async def open(self) -> None:
        """Make or migrate the file and start the writer. Raises JournalError, MemoryUnavailable."""
        try:
            self._path = self._given or Path(tempfile.mkdtemp(prefix="chargewire-")) / "journal.db"
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._path)
            self._lock.take()
            try:
                self._open_file()
            except BaseException:
                self._lock.release()
                raise
        except (*OUT_OF_REACH, OSError) as error:
            raise unavailable(error) from error

    def _open_file(self) -> None:
        self._writing = connect_writer(self._path, durable=self._given is not None)
        migrate(self._writing)
        self._near = connect_reader(self._path)
        self._shelves = Shelves(
            (kind, owner, state, bool(gone)) for kind, owner, state, gone in self._near.execute(_sql["shelves"])
        )
        self._writer = BatchWriter(self._writing, self._shelves)
        _, changes, _, _, stamp = next(self._near.execute(_sql["head"]))
        self._frontier.end(0, stamp)
        self._heads.announce(0, changes)
        self._threads = Threads("journal-writer", [self._writing])
        self._readers = Threads("journal-reader", [connect_reader(self._path) for _ in range(READERS)])

    async def close(self) -> None:
        """Finish the open batch and let go of the file."""
        await self._gathering.close()
        for threads in (self._readers, self._threads):
            await asyncio.to_thread(threads.stop)
        self._near.close()
        self._lock.release()
        if self._given is None:
            rmtree(self._path.parent, ignore_errors=True)

    async def serve_alone(self) -> None:
        """Always so: the file is locked by who has opened it."""

    def part_of(self, place: str) -> int:
        """Always 0."""
        return 0

    # writing

    async def append(self, unit: Unit) -> Committed:
        """See `Journal.append`."""
        return await self._gathering.add(prepare(unit, self._renderers))

    async def _flush(self, batch: Sequence[Prepared]) -> Sequence[Outcome]:
        floor = self._frontier.begin(0)
        stamp = 0
        try:
            decision = await self._write(lambda _: self._writer.write(batch, floor))
            stamp = decision.head.stamp
        finally:
            self._frontier.end(0, stamp)
        self._heads.announce(0, decision.head.changes)
        return decision.outcomes

    # objects

    async def get(self, ref: Ref) -> Stored | None:
        """See `Journal.get`. Read at once, without a thread: it takes some ten microseconds."""
        return _alive(self._at_once(lambda connection: sqlite_points.get(connection, ref)))

    async def get_many(self, refs: Sequence[Ref]) -> dict[Ref, Stored]:
        """See `Journal.get_many`."""
        if len(refs) <= AT_ONCE:
            return self._at_once(lambda connection: sqlite_points.get_many(connection, refs))
        return await self._read(lambda connection: sqlite_points.get_many(connection, refs))

    async def find(self, kind: str, name: str) -> Stored | None:
        """See `Journal.find`."""
        return _alive(self._at_once(lambda connection: sqlite_points.find(connection, kind, name)))

    async def walk(self, query: ListQuery) -> Page:
        """See `Journal.walk`."""
        shelves = self._shelves.asked_for(query)
        return await self._read(lambda connection: sqlite_lists.walk_stored(connection, query, shelves))

    async def walk_pages(self, query: ListQuery) -> Page:
        """See `Journal.walk_pages`. Raises JournalError if the kind has no renderer."""
        shelves, rendering = self._shelves.asked_for(query), rendering_of(self._renderers, query.kind)
        return await self._read(lambda connection: sqlite_lists.walk_rendered(connection, query, shelves, rendering))

    async def count(self, query: ListQuery) -> int:
        """See `Journal.count`."""
        shelves = self._shelves.asked_for(query)
        return await self._read(lambda connection: sqlite_lists.count(connection, query, shelves))

    # logs

    async def readings(self, query: LogQuery) -> Page:
        """See `Journal.readings`."""
        return await self._read(lambda connection: sqlite_logs.walk_readings(connection, query))

    async def messages(self, query: LogQuery) -> Page:
        """See `Journal.messages`."""
        return await self._read(lambda connection: sqlite_logs.walk_messages(connection, query))

    # following

    async def heads(self) -> list[int]:
        """See `Journal.heads`."""
        return list(self._heads.known)

    async def changes(self, part: int, after: int, limit: int = 1000) -> list[Change]:
        """See `Journal.changes`."""
        if after >= self._heads.known[part]:
            return []
        return await self._read(lambda connection: sqlite_points.changes(connection, after, limit))

    async def wait(self, part: int, after: int) -> None:
        """See `Journal.wait`."""
        await self._heads.wait(part, after)

    def complete_until(self) -> int:
        """See `Journal.complete_until`."""
        return self._frontier.complete_until()

    # push

    async def claim_shards(self, owner: str, count: int, lease_s: float) -> dict[int, int]:
        """See `Journal.claim_shards`."""
        now = self._clock()
        until = now + int(lease_s * 1_000_000)
        return await self._write(lambda connection: sqlite_lanes.claim(connection, owner, count, now, until))

    async def save_lanes(
        self,
        epochs: Mapping[int, int],
        lanes: Sequence[LanePosition],
        deferred: Sequence[Deferred],
        settled: Sequence[tuple[str, Ref]],
    ) -> None:
        """See `Journal.save_lanes`."""
        await self._write(lambda connection: sqlite_lanes.save(connection, epochs, lanes, deferred, settled))

    async def lanes(self, endpoint: str) -> list[LanePosition]:
        """See `Journal.lanes`."""
        return await self._read(lambda connection: sqlite_lanes.lanes(connection, endpoint))

    async def deferred(self, endpoint: str, part: int, limit: int = 1000) -> list[Deferred]:
        """See `Journal.deferred`."""
        return await self._read(lambda connection: sqlite_lanes.deferred(connection, endpoint, part, limit))

    async def drop_lanes(self, endpoint: str) -> None:
        """See `Journal.drop_lanes`."""
        await self._write(lambda connection: sqlite_lanes.drop(connection, endpoint))

    # housekeeping

    async def retain(self, days: Mapping[str, int]) -> dict[str, int]:
        """See `Journal.retain`."""
        return {what: await self._drop(what, sqlite_retention.first_kept(self._clock(), kept)) for what, kept in days.items()}

    async def _drop(self, what: str, before: int) -> int:
        total = 0
        while dropped := await self._write(lambda connection: self._drop_piece(connection, what, before)):
            total += dropped
        return total

    def _drop_piece(self, connection: apsw.Connection, what: str, before: int) -> int:
        if what in sqlite_retention.LOGS:
            return sqlite_retention.drop_from_log(connection, what, before)
        self._writer.forget()
        return sqlite_retention.drop_objects(connection, self._shelves.of_kind(what), before)

    async def backup(self, path: str) -> None:
        """See `Journal.backup`."""
        await asyncio.to_thread(copy_to, self._path, Path(path))

    async def setting(self, name: str, default: str | None = None) -> str | None:
        """See `Journal.setting`."""
        if default is None:
            return self._at_once(lambda connection: sqlite_points.setting(connection, name))

        def kept(connection: apsw.Connection) -> str | None:
            connection.execute(_sql["set_default"], (name, default))
            return sqlite_points.setting(connection, name)

        return await self._write(kept)

    # threads

    def _at_once(self, read: Callable[[apsw.Connection], T]) -> T:
        try:
            return read(self._near)
        except OUT_OF_REACH as error:
            raise unavailable(error) from error

    def _read(self, read: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        return self._readers.run(read)

    def _write(self, write: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        return self._threads.run(write)


def _alive(stored: Stored | None) -> Stored | None:
    return None if stored is None or stored.deleted else stored
