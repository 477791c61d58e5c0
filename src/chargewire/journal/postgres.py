"""The shared engine: PostgreSQL 15 or newer, eight partitions, many processes."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from chargewire.journal import postgres_lanes, postgres_lists, postgres_logs
from chargewire.journal.frontier import Clock, Frontier
from chargewire.journal.gathering import Flush, Gathering, Outcome
from chargewire.journal.memory import (
    Change,
    Committed,
    Deferred,
    JournalError,
    LanePosition,
    ListQuery,
    LogQuery,
    Page,
    Ref,
    Stored,
    Unit,
)
from chargewire.journal.postgres_backup import dump_to
from chargewire.journal.postgres_link import Connection, Line, Readers, connect, migrate
from chargewire.journal.postgres_listen import Listener
from chargewire.journal.postgres_write import PartWriter
from chargewire.journal.prepared import Prepared, ident_of, name_place, prepare
from chargewire.journal.rendering import Renderers, rendering_of
from chargewire.journal.sqlite_retention import LOGS, first_kept
from chargewire.journal.statements import queries
from chargewire.journal.waking import Heads

AT_ONCE = 2  # batches under way: few large ones cost far less than many small ones, and one flush covers another's wait
ALONE_TRIES = 20
ALONE_EVERY_S = 0.25

_sql = queries("postgres")


class PostgresJournal:
    """`Journal` over a PostgreSQL database; tables are in the first schema of its search path."""

    parts = 8

    def __init__(self, url: str, *, renderers: Renderers, clock: Clock) -> None:
        self._url = url
        self._renderers = renderers
        self._clock = clock
        self._frontier = Frontier(clock)
        self._heads = Heads(self.parts)
        self._lines = [Line(url) for _ in range(self.parts)]
        self._writers = [PartWriter(part, line) for part, line in enumerate(self._lines)]
        turns = asyncio.Semaphore(AT_ONCE)
        self._gatherings = [Gathering(self._flusher(part), turns) for part in range(self.parts)]
        self._readers = Readers(url)
        self._listener = Listener(url, self._heads)
        self._sentry: Connection | None = None

    async def open(self) -> None:
        """Connect, migrate, listen. Raises JournalError, MemoryUnavailable."""
        first = await connect(self._url)
        try:
            await migrate(first)
            for _, _, stamp in await first.fetch(_sql["heads"]):
                self._frontier.end(-1, stamp)
        finally:
            await first.close()
        await self._readers.open()
        await self._listener.start()

    async def close(self) -> None:
        """Finish the open batches and hang up."""
        await asyncio.gather(*(gathering.close() for gathering in self._gatherings))
        await self._listener.stop()
        await asyncio.gather(*(line.close() for line in self._lines))
        await self._readers.close()
        if self._sentry is not None:
            await self._sentry.close()

    async def serve_alone(self) -> None:
        """See `Journal.serve_alone`. A connection holds the lock: it is gone with this process, however that ends."""
        self._sentry = await connect(self._url)
        for _ in range(ALONE_TRIES):
            if await self._sentry.fetchval(_sql["serve_alone"]):
                return
            await asyncio.sleep(ALONE_EVERY_S)
        raise JournalError("another process serves from this database")

    def part_of(self, place: str) -> int:
        """See `Journal.part_of`: CRC-32 of the place, so that it is the same in every process and for ever."""
        return zlib.crc32(place.encode()) % self.parts

    # writing

    async def append(self, unit: Unit) -> Committed:
        """See `Journal.append`."""
        return await self._gatherings[self.part_of(unit.place)].add(prepare(unit, self._renderers))

    def _flusher(self, part: int) -> Flush:
        async def flush(batch: Sequence[Prepared]) -> Sequence[Outcome]:
            floor = self._frontier.begin(part)
            stamp = 0
            try:
                decision = await self._writers[part].write(batch, floor)
                stamp = decision.head.stamp
            finally:
                self._frontier.end(part, stamp)
            self._heads.announce(part, decision.head.changes)
            return decision.outcomes

        return flush

    # objects

    async def get(self, ref: Ref) -> Stored | None:
        """See `Journal.get`."""
        async with self._readers.connection() as connection:
            return _alive(await connection.fetchrow(_sql["get"], *ident_of(ref)))

    async def get_many(self, refs: Sequence[Ref]) -> dict[Ref, Stored]:
        """See `Journal.get_many`."""
        if not refs:
            return {}
        kinds, owners, folded = zip(*map(ident_of, refs), strict=True)
        async with self._readers.connection() as connection:
            rows = await connection.fetch(_sql["get_many"], kinds, owners, folded)
        found = {refs[row[0] - 1]: postgres_lists.stored(row[1:]) for row in rows}
        return {ref: found[ref] for ref in refs if ref in found}

    async def find(self, kind: str, name: str) -> Stored | None:
        """See `Journal.find`."""
        async with self._readers.connection() as connection:
            return _alive(await connection.fetchrow(_sql["find"], *name_place(kind, name)))

    async def walk(self, query: ListQuery) -> Page:
        """See `Journal.walk`."""
        until = self._frontier.complete_until()
        async with self._readers.connection() as connection:
            return await postgres_lists.walk_stored(connection, query, until)

    async def walk_pages(self, query: ListQuery) -> Page:
        """See `Journal.walk_pages`. Raises JournalError if the kind has no renderer."""
        until, rendering = self._frontier.complete_until(), rendering_of(self._renderers, query.kind)
        async with self._readers.connection() as connection:
            return await postgres_lists.walk_rendered(connection, query, until, rendering)

    async def count(self, query: ListQuery) -> int:
        """See `Journal.count`."""
        until = self._frontier.complete_until()
        async with self._readers.connection() as connection:
            return await postgres_lists.count(connection, query, until)

    # logs

    async def readings(self, query: LogQuery) -> Page:
        """See `Journal.readings`."""
        until = self._frontier.complete_until()
        async with self._readers.connection() as connection:
            return await postgres_logs.walk_readings(connection, query, until)

    async def messages(self, query: LogQuery) -> Page:
        """See `Journal.messages`."""
        until = self._frontier.complete_until()
        async with self._readers.connection() as connection:
            return await postgres_logs.walk_messages(connection, query, until)

    # following

    async def heads(self) -> list[int]:
        """See `Journal.heads`."""
        async with self._readers.connection() as connection:
            return [row[1] for row in await connection.fetch(_sql["heads"])]

    async def changes(self, part: int, after: int, limit: int = 1000) -> list[Change]:
        """See `Journal.changes`."""
        async with self._readers.connection() as connection:
            rows = await connection.fetch(_sql["changes"], part, after, limit)
        return [
            Change(part, seq, Ref(kind, owner, key), version, at, what)
            for part, seq, kind, owner, key, version, at, what in rows
        ]

    async def wait(self, part: int, after: int) -> None:
        """See `Journal.wait`."""
        await self._heads.wait(part, after)

    def complete_until(self) -> int:
        """See `Journal.complete_until`. It knows of the batches of this process only."""
        return self._frontier.complete_until()

    # push

    async def claim_shards(self, owner: str, count: int, lease_s: float) -> dict[int, int]:
        """See `Journal.claim_shards`."""
        async with self._readers.connection() as connection:
            return await postgres_lanes.claim(connection, owner, count, lease_s)

    async def save_lanes(
        self,
        epochs: Mapping[int, int],
        lanes: Sequence[LanePosition],
        deferred: Sequence[Deferred],
        settled: Sequence[tuple[str, Ref]],
    ) -> None:
        """See `Journal.save_lanes`."""
        async with self._readers.connection() as connection:
            await postgres_lanes.save(connection, epochs, lanes, deferred, settled)

    async def lanes(self, endpoint: str) -> list[LanePosition]:
        """See `Journal.lanes`."""
        async with self._readers.connection() as connection:
            return await postgres_lanes.lanes(connection, endpoint)

    async def deferred(self, endpoint: str, part: int, limit: int = 1000) -> list[Deferred]:
        """See `Journal.deferred`."""
        async with self._readers.connection() as connection:
            return await postgres_lanes.deferred(connection, endpoint, part, limit)

    async def drop_lanes(self, endpoint: str) -> None:
        """See `Journal.drop_lanes`."""
        async with self._readers.connection() as connection:
            await postgres_lanes.drop(connection, endpoint)

    # housekeeping

    async def retain(self, days: Mapping[str, int]) -> dict[str, int]:
        """See `Journal.retain`."""
        return {what: await self._drop(what, first_kept(self._clock(), kept)) for what, kept in days.items()}

    async def _drop(self, what: str, before: int) -> int:
        if what in LOGS:
            return sum([await self._drop_from_log(what, part, before) for part in range(self.parts)])
        total = 0
        async with self._readers.connection() as connection:
            while dropped := await connection.fetchval(_sql["retain_object"], what, before):
                total += dropped
        return total

    async def _drop_from_log(self, table: str, part: int, before: int) -> int:
        total = 0
        async with self._readers.connection() as connection:
            while dropped := int((await connection.execute(_sql[f"retain_{table}"], part, before)).split()[1]):
                total += dropped
        return total

    async def backup(self, path: str) -> None:
        """See `Journal.backup`. Needs PostgreSQL's pg_dump."""
        await dump_to(self._url, Path(path))

    async def setting(self, name: str, default: str | None = None) -> str | None:
        """See `Journal.setting`."""
        async with self._readers.connection() as connection:
            if default is not None:
                await connection.execute(_sql["set_default"], name, default)
            return await connection.fetchval(_sql["setting"], name)  # type: ignore[no-any-return]


def _alive(row: object) -> Stored | None:
    stored = postgres_lists.stored(row) if row is not None else None
    return None if stored is None or stored.deleted else stored
