"""What push keeps in SQLite: shards with their epochs, cursors of lanes, deferred keys. The clock is the process's own."""

from collections.abc import Mapping, Sequence
from typing import Any

import apsw

from chargewire.journal.memory import Deferred, Fenced, LanePosition, Ref
from chargewire.journal.statements import queries

_sql = queries("sqlite")


def claim(connection: apsw.Connection, owner: str, shards: int, now: int, until: int) -> dict[int, int]:
    """Renew the shards of `owner`, take those whose lease is over; all that it has now, with their epochs."""
    with connection:
        connection.executemany(_sql["claim_missing"], ((shard,) for shard in range(shards)))
        connection.execute(_sql["renew_shards"], (owner, until, shards))
        connection.execute(_sql["claim_shards"], (owner, until, shards, now))
        rows: list[Any] = connection.execute(_sql["own_shards"], (owner, shards)).fetchall()
    return dict(rows)


def save(
    connection: apsw.Connection,
    epochs: Mapping[int, int],
    lanes: Sequence[LanePosition],
    deferred: Sequence[Deferred],
    settled: Sequence[tuple[str, Ref]],
) -> None:
    """All or nothing. Raises Fenced."""
    with connection:
        for shard, epoch in epochs.items():
            if connection.execute(_sql["epoch"], (shard,)).get != epoch:
                raise Fenced(f"shard {shard} has another owner")
        connection.executemany(_sql["settle_deferred"], ((endpoint, *ref) for endpoint, ref in settled))
        connection.executemany(_sql["save_deferred"], map(_row, deferred))
        connection.executemany(_sql["save_lane"], ((lane.endpoint, lane.part, lane.cursor) for lane in lanes))


def drop(connection: apsw.Connection, endpoint: str) -> None:
    """Forget the lanes and the deferred keys of an endpoint."""
    with connection:
        connection.execute(_sql["drop_lane"], (endpoint,))
        connection.execute(_sql["drop_deferred"], (endpoint,))


def lanes(connection: apsw.Connection, endpoint: str) -> list[LanePosition]:
    """The cursors of an endpoint."""
    return [LanePosition(*row) for row in connection.execute(_sql["lanes"], (endpoint,))]


def deferred(connection: apsw.Connection, endpoint: str, part: int, limit: int) -> list[Deferred]:
    """Deferred keys by due time, parked ones last."""
    return [
        Deferred(
            endpoint=endpoint,
            part=part,
            ref=Ref(kind, owner, key),
            due=due,
            attempts=attempts,
            state=state,
            code=code,
            error=error,
            memo=memo,
        )
        for endpoint, part, kind, owner, key, due, attempts, state, code, error, memo in connection.execute(
            _sql["deferred"], (endpoint, part, limit)
        )
    ]


def _row(item: Deferred) -> tuple[object, ...]:
    return (
        item.endpoint,
        item.part,
        *item.ref,
        item.due,
        item.attempts,
        item.state,
        item.code,
        item.error,
        item.memo,
    )
