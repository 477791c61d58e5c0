"""Walks through SQLite's lists of objects. Several lists are merged by the database, each read in its own order."""
# ruff: noqa: S608 -- statements are put together from parts written here and in queries.sql; every value is bound

from collections.abc import Callable, Sequence
from typing import Any

import apsw

from chargewire.journal import plans
from chargewire.journal.memory import ListQuery, Page, Stored
from chargewire.journal.rendering import Rendering, rendered_again
from chargewire.journal.shelves import Shelf
from chargewire.journal.sqlite_merge import Branch, first_ids
from chargewire.journal.sqlite_points import stored
from chargewire.journal.statements import queries

SPREAD = 4  # but not if a walk by creation meets one among so many
BEGINNING, END = -1, 2**63 - 1

Row = tuple[Any, ...]
_sql = queries("sqlite")


def walk_stored(connection: apsw.Connection, query: ListQuery, shelves: Sequence[Shelf]) -> Page:
    """A page of `Stored`."""
    return _walk(connection, query, shelves, "stored_columns", _stored_by_creation)


def walk_rendered(connection: apsw.Connection, query: ListQuery, shelves: Sequence[Shelf], rendering: Rendering) -> Page:
    """A page of rendered JSON."""

    def page(row: Row) -> bytes:
        created_at, object_id, page, dialect = row
        if dialect == rendering.version:
            return page  # type: ignore[no-any-return]
        body, last_updated = next(connection.execute(_sql["page_again"], (object_id,)))
        return rendered_again(rendering, body, created_at, last_updated)

    return _walk(connection, query, shelves, "page_columns", page)


def count(connection: apsw.Connection, query: ListQuery, shelves: Sequence[Shelf], at_most: int | None = None) -> int:
    """How many objects the whole query has; counting stops soon after `at_most`."""
    total = 0
    for shelf in shelves:
        branch = _branch(query, shelf, by_update=_filters_updates(query), after=False)
        sql = f"SELECT 1 {branch.sql}" + ("" if at_most is None else " LIMIT ?")
        values = branch.values if at_most is None else (*branch.values, at_most + 1 - total)
        total += next(connection.execute(f"SELECT count(*) FROM ({sql})", values))[0]
        if at_most is not None and total > at_most:
            break
    return total


def _walk(
    connection: apsw.Connection, query: ListQuery, shelves: Sequence[Shelf], columns: str, row_of: Callable[[Row], Any]
) -> Page:
    if not shelves:
        return Page([], None, 0 if query.count else None)
    with connection:  # one snapshot for all that follows
        total = count(connection, query, shelves) if query.count else None
        by_update = _by_update(connection, query, shelves, total)
        rows = _rows(connection, query, shelves, columns, by_update=by_update)
        found = [row_of(row) for row in rows[: query.limit]]
    more = len(rows) > query.limit > 0
    last = rows[query.limit - 1] if more else None
    return Page(found, [last[0], last[1], int(by_update)] if last else None, total)


def _by_update(connection: apsw.Connection, query: ListQuery, shelves: Sequence[Shelf], total: int | None) -> bool:
    plan = plans.by_update(query)
    if plan is not None:
        return plan
    return (count(connection, query, shelves, at_most=plans.FEW) if total is None else total) <= plans.FEW


def _filters_updates(query: ListQuery) -> bool:
    return query.updated_from is not None or query.updated_to is not None


def _rows(
    connection: apsw.Connection, query: ListQuery, shelves: Sequence[Shelf], columns: str, *, by_update: bool
) -> list[Row]:
    """One row more than asked for, if there is one."""
    branches = [_branch(query, shelf, by_update=by_update, after=True) for shelf in shelves]
    if len(branches) == 1 and not query.offset:
        sql = f"SELECT {_sql[columns]} {branches[0].sql} ORDER BY o.created_at LIMIT ?"
        return connection.execute(sql, (*branches[0].values, query.limit + 1)).fetchall()
    ids = first_ids(connection, branches, "o.created_at", "o.id", query.limit + 1, query.offset)
    sql = _sql["objects"].replace(":columns", _sql[columns])
    return sorted(connection.execute(sql, (str(ids),)).fetchall(), key=lambda row: row[0])


def _branch(query: ListQuery, shelf: Shelf, *, by_update: bool, after: bool) -> Branch:
    """All of one shelf that the query is about; `after`: only what follows the page before."""
    values: list[Any] = list(shelf)
    if query.counterparty and not by_update:
        parts = [_sql["on_counterparty_shelf"]]
        values.append(query.counterparty)
    else:
        parts = [_sql["on_shelf"].replace(":index", "object_updated" if by_update else "object_created")]
    if by_update or _filters_updates(query):
        parts.append(_sql["updated_between"])
        values += [_or(query.updated_from, BEGINNING), _or(query.updated_to, END)]
    if query.counterparty and by_update:
        parts.append(_sql["of_counterparty"])
        values.append(query.counterparty)
    parts.append(_sql["created_between"])
    values += _created_between(query, after=after)
    return Branch(" ".join(parts), tuple(values))


def _created_between(query: ListQuery, *, after: bool) -> tuple[int, int]:
    """Both ends exclusive. Nothing is updated before it is created, so the end of the updates is one of the creations."""
    first = _or(query.created_from, 0) - 1
    if after and query.after is not None:
        first = max(first, int(query.after[0]))
    return first, min(_or(query.created_to, END), _or(query.updated_to, END))


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _stored_by_creation(row: Row) -> Stored:
    created_at, _, kind, owner, key, part, seq, version, *rest = row
    return stored((kind, owner, key, part, seq, version, created_at, *rest))
