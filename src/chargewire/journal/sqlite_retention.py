"""Dropping what is too old, in pieces that hold the writer for milliseconds."""

from collections.abc import Sequence

import apsw

from chargewire.journal.shelves import Shelf
from chargewire.journal.statements import queries

LOGS = ("change", "reading", "message")
DAY = 86_400_000_000  # µs

_sql = queries("sqlite")


def first_kept(now: int, days: int) -> int:
    """The stamp at which the days that are kept begin (00:00 UTC)."""
    return (now // DAY - days) * DAY


def drop_from_log(connection: apsw.Connection, table: str, before: int) -> int:
    """Drop the next piece of a log; 0 when there is none."""
    connection.execute(_sql[f"retain_{table}"], (before,))
    return connection.changes()


def drop_objects(connection: apsw.Connection, shelves: Sequence[Shelf], before: int) -> int:
    """Drop the next piece of old objects of one kind, with their names; 0 when there are none."""
    for shelf in shelves:
        with connection:
            gone = connection.execute(_sql["retain_object"], (*shelf, before)).fetchall()
            connection.executemany(_sql["drop_alias"], gone)
        if gone:
            return len(gone)
    return 0
