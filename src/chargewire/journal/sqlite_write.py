"""The writing side of SQLite: one batch is one transaction, few statements with many rows each.

Many rows per statement is more than speed: SQLite lets go of the interpreter's lock once per step, and every time it comes
back it may have to wait for the event loop.

What the last batches wrote is remembered (this is the only writer), so a hot object is not read again before each write.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import apsw

from chargewire.journal.batch import Decision, Head, Held, Row, decide, needs
from chargewire.journal.memory import Ref
from chargewire.journal.prepared import Ident, NamePlace, Prepared, ident_of
from chargewire.journal.shelves import Shelf, Shelves
from chargewire.journal.statements import queries

CHUNKS = (64, 8, 1)  # rows of one statement; few sizes, so that the statements stay prepared
REMEMBERED = 50_000  # objects


def chunks(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    """The rows in pieces of the sizes that statements are prepared for."""
    start = 0
    for size in CHUNKS:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


class Statements:
    """The named statements, with room for several rows."""

    def __init__(self) -> None:
        self.one = queries("sqlite")
        self._many: dict[tuple[str, int, int], str] = {}

    def many(self, name: str, rows: int, width: int) -> str:
        """The statement with places for `rows` rows of `width` values."""
        key = (name, rows, width)
        if key not in self._many:
            row = f"({', '.join('?' * width)})"
            self._many[key] = self.one[name].replace(":rows", ", ".join([row] * rows))
        return self._many[key]


class BatchWriter:
    """Writes batches through the one writing connection. Not for more than one thread."""

    def __init__(self, connection: apsw.Connection, shelves: Shelves) -> None:
        self._connection = connection
        self._shelves = shelves  # shared with the readers
        self._new_shelves: list[Shelf] = []
        self._sql = Statements()
        self._remembered: dict[Ident, Held] = {}
        self._last_id: int | None = None

    def write(self, batch: Sequence[Prepared], floor: int) -> Decision:
        """Commit a batch; what a unit is told is in the decision. If this raises, nothing of the batch is kept."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            decision = self._decide(batch, floor)
            if not decision.empty():
                self._store(decision)
            execute("COMMIT")
        except BaseException:
            self.forget()
            if not self._connection.get_autocommit():
                execute("ROLLBACK")
            raise
        self._tidy(decision)
        return decision

    def forget(self) -> None:
        """What is remembered may differ from what is stored: read it again."""
        self._remembered.clear()
        self._new_shelves.clear()
        self._last_id = None

    def _decide(self, batch: Sequence[Prepared], floor: int) -> Decision:
        head = Head(*next(self._connection.execute(self._sql.one["head"])))
        objects, names = needs(batch)
        self._read_held([ident for ident in objects if ident not in self._remembered])
        return decide(batch, self._remembered, self._holders(names), head, floor)

    def _read_held(self, idents: Sequence[Ident]) -> None:
        for kind, owner, folded, key, *rest in self._select("held", idents):
            rest[-2] = bool(rest[-2])
            self._remembered[kind, owner, folded] = Held(Ref(kind, owner, key), *rest)

    def _holders(self, names: Iterable[NamePlace]) -> dict[NamePlace, Ref]:
        return {(row[0], row[1]): Ref(*row[2:]) for row in self._select("holders", list(names))}

    def _select(self, name: str, rows: Sequence[Row]) -> Iterable[list[Any]]:
        for piece in chunks(rows):
            sql = self._sql.many(name, len(piece), len(piece[0]))
            yield from map(list, self._connection.execute(sql, list(chain.from_iterable(piece))).fetchall())

    def _store(self, decision: Decision) -> None:
        if decision.fresh:
            self._insert("insert_object", [self._fresh_row(ident, held) for ident, held in decision.fresh.items()])
        if decision.moved:
            self._update(decision)
        if decision.fresh or decision.reshelved:
            self._shelve(decision)
        for ident, stamp in decision.touched.items():
            self._connection.execute(self._sql.one["touch_object"], (*ident, stamp))
        if decision.names:
            rows = [(*place, *ident_of(ref), ref.key) for place, ref in decision.names.items()]
            self._insert("insert_alias", rows)
        self._insert("insert_change", decision.changes)
        self._insert("insert_reading", decision.readings)
        self._insert("insert_message", decision.messages)
        head = decision.head
        self._connection.execute(self._sql.one["set_head"], (head.changes, head.readings, head.messages, head.stamp))

    def _fresh_row(self, ident: Ident, held: Held) -> Row:
        if self._last_id is None:
            self._last_id = int(next(self._connection.execute(self._sql.one["last_id"]))[0])
        self._last_id += 1
        held.id = self._last_id
        return (
            held.id,
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

    def _update(self, decision: Decision) -> None:
        plain: list[Row] = []
        reshelved: list[Row] = []
        for ident, held in decision.moved.items():
            row = (
                held.id,
                held.part,
                held.seq,
                held.version,
                held.last_updated,
                held.digest,
                held.dialect,
                held.page,
                held.body,
            )
            if ident in decision.reshelved:
                reshelved.append((*row, held.created_at, held.state, held.counterparty, held.deleted))
            else:
                plain.append(row)
        self._insert("update_object", plain)
        self._insert("reshelve_object", reshelved)

    def _shelve(self, decision: Decision) -> None:
        for ident in chain(decision.fresh, decision.reshelved):
            held = self._remembered[ident]
            shelf = (held.ref.kind, held.ref.owner, held.state, held.deleted)
            if shelf not in self._shelves and shelf not in self._new_shelves:
                self._new_shelves.append(shelf)
        self._insert("insert_shelf", self._new_shelves)

    def _insert(self, name: str, rows: Sequence[Row]) -> None:
        for piece in chunks(rows):
            sql = self._sql.many(name, len(piece), len(piece[0]))
            self._connection.execute(sql, list(chain.from_iterable(piece)))

    def _tidy(self, decision: Decision) -> None:
        for shelf in self._new_shelves:
            self._shelves.add(shelf)
        self._new_shelves.clear()
        for held in chain(decision.fresh.values(), decision.moved.values()):
            held.body, held.page = b"", None
        if len(self._remembered) > REMEMBERED:
            for ident in list(self._remembered)[: REMEMBERED // 2]:
                del self._remembered[ident]
