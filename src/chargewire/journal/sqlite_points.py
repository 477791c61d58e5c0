"""Reading single things from SQLite: an object by its key or a further name, changes after a number, a setting."""

from collections.abc import Sequence
from typing import Any

import apsw

from chargewire.journal.memory import Change, Ref, Stored
from chargewire.journal.prepared import ident_of, name_place
from chargewire.journal.statements import queries

_sql = queries("sqlite")


def get(connection: apsw.Connection, ref: Ref) -> Stored | None:
    """The object, deleted or not."""
    row = connection.execute(_sql["get"], ident_of(ref)).fetchone()
    return stored(row) if row else None


def get_many(connection: apsw.Connection, refs: Sequence[Ref]) -> dict[Ref, Stored]:
    """Those that exist, in one snapshot."""
    with connection:
        found = [(ref, get(connection, ref)) for ref in refs]
    return {ref: each for ref, each in found if each}


def find(connection: apsw.Connection, kind: str, name: str) -> Stored | None:
    """The object that has a further name, deleted or not."""
    row = connection.execute(_sql["find"], name_place(kind, name)).fetchone()
    return stored(row) if row else None


def changes(connection: apsw.Connection, after: int, limit: int) -> list[Change]:
    """Changes with a greater number."""
    rows: list[Any] = connection.execute(_sql["changes"], (after, limit)).fetchall()
    return [
        Change(part, seq, Ref(kind, owner, key), version, at, what) for part, seq, kind, owner, key, version, at, what in rows
    ]


def setting(connection: apsw.Connection, name: str) -> str | None:
    """The value of a setting, if it has one."""
    row = connection.execute(_sql["setting"], (name,)).fetchone()
    return row[0] if row else None


def stored(row: Sequence[Any]) -> Stored:
    """A row of the statements `get` and `find`."""
    kind, owner, key, part, seq, version, created_at, last_updated, state, counterparty, deleted, body = row
    return Stored(
        ref=Ref(kind, owner, key),
        part=part,
        seq=seq,
        version=version,
        created_at=created_at,
        last_updated=last_updated,
        state=state,
        counterparty=counterparty,
        deleted=bool(deleted),
        body=body,
    )
