"""What push keeps in PostgreSQL: shards with their epochs, cursors of lanes, deferred keys. Leases go by the server's clock."""

from collections.abc import Mapping, Sequence

from chargewire.journal.memory import Deferred, Fenced, LanePosition, Ref
from chargewire.journal.postgres_link import Connection
from chargewire.journal.statements import queries

_sql = queries("postgres")


async def claim(connection: Connection, owner: str, shards: int, lease_s: float) -> dict[int, int]:
    """Renew the shards of `owner`, take those whose lease is over; all that it has now, with their epochs."""
    async with connection.transaction():
        await connection.execute(_sql["claim_missing"], shards)
        await connection.execute(_sql["renew_shards"], owner, shards, lease_s)
        await connection.execute(_sql["claim_shards"], owner, shards, lease_s)
        return dict(await connection.fetch(_sql["own_shards"], owner, shards))


async def save(
    connection: Connection,
    epochs: Mapping[int, int],
    lanes: Sequence[LanePosition],
    deferred: Sequence[Deferred],
    settled: Sequence[tuple[str, Ref]],
) -> None:
    """All or nothing. Raises Fenced."""
    async with connection.transaction():
        now = dict(await connection.fetch(_sql["epochs"], list(epochs)))
        for shard, epoch in epochs.items():
            if now.get(shard) != epoch:
                raise Fenced(f"shard {shard} has another owner")
        if settled:
            await connection.executemany(_sql["settle_deferred"], [(endpoint, *ref) for endpoint, ref in settled])
        if deferred:
            await connection.executemany(_sql["save_deferred"], list(map(_row, deferred)))
        last = {(lane.endpoint, lane.part): lane.cursor for lane in lanes}
        if last:
            endpoints, parts = zip(*sorted(last), strict=True)
            await connection.execute(_sql["save_lanes"], endpoints, parts, [last[key] for key in sorted(last)])


async def drop(connection: Connection, endpoint: str) -> None:
    """Forget the lanes and the deferred keys of an endpoint."""
    await connection.execute(_sql["drop_lanes"], endpoint)


async def lanes(connection: Connection, endpoint: str) -> list[LanePosition]:
    """The cursors of an endpoint."""
    return [LanePosition(*row) for row in await connection.fetch(_sql["lanes"], endpoint)]


async def deferred(connection: Connection, endpoint: str, part: int, limit: int) -> list[Deferred]:
    """Deferred keys by due time, parked ones last."""
    return [
        Deferred(
            endpoint=row["endpoint"],
            part=row["part"],
            ref=Ref(row["kind"], row["owner"], row["key"]),
            due=row["due"],
            attempts=row["attempts"],
            state=row["state"],
            code=row["code"],
            error=row["error"],
            memo=row["memo"],
        )
        for row in await connection.fetch(_sql["deferred"], endpoint, part, limit)
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
