"""Walks through PostgreSQL's lists of objects: each shelf by its index, merged by the database."""

from typing import Any

from chargewire.journal import plans
from chargewire.journal.memory import ListQuery, Page, Ref, Stored
from chargewire.journal.postgres_link import Connection
from chargewire.journal.rendering import Rendering, rendered_again
from chargewire.journal.statements import queries

SPREAD = 4  # but not if a walk by creation meets one among so many
END = 2**63 - 1

_sql = queries("postgres")


async def walk_stored(connection: Connection, query: ListQuery, until: int) -> Page:
    """A page of `Stored`; what was created at `until` or later is not visible yet."""
    rows, places, total = await _walk(connection, query, until, _sql["stored_columns"])
    return Page([stored(row) for row in rows], places, total)


async def walk_rendered(connection: Connection, query: ListQuery, until: int, rendering: Rendering) -> Page:
    """A page of rendered JSON."""
    columns = _sql["page_columns"].replace(":dialect", str(rendering.version))
    rows, places, total = await _walk(connection, query, until, columns)
    pages = [
        page if page is not None else rendered_again(rendering, body, created_at, last_updated)
        for page, body, created_at, last_updated, _ in rows
    ]
    return Page(pages, places, total)


async def count(connection: Connection, query: ListQuery, until: int, at_most: int | None = None) -> int:
    """How many objects the whole query has; counting stops soon after `at_most`."""
    shelves, values = _shelves(query, until, after=False, ending="")
    limit = "" if at_most is None else f"LIMIT {at_most + 1}"
    sql = _sql["count"].replace(":shelves", shelves).replace(":limit", limit)
    return int(await connection.fetchval(sql, *values))


async def _walk(
    connection: Connection, query: ListQuery, until: int, columns: str
) -> tuple[list[Any], list[Any] | None, int | None]:
    if not query.owners:
        return [], None, 0 if query.count else None
    total = await count(connection, query, until) if query.count else None
    by_update = await _by_update(connection, query, until, total)
    wanted = query.limit + 1
    ending = "" if by_update else f"ORDER BY o.created_at, o.id LIMIT {wanted + query.offset}"
    shelves, values = _shelves(query, until, after=True, ending=ending)
    sql = _sql["walk"].replace(":columns", columns).replace(":shelves", shelves)
    sql = sql.replace(":limit", str(wanted)).replace(":offset", str(query.offset))
    rows = await connection.fetch(sql, *values)
    more = len(rows) > query.limit > 0
    last = rows[query.limit - 1] if more else None
    return rows[: query.limit], [last["created_at"], last["id"], int(by_update)] if last else None, total


async def _by_update(connection: Connection, query: ListQuery, until: int, total: int | None) -> bool:
    plan = plans.by_update(query)
    if plan is not None:
        return plan
    return (await count(connection, query, until, at_most=plans.FEW) if total is None else total) <= plans.FEW


def _shelves(query: ListQuery, until: int, *, after: bool, ending: str) -> tuple[str, list[Any]]:
    """FROM … WHERE … over all shelves of a query, with its values."""
    values: list[Any] = [query.kind, list(query.owners), list(query.states), query.with_deleted]

    def place(value: int | str) -> str:
        values.append(value)
        return f"${len(values)}"

    filters = ""
    if query.counterparty:
        filters += f" AND o.counterparty = {place(query.counterparty)} AND o.counterparty <> ''"
    if query.updated_from is not None:
        filters += f" AND o.last_updated >= {place(query.updated_from)}"
    if query.updated_to is not None:
        filters += f" AND o.last_updated < {place(query.updated_to)}"
    if query.created_from is not None:
        filters += f" AND o.created_at >= {place(query.created_from)}"
    if after and query.after is not None:
        filters += f" AND (o.created_at, o.id) > ({place(int(query.after[0]))}, {place(int(query.after[1]))})"
    created_to = min(END if query.created_to is None else query.created_to, until)
    if query.updated_to is not None:
        created_to = min(created_to, query.updated_to)  # nothing is updated before it is created
    filters += f" AND o.created_at < {place(created_to)}"
    return _sql["shelves"].replace(":filters", filters).replace(":ending", ending), values


def stored(row: Any) -> Stored:
    """A row of the statements `get`, `find` and of the lists."""
    return Stored(
        ref=Ref(row[0], row[1], row[2]),
        part=row[3],
        seq=row[4],
        version=row[5],
        created_at=row[6],
        last_updated=row[7],
        state=row[8],
        counterparty=row[9],
        deleted=row[10],
        body=row[11],
    )
