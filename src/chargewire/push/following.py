"""How lanes learn of changes: one reader per partition for all that are up to date, and each by itself that is behind."""

import asyncio
from collections.abc import Coroutine

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Change, ListQuery, follow
from chargewire.log import event, trouble
from chargewire.push.entry import Walk
from chargewire.push.fleet import Fleet
from chargewire.push.lane import Lane
from chargewire.push.target import Target

BATCH = 1000
PAGE = 500
AGAIN_S = 1.0
FULL_S = 0.05

Followed = dict[tuple[str, str], list[tuple[Target, Lane]]]


class Following:
    """Feeds the lanes of a fleet. `rescope` must be called when scopes, pauses or lanes change."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._tails: list[asyncio.Task[None]] = []
        self._near: dict[int, dict[Lane, Target]] = {}  # lanes that are up to date, by partition
        self._index: dict[int, Followed] = {}  # by kind and owner; owner "" = those that must look at every one
        self._behind: dict[Lane, asyncio.Task[None]] = {}
        self._walking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin at the newest change of each partition."""
        for part, head in enumerate(await self._fleet.journal.heads()):
            self._fleet.positions[part] = head
            self._near[part] = {}
            self._tails.append(asyncio.create_task(self._tail(part)))

    async def stop(self) -> None:
        tasks = [*self._tails, *self._behind.values(), *self._walking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def rescope(self) -> None:
        """Scopes, pauses or lanes have changed."""
        self._index.clear()
        for near in self._near.values():
            for lane, target in list(near.items()):
                if not target.alive or target.gate.paused or lane is not target.lanes.get(lane.part):
                    del near[lane]
        for target, lane in self._fleet.lanes():
            self._walk_new_owners(target, lane)
        self.catch_up()

    def catch_up(self) -> None:
        """Let the lanes that are behind read, if they have room."""
        for target, lane in self._fleet.lanes():
            if lane not in self._near[lane.part] and lane not in self._behind and _may_read(target, lane):
                self._behind[lane] = self._task(self._read_behind(target, lane), lane)

    def _task(self, work: Coroutine[None, None, None], lane: Lane) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._behind.pop(lane, None))
        return task

    # up to date

    async def _tail(self, part: int) -> None:
        positions = self._fleet.positions
        while True:
            try:
                async for batch in follow(self._fleet.journal, part, positions[part]):
                    self._route(part, batch)
                    positions[part] = batch[-1].seq
            except MemoryUnavailable as error:
                trouble("push.memory", why=error)
                await asyncio.sleep(AGAIN_S)

    def _route(self, part: int, batch: list[Change]) -> None:
        fleet, near = self._fleet, self._near[part]
        index = self._index.get(part)
        if index is None:
            index = self._index[part] = self._indexed(near)
        now, full = fleet.clock(), False
        fleet.metrics.changes_read += len(batch)
        for change in batch:
            ref = change.ref
            for key in ((ref.kind, ref.owner), (ref.kind, "")):
                for target, lane in index.get(key, ()):
                    if change.seq > lane.read:
                        lane.note(ref, change.seq, change.at, change.what, now)
                        fleet.flag(target)
                        full = full or lane.full()
        for lane in near:
            lane.advance(batch[-1].seq)
        if full:  # they go on by themselves when there is room
            for lane in [lane for lane in near if lane.full()]:
                del near[lane]
            self._index.pop(part, None)

    def _indexed(self, near: dict[Lane, Target]) -> Followed:
        index: Followed = {}
        for lane, target in near.items():
            scope = self._fleet.scope(target)
            if scope is None:
                continue
            owners = {""} if scope.issuers(target.module, "push") else scope.owners(target.module, "push")
            for kind in target.rules.kinds:
                for owner in owners:
                    index.setdefault((kind, owner), []).append((target, lane))
        return index

    # behind

    async def _read_behind(self, target: Target, lane: Lane) -> None:
        """Read until the lane is up to date, or may not read on."""
        journal, positions = self._fleet.journal, self._fleet.positions
        try:
            while _may_read(target, lane):
                if lane.read >= positions[lane.part]:
                    self._near[lane.part][lane] = target
                    self._index.pop(lane.part, None)
                    return
                batch = await journal.changes(lane.part, lane.read, BATCH)
                if not _may_read(target, lane):
                    return
                if not batch or batch[0].seq > lane.read + 1:
                    self._resync(target, lane)
                if not batch:
                    lane.advance(positions[lane.part])
                    continue
                self._note(target, lane, batch)
        except MemoryUnavailable as error:
            trouble("push.memory", why=error)
            await asyncio.sleep(AGAIN_S)

    def _note(self, target: Target, lane: Lane, batch: list[Change]) -> None:
        now, scope = self._fleet.clock(), self._fleet.scope(target)
        self._fleet.metrics.changes_read += len(batch)
        if scope is not None:
            owners, kinds = scope.owners(target.module, "push"), target.rules.kinds
            every = bool(scope.issuers(target.module, "push"))
            for change in batch:
                if change.ref.kind in kinds and (every or change.ref.owner in owners):
                    lane.note(change.ref, change.seq, change.at, change.what, now)
        lane.advance(batch[-1].seq)
        self._fleet.flag(target)

    # from the objects

    def _resync(self, target: Target, lane: Lane) -> None:
        """Changes after the lane's cursor are kept no more: look at the objects themselves."""
        scope = self._fleet.scope(target)
        if scope is None:
            return
        every = scope.issuers(target.module, "push")
        owners = (cpo.party for cpo in self._fleet.directory.cpos()) if every else scope.owners(target.module, "push")
        event("push.resync", endpoint=target.id, part=lane.part, after=lane.read)
        self._walk(target, lane, Walk(frozenset(owners), newer_than=max(lane.read, 1)), target.rules.kinds)

    def _walk_new_owners(self, target: Target, lane: Lane) -> None:
        """Tell of everything that owners have who came into the scope."""
        scope = self._fleet.scope(target)
        if scope is None or not target.rules.from_beginning or target.gate.paused:
            return
        owners = scope.owners(target.module, "push")
        lane.forget_walked(lane.walked - owners)
        on_the_way = {owner for walk in lane.walks if not walk.newer_than for owner in walk.owners}
        if fresh := owners - lane.walked - on_the_way:
            self._walk(target, lane, Walk(frozenset(fresh)), target.rules.walked)

    def _walk(self, target: Target, lane: Lane, walk: Walk, kinds: tuple[str, ...]) -> None:
        lane.begin(walk)
        task = asyncio.create_task(self._walk_all(target, lane, walk, kinds))
        self._walking.add(task)
        task.add_done_callback(self._walking.discard)

    async def _walk_all(self, target: Target, lane: Lane, walk: Walk, kinds: tuple[str, ...]) -> None:
        with_deleted = target.rules.tells_deleted and walk.newer_than > 0
        for kind in kinds:
            after: tuple[object, ...] | None = None
            while True:
                while lane.full():  # noqa: ASYNC110  (a lane knows no event loop)
                    await asyncio.sleep(FULL_S)
                query = ListQuery(
                    kind=kind, owners=tuple(sorted(walk.owners)), after=after, limit=PAGE, with_deleted=with_deleted
                )
                try:
                    page = await self._fleet.journal.walk(query)
                except MemoryUnavailable as error:
                    trouble("push.memory", why=error)
                    await asyncio.sleep(AGAIN_S)
                    continue
                for stored in page.rows:
                    if stored.part == lane.part and stored.seq > walk.newer_than:
                        lane.walk_to(walk, stored.ref)
                self._fleet.flag(target)
                if page.next is None:
                    break
                after = tuple(page.next)
        lane.walked_through(walk)


def _may_read(target: Target, lane: Lane) -> bool:
    return target.alive and not target.gate.paused and not lane.full() and target.lanes.get(lane.part) is lane
