"""Walks through PostgreSQL's readings and messages, in the order in which they were heard."""

from collections.abc import Callable
from typing import Any

from chargewire.journal.memory import LogQuery, MessageRow, Page, ReadingRow
from chargewire.journal.postgres_link import Connection
from chargewire.journal.statements import queries

END = 2**63 - 1

_sql = queries("postgres")


async def walk_readings(connection: Connection, query: LogQuery, until: int) -> Page:
    """A page of `ReadingRow`; what was heard at `until` or later is not visible yet."""
    return await _walk(connection, query, until, "reading", ReadingRow)


async def walk_messages(connection: Connection, query: LogQuery, until: int) -> Page:
    """A page of `MessageRow`; what was heard at `until` or later is not visible yet."""
    return await _walk(connection, query, until, "message", MessageRow)


async def _walk(connection: Connection, query: LogQuery, until: int, table: str, row_of: Callable[..., Any]) -> Page:
    if not query.owners:
        return Page([], None, 0 if query.count else None)
    total = None
    if query.count:
        source, values = _source(query, until, table, after=False, ending="")
        total = await connection.fetchval(f"SELECT count(*) {source}", *values)
    order = "ORDER BY o.heard_at, o.part"
    ending = f"{order} LIMIT {query.limit + 1 + query.offset}"
    source, values = _source(query, until, table, after=True, ending=ending)
    sql = f"SELECT {_sql[f'{table}_columns']} {source} {order} LIMIT {query.limit + 1} OFFSET {query.offset}"
    rows = await connection.fetch(sql, *values)
    found = [row_of(*row) for row in rows[: query.limit]]
    more = len(rows) > query.limit > 0
    return Page(found, [found[-1].heard_at, found[-1].part] if more else None, total)


def _source(query: LogQuery, until: int, table: str, *, after: bool, ending: str) -> tuple[str, list[Any]]:
    values: list[Any] = [list(dict.fromkeys(query.owners))]

    def place(value: int | str) -> str:
        values.append(value)
        return f"${len(values)}"

    if table == "reading" and query.session:
        source = _sql["log_by_session"].replace(":name", place(query.session))
    elif table == "message" and query.station:
        source = _sql["log_by_station"].replace(":name", place(query.station))
    else:
        source = _sql["log_by_owner"]
    filters = f" AND o.heard_at < {place(until if query.heard_to is None else min(query.heard_to, until))}"
    if query.heard_from is not None:
        filters += f" AND o.heard_at >= {place(query.heard_from)}"
    if after and query.after is not None:
        filters += f" AND (o.heard_at, o.part) > ({place(int(query.after[0]))}, {place(int(query.after[1]))})"
    if query.station and table == "reading":
        filters += f" AND o.station = {place(query.station)}"
    if query.action and table == "message":
        filters += f" AND o.action = {place(query.action)}"
    return source.replace(":table", table).replace(":filters", filters).replace(":ending", ending), values
