"""Pages of logs, whose stored rows unfold into any number of records.

A page may end inside a row. Its cursor says: go on after these rows' place, skip so many whole rows, then so many records.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, NamedTuple

from msgspec import Struct

from chargewire.csms.views import CHUNK

PIECE = 200  # rows that are unfolded before others get their turn


class Place(Struct, frozen=True, array_like=True):
    """Where to go on in a log."""

    after: list[Any] | None = None  # the journal's own place
    rows: int = 0
    records: int = 0


class Chunk(NamedTuple):
    """Some rows of a log, and where the rows after them begin (None: there are none)."""

    rows: list[Any]
    next: list[Any] | None


async def unfold(
    chunks: AsyncIterator[Chunk], place: Place, records: Callable[[Any], Iterable[bytes]], skip: int, limit: int
) -> tuple[list[bytes], Place | None]:
    """At most `limit` records from a place on, after `skip` others; and the place of the next one, None at the end.

    `chunks` begin at the place's own row.
    """
    found: list[bytes] = []
    after, passed = place.after, place.rows
    inside = place.records
    async for rows, following in chunks:
        for number, row in enumerate(rows):
            if number % PIECE == PIECE - 1:
                await asyncio.sleep(0)
            for index, record in enumerate(records(row)):
                if index < inside:
                    continue
                if skip:
                    skip -= 1
                elif len(found) == limit:
                    return found, Place(after, passed + number, index)
                else:
                    found.append(record)
            inside = 0
        if following is None:
            return found, None
        after, passed = following, 0
    return found, None


def chunk_size(limit: int) -> int:
    """How many rows to read at a time for a page of so many records."""
    return min(CHUNK, limit + 1)
