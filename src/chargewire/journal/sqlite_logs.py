"""Walks through SQLite's readings and messages, in the order in which they were heard."""

from collections.abc import Callable
from typing import Any

import apsw
import msgspec

from chargewire.journal.memory import LogQuery, MessageRow, Page, ReadingRow
from chargewire.journal.sqlite_merge import Branch, first_ids
from chargewire.journal.statements import queries

END = 2**63 - 1

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
    """One list by session or by station, else one per owner."""
    first = (query.heard_from or 0) - 1
    if after and query.after is not None:
        first = max(first, int(query.after[0]))
    between = (first, END if query.heard_to is None else query.heard_to)
    by, names = _way_in(query, table)
    where = f"FROM {table} INDEXED BY {table}_{by} WHERE {by} = ?"
    if by == "session":
        where += " AND session <> ''"
    more, given = _filters(query, table, by)
    sql = f"{where} AND heard_at > ? AND heard_at < ?{more}"
    return [Branch(sql, (name, *between, *given)) for name in names]


def _way_in(query: LogQuery, table: str) -> tuple[str, tuple[str, ...]]:
    if table == "reading" and query.session:
        return "session", (query.session,)
    if table == "message" and query.station:
        return "station", (query.station,)
    return "owner", tuple(dict.fromkeys(query.owners))


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
