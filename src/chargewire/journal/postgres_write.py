"""The writing side of PostgreSQL: one connection per partition, one transaction per batch, COPY and arrays for the rows."""

from collections.abc import Iterable, Sequence
from itertools import chain

import asyncpg

from chargewire.journal.batch import Decision, Head, Held, Row, decide, needs
from chargewire.journal.memory import Ref
from chargewire.journal.postgres_link import Connection, Line, is_away, unavailable
from chargewire.journal.prepared import Ident, NamePlace, Prepared, ident_of
from chargewire.journal.shelves import Shelf, Shelves
from chargewire.journal.statements import queries

TRIES = 10  # of a batch that ran into one of another partition
COLLIDED = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
OBJECT = (
    "kind",
    "owner",
    "folded",
    "key",
    "part",
    "seq",
    "version",
    "created_at",
    "last_updated",
    "state",
    "counterparty",
    "deleted",
    "digest",
    "dialect",
    "page",
    "body",
)

_sql = queries("postgres")


class PartWriter:
    """Writes the batches of one partition."""

    def __init__(self, part: int, line: Line) -> None:
        self._part = part
        self._line = line
        self._shelves = Shelves()  # those that are known to exist

    async def write(self, batch: Sequence[Prepared], floor: int) -> Decision:
        """Commit a batch; what a unit is told is in the decision.

        Raises MemoryUnavailable, or what the database has against the batch. If the connection is lost during the commit
        itself nobody can tell whether the batch was kept: who asked repeats, and finds that out by the versions.
        """
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._transaction(await self._line.connection(), batch, floor)
            except COLLIDED:
                if not tries_left:
                    raise
            except Exception as error:
                if is_away(error):
                    await self._line.drop()
                    raise unavailable(error) from error
                raise
        raise AssertionError("unreachable")

    async def _transaction(self, connection: Connection, batch: Sequence[Prepared], floor: int) -> Decision:
        async with connection.transaction():
            head = Head(*await connection.fetchrow(_sql["lock_head"], self._part))
            objects, names = needs(batch)
            held = await _held(connection, list(objects)) if objects else {}
            holders = await _holders(connection, list(names)) if names else {}
            decision = decide(batch, held, holders, head, floor)
            if not decision.empty():
                await self._store(connection, decision, holders)
        for shelf in _shelves(decision):
            if shelf not in self._shelves:
                self._shelves.add(shelf)
        return decision

    async def _store(self, connection: Connection, decision: Decision, holders: dict[NamePlace, Ref]) -> None:
        if decision.fresh:
            rows = [_fresh_row(ident, held) for ident, held in decision.fresh.items()]
            await connection.copy_records_to_table("object", columns=OBJECT, records=rows)
        if decision.moved:
            await connection.execute(_sql["update_object"], *_columns(map(_moved_row, decision.moved.values())))
        if shelves := [shelf for shelf in _shelves(decision) if shelf not in self._shelves]:
            await connection.execute(_sql["insert_shelf"], *_columns(shelves))
        if decision.touched:
            await connection.execute(
                _sql["touch_object"], *_columns((*ident, stamp) for ident, stamp in decision.touched.items())
            )
        if decision.names:
            await _name(connection, decision.names, holders)
        for table, rows in (("change", decision.changes), ("reading", decision.readings), ("message", decision.messages)):
            if rows:
                await connection.copy_records_to_table(table, records=rows)
        head = decision.head
        await connection.execute(_sql["set_head"], head.part, head.changes, head.readings, head.messages, head.stamp)
        if decision.changes:
            await connection.execute(_sql["notify"], str(head.part), str(head.changes))


async def _held(connection: Connection, idents: Sequence[Ident]) -> dict[Ident, Held]:
    found = {}
    for kind, owner, folded, key, *rest in await connection.fetch(_sql["held"], *_columns(idents)):
        found[kind, owner, folded] = Held(Ref(kind, owner, key), *rest)
    return found


async def _holders(connection: Connection, names: Sequence[NamePlace]) -> dict[NamePlace, Ref]:
    rows = await connection.fetch(_sql["holders"], *_columns(names))
    return {(row[0], row[1]): Ref(row[2], row[3], row[4]) for row in rows}


async def _name(connection: Connection, names: dict[NamePlace, Ref], holders: dict[NamePlace, Ref]) -> None:
    given = [(*place, *ident_of(ref), ref.key) for place, ref in names.items() if place not in holders]
    taken = [(*place, *ident_of(ref), ref.key) for place, ref in names.items() if place in holders]
    if given:
        await connection.execute(_sql["insert_alias"], *_columns(given))
    if taken:
        await connection.execute(_sql["take_alias"], *_columns(taken))


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Rows as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def _fresh_row(ident: Ident, held: Held) -> Row:
    return (
        *ident,
        held.ref.key,
        held.part,
        held.seq,
        held.version,
        held.created_at,
        held.last_updated,
        held.state,
        held.counterparty,
        held.deleted,
        held.digest,
        held.dialect,
        held.page,
        held.body,
    )


def _moved_row(held: Held) -> Row:
    return (
        held.id,
        held.part,
        held.seq,
        held.version,
        held.last_updated,
        held.digest,
        held.dialect,
        held.page,
        held.body,
        held.created_at,
        held.state,
        held.counterparty,
        held.deleted,
    )


def _shelves(decision: Decision) -> list[Shelf]:
    """The shelves that objects came to, each once, in an order that all writers keep."""
    moved = (decision.moved[ident] for ident in decision.reshelved if ident in decision.moved)
    held = chain(decision.fresh.values(), moved)
    return sorted({(each.ref.kind, each.ref.owner, each.state, each.deleted) for each in held})
