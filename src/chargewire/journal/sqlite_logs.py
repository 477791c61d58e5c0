"""Walks through SQLite's readings and messages, in the order in which they were heard."""

from collections.abc import Callable, Iterator
from typing import Any

import apsw
import msgspec

from chargewire.journal.memory import LogQuery, MessageRow, Page, ReadingRow
from chargewire.journal.sqlite_merge import Branch, first_ids
from chargewire.journal.statements import queries

END = 2**63 - 1
BLOCK = 12  # bits of a number within a block of the indexes by session and by station, as in the schema
MOST_BLOCKS = 64

_sql = queries("sqlite")


def walk_readings(connection: apsw.Connection, query: LogQuery) -> Page:
    """A page of `ReadingRow`."""
    return _walk(connection, query, "reading", ReadingRow)


def walk_messages(connection: apsw.Connection, query: LogQuery) -> Page:
    """A page of `MessageRow`."""
    return _walk(connection, query, "message", MessageRow)


def _walk(connection: apsw.Connection, query: LogQuery, table: str, row_of: Callable[..., Any]) -> Page:
    if not query.owners:
        return Page([], None, 0 if query.count else None)
    with connection:  # one snapshot
        narrow = _narrow(query, table)
        if narrow:
            ids, total = _of_one(connection, query, table, *narrow)
        else:
            total = _count(connection, query, table) if query.count else None
            branches = _branches(query, table, after=True)
            ids = first_ids(connection, branches, "heard_at", "seq", query.limit + 1, query.offset)
        sql = _sql["log_rows"].replace(":columns", _sql[f"{table}_columns"]).replace(":table", table)
        rows: list[Any] = connection.execute(sql, (str(ids),)).fetchall()
    rows.sort(key=lambda row: row[1])
    found = [row_of(*row) for row in rows[: query.limit]]
    more = len(rows) > query.limit > 0
    return Page(found, [found[-1].heard_at, found[-1].part] if more else None, total)


def _count(connection: apsw.Connection, query: LogQuery, table: str) -> int:
    counts = (
        next(connection.execute(f"SELECT count(*) {branch.sql}", branch.values))[0]
        for branch in _branches(query, table, after=False)
    )
    return sum(counts)


def _branches(query: LogQuery, table: str, *, after: bool) -> list[Branch]:
    """One list per owner."""
    first = (query.heard_from or 0) - 1
    if after and query.after is not None:
        first = max(first, int(query.after[0]))
    between = (first, END if query.heard_to is None else query.heard_to)
    more, given = _filters(query, table, "owner")
    sql = f"FROM {table} INDEXED BY {table}_owner WHERE owner = ? AND heard_at > ? AND heard_at < ?{more}"
    return [Branch(sql, (name, *between, *given)) for name in dict.fromkeys(query.owners)]


def _narrow(query: LogQuery, table: str) -> tuple[str, str] | None:
    """The column and its value, if only the rows of one session or one station are asked for."""
    if table == "reading" and query.session:
        return "session", query.session
    if table == "message" and query.station:
        return "station", query.station
    return None


def _of_one(connection: apsw.Connection, query: LogQuery, table: str, by: str, name: str) -> tuple[list[int], int | None]:
    """The numbers of a page of rows of one session or station, and how many there are in all if that is asked for.

    Numbers and times rise together, so a span of time is a span of numbers, and that a row of blocks of the index.
    """
    more, given = _filters(query, table, by)
    if by == "session":
        more += " AND o.session <> ''"
    sql = _sql["log_of_one"].replace(":table", table).replace(":by", by).replace(":filter", more)
    low = _first_since(connection, table, query.heard_from or 0)
    end = _first_since(connection, table, END if query.heard_to is None else query.heard_to)
    begin = low if query.after is None else max(low, _first_since(connection, table, int(query.after[0]) + 1))
    wanted = query.offset + query.limit + 1
    found: list[int] = []
    for blocks in _blocks(begin, end):
        found += sorted(row[0] for row in connection.execute(sql, (str(blocks), name, begin, end, *given)))
        if len(found) >= wanted:
            break
    total = None
    if query.count:
        every = str(list(range(low >> BLOCK, (end >> BLOCK) + 1)))
        total = len(connection.execute(sql, (every, name, low, end, *given)).fetchall())
    return found[query.offset : wanted], total


def _blocks(begin: int, end: int) -> Iterator[list[int]]:
    """The blocks of some numbers, in ever larger portions: a page of a busy station needs few of them."""
    block, last, size = begin >> BLOCK, (end - 1) >> BLOCK, 1
    while block <= last:
        yield list(range(block, min(block + size, last + 1)))
        block, size = block + size, min(size * 2, MOST_BLOCKS)


def _first_since(connection: apsw.Connection, table: str, heard_at: int) -> int:
    """The first number that was heard at or after a moment; numbers are kept without gaps."""
    low, high = next(connection.execute(_sql["log_bounds"].replace(":table", table)))
    heard_sql = _sql["log_heard_at"].replace(":table", table)
    while low < high:
        middle = (low + high) // 2
        heard = next(connection.execute(heard_sql, (middle,)))[0]
        low, high = (middle + 1, high) if heard < heard_at else (low, middle)
    return int(low)


def _filters(query: LogQuery, table: str, by: str) -> tuple[str, list[Any]]:
    sql, values = "", []
    if by != "owner":
        sql += " AND owner IN (SELECT value FROM json_each(?))"
        values.append(msgspec.json.encode(query.owners).decode())
    if query.station and by != "station":
        sql += " AND station = ?"
        values.append(query.station)
    if query.action and table == "message":
        sql += " AND action = ?"
        values.append(query.action)
    return sql, values
