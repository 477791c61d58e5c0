"""Makes durable how far the lanes have come, and holds the shards that say which lanes are ours."""

import asyncio
from time import monotonic

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Deferred, Fenced, LanePosition, Ref
from chargewire.log import trouble
from chargewire.push.fleet import SHARDS, Fleet, shard_of
from chargewire.push.lane import Lane
from chargewire.push.ledger import Saving


class Keeping:
    """Times in seconds. `lease_until` is monotonic: until then nobody else may have our shards."""

    def __init__(self, fleet: Fleet, owner: str, lease_s: float) -> None:
        self._fleet = fleet
        self._owner = owner
        self._lease_s = lease_s
        self._saving = asyncio.Lock()
        self.lease_until = 0.0

    async def claim(self) -> bool:
        """Renew our shards and take those that are free; whether they are others than before. Raises MemoryUnavailable."""
        asked = monotonic()
        epochs = await self._fleet.journal.claim_shards(self._owner, SHARDS, self._lease_s)
        changed, self._fleet.epochs = epochs != self._fleet.epochs, epochs
        self.lease_until = asked + self._lease_s
        return changed

    async def release(self) -> None:
        """Let others have our shards at once."""
        self.lease_until = 0.0
        await self._fleet.journal.claim_shards(self._owner, SHARDS, 0)

    async def save(self) -> None:
        """Keep what has changed since the last time. Raises Fenced; without memory it is kept next time."""
        async with self._saving:
            savings = [(lane, saving) for _, lane in self._fleet.lanes() if (saving := lane.saving()) is not None]
            if not savings:
                return
            epochs = self._fleet.epochs
            shards = {shard for lane, _ in savings if (shard := shard_of(lane.endpoint, lane.part)) in epochs}
            try:
                await self._fleet.journal.save_lanes(
                    {shard: epochs[shard] for shard in shards},
                    [LanePosition(lane.endpoint, lane.part, saving.cursor) for lane, saving in savings],
                    _deferred(savings),
                    _settled(savings),
                )
            except MemoryUnavailable as error:
                trouble("push.memory", why=error)
                for lane, saving in savings:
                    lane.unsaved(saving)
                return
            except Fenced:
                self.lease_until = 0.0  # nothing more is started
                raise
            self._fleet.metrics.saves += 1
            for lane, saving in savings:
                lane.saved(saving)


def _deferred(savings: list[tuple[Lane, Saving]]) -> list[Deferred]:
    return [row for _, saving in savings for row in saving.rows.values() if row is not None]


def _settled(savings: list[tuple[Lane, Saving]]) -> list[tuple[str, Ref]]:
    return [(lane.endpoint, ref) for lane, saving in savings for ref, row in saving.rows.items() if row is None]
