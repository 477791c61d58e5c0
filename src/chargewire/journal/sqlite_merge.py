"""Merging many lists that are each in order: which rows come first, whoever's they are."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import apsw
from msgspec import Struct

# Lists in one statement. SQLite would take 500, but a text of more than 16 KiB does not stay prepared.
MERGED = 48


class Branch(Struct, frozen=True):
    """FROM … WHERE … over one list, with the values of its places."""

    sql: str
    values: tuple[Any, ...]


def first_ids(
    connection: apsw.Connection, branches: Sequence[Branch], order: str, row_id: str, limit: int, offset: int
) -> list[int]:
    """The ids of the rows from `offset` on, by the column `order`. Each list is read only as far as it is needed."""
    pieces = [branches[start : start + MERGED] for start in range(0, len(branches), MERGED)]
    if len(pieces) == 1:
        return [row[1] for row in _merged(connection, branches, order, row_id, limit, offset)]
    found = sorted(chain.from_iterable(_merged(connection, piece, order, row_id, offset + limit, 0) for piece in pieces))
    return [row[1] for row in found[offset : offset + limit]]


def _merged(
    connection: apsw.Connection, branches: Sequence[Branch], order: str, row_id: str, limit: int, offset: int
) -> list[Any]:
    selects = " UNION ALL ".join([f"SELECT {order}, {row_id} {branch.sql}" for branch in branches])
    values = [value for branch in branches for value in branch.values]
    return connection.execute(f"{selects} ORDER BY 1 LIMIT ? OFFSET ?", [*values, limit, offset]).fetchall()
