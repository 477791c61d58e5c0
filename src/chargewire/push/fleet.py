"""What the parts of the dispatcher share: the targets, who has something to do, and what was counted."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from zlib import crc32

from msgspec import Struct

from chargewire.csms.directory import Directory
from chargewire.journal.memory import Journal
from chargewire.push.lane import Lane
from chargewire.push.target import Target
from chargewire.sharing.scope import Scope

SHARDS = 64  # what processes share the lanes by; fixed, as lanes are assigned by it
LATENCIES = 20_000


class PushMetrics(Struct):
    """Counters since the start. Latency: from the commit of a change to its acknowledgement, deliberate waiting left out."""

    delivered: int = 0
    not_delivered: dict[str, int] = {}  # by kind of verdict
    bytes_sent: int = 0
    changes_read: int = 0
    objects_loaded: int = 0
    saves: int = 0
    latency_us: int = 0
    latency_count: int = 0


def shard_of(endpoint: str, part: int) -> int:
    """The shard that a lane belongs to."""
    return crc32(f"{endpoint}/{part}".encode()) % SHARDS


class Fleet:
    """`flag` wakes the pump for a target."""

    def __init__(self, journal: Journal, directory: Directory, clock: Callable[[], int]) -> None:
        self.journal = journal
        self.directory = directory
        self.clock = clock
        self.targets: dict[str, Target] = {}
        self.epochs: dict[int, int] = {}  # our shards
        self.positions: dict[int, int] = {}  # of each partition, the newest change that was read
        self.metrics = PushMetrics()
        self.latencies: deque[int] = deque(maxlen=LATENCIES)  # µs
        self.flagged: set[Target] = set()
        self.wake = asyncio.Event()

    def flag(self, target: Target) -> None:
        """The target may have something to send."""
        self.flagged.add(target)
        self.wake.set()

    def lanes(self) -> Iterator[tuple[Target, Lane]]:
        """All lanes that are ours."""
        for target in self.targets.values():
            for lane in target.lanes.values():
                yield target, lane

    def epoch(self, endpoint: str, part: int) -> int | None:
        """The epoch of a lane's shard; None if it is not ours."""
        return self.epochs.get(shard_of(endpoint, part))

    def scope(self, target: Target) -> Scope | None:
        """What the target's subscription may see now."""
        return self.directory.scope(target.subscription_id)

    def sees(self, target: Target) -> Callable[[str, str], bool]:
        """The second look at the scope, when an object is about to be sent."""
        scope_of, subscription_id, module = self.directory.scope, target.subscription_id, target.module

        def sees(owner: str, counterparty: str) -> bool:
            scope = scope_of(subscription_id)
            return scope is not None and scope.sees(module, "push", owner, counterparty)

        return sees
