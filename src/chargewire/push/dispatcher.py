"""Pushes what changes to the endpoints of subscriptions: in order per object, at least once, as it is when it is sent.

The dispatcher follows the journal and the directory and needs to be told nothing. What it is made of: `following` feeds the
lanes, `pump` sends, `keeping` makes durable how far they have come.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from time import monotonic, time_ns

from chargewire.charging.errors import MemoryUnavailable
from chargewire.csms.directory import Directory
from chargewire.journal.memory import Fenced, Journal, Ref
from chargewire.log import event, trouble
from chargewire.outgoing.http import TOTAL_S, Client
from chargewire.push.fleet import Fleet, PushMetrics
from chargewire.push.following import Following
from chargewire.push.gate import WINDOW
from chargewire.push.keeping import Keeping
from chargewire.push.lane import CAP, Lane
from chargewire.push.pump import Pump, lease_guard
from chargewire.push.target import RULES, EndpointStatus, Target
from chargewire.sharing.keys import Keys, Unsealable
from chargewire.sharing.subscription import Endpoint, Subscription

ENDPOINT_TOKEN = "endpoint-token"  # noqa: S105  (the context that outgoing tokens are sealed under)
TICK_S = 0.05
SAVE_S = 0.25
LEASE_S = 20.0
RENEW_S = 4.0
DEFERRED = 100_000  # rows of one lane that are taken up
PATIENCE_S = 3.0  # for requests under way at the end


def wall_clock() -> int:
    """µs since 1970."""
    return time_ns() // 1000


class Dispatcher:
    """`start` it, `stop` it. Everything else it hears from journal and directory."""

    def __init__(
        self,
        journal: Journal,
        directory: Directory,
        keys: Keys,
        *,
        allow_private: bool = False,
        clock: Callable[[], int] = wall_clock,
        owner: str = "",
        client: Client | None = None,
        window: int = WINDOW,
        cap: int = CAP,
        lease_s: float = LEASE_S,
    ) -> None:
        """`owner` names this process among those that share a journal; an embedded journal has but one."""
        self._keys = keys
        self._window = window
        self._cap = cap
        self._fleet = Fleet(journal, directory, clock)
        self._client = client or Client(allow_private=allow_private)
        self._following = Following(self._fleet)
        name = owner or ("embedded" if journal.parts == 1 else f"{socket.gethostname()}/{os.getpid()}/{token_hex(4)}")
        self._keeping = Keeping(self._fleet, name, lease_s)
        deadline_s = min(self._client.total_s + 1, TOTAL_S + 1, lease_s / 2)
        self._pump = Pump(self._fleet, self._client, lease_guard(lambda: self._keeping.lease_until, deadline_s))
        self._renew_s = min(RENEW_S, lease_s / 5)
        self._tasks: list[asyncio.Task[None]] = []
        self._stale = True  # the directory has changed
        self._running = False
        self._begins: dict[str, dict[int, int]] = {}  # where lanes of endpoints begin that were heard of a moment ago

    @property
    def metrics(self) -> PushMetrics:
        """Counters since the start."""
        return self._fleet.metrics

    @property
    def latencies(self) -> list[int]:
        """From commit to acknowledgement, µs, of the last deliveries that were not held back on purpose."""
        return list(self._fleet.latencies)

    async def start(self) -> None:
        """Take up where the last one left off. Raises MemoryUnavailable."""
        await self._keeping.claim()
        await self._following.start()
        self._running = True
        self._fleet.directory.on_change(self._changed)
        await self._reconcile()
        self._tasks = [asyncio.create_task(self._pump.run()), asyncio.create_task(self._keep_house())]

    async def stop(self) -> None:
        """Wait a little for what is under way, keep how far each lane has come, let others go on."""
        if not self._running:
            return
        self._running = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._following.stop()
        end = monotonic() + PATIENCE_S
        while self._pump.in_flight and monotonic() < end:  # noqa: ASYNC110  (once, at the end)
            await asyncio.sleep(0.01)
        await self._pump.finish()
        with suppress(MemoryUnavailable, Fenced):
            await self._keeping.save()
            await self._keeping.release()
        for target in self._fleet.targets.values():
            target.stop()
        await self._client.close()

    def status(self) -> list[EndpointStatus]:
        """How far each endpoint has been told."""
        now = self._fleet.clock()
        return [target.status(self._fleet.positions, now) for target in self._fleet.targets.values()]

    # what changes

    def _changed(self, ref: Ref) -> None:
        """The directory has changed: what may be sent where counts from now on, the rest follows in a moment."""
        if not self._running:
            return
        for target in self._fleet.targets.values():
            self._configure(target)
            self._fleet.flag(target)
        subscription = self._fleet.directory.subscription(ref.key) if ref.kind == "subscription" else None
        for module in subscription.endpoints if subscription else ():
            self._begins.setdefault(f"{ref.key}/{module}", dict(self._fleet.positions))
        self._following.rescope()
        self._stale = True

    def _configure(self, target: Target) -> None:
        subscription = self._fleet.directory.subscription(target.subscription_id)
        endpoint = subscription.endpoints.get(target.module) if subscription else None
        if subscription is None or endpoint is None:
            target.gate.paused = True  # until it is dropped
            return
        try:
            target.configure(subscription, endpoint, self._keys.open(endpoint.token, ENDPOINT_TOKEN))
        except (Unsealable, UnicodeError, ValueError) as error:
            target.gate.paused = True
            trouble("push.misconfigured", endpoint=target.id, why=error)

    async def _reconcile(self) -> None:
        """Have a target for each endpoint, and a lane for each partition that is ours. Raises MemoryUnavailable."""
        self._stale = False
        fleet = self._fleet
        wanted = {f"{sub.id}/{module}": (sub, module, endpoint.dialect) for sub, module, endpoint in self._endpoints()}
        for gone in [target for key, target in fleet.targets.items() if key not in wanted or wanted[key][2] != target.dialect]:
            gone.stop()
            await fleet.journal.drop_lanes(gone.id)
            del fleet.targets[gone.id]
            event("push.dropped", endpoint=gone.id)
        for key, (subscription, module, dialect) in wanted.items():
            target = fleet.targets.get(key)
            if target is None:
                target = Target(subscription.id, module, dialect, self._window)
                await self._open_lanes(target)
                fleet.targets[key] = target
            else:
                await self._open_lanes(target)
            self._configure(target)
            fleet.flag(target)
        self._following.rescope()
        await self._keeping.save()  # where new lanes begin
        for key in wanted:
            self._begins.pop(key, None)

    def _endpoints(self) -> list[tuple[Subscription, str, Endpoint]]:
        return [
            (subscription, module, endpoint)
            for subscription in self._fleet.directory.subscriptions()
            if subscription.state != "ended"
            for module, endpoint in subscription.endpoints.items()
            if (endpoint.dialect, module) in RULES
        ]

    async def _open_lanes(self, target: Target) -> None:
        """Lanes of shards that we have and did not have, and none of those that we lost."""
        fleet = self._fleet
        for part in [part for part in target.lanes if fleet.epoch(target.id, part) != target.epochs[part]]:
            del target.lanes[part]  # lost, or somebody else had it meanwhile
        missing = [part for part in range(fleet.journal.parts) if part not in target.lanes]
        if not missing:
            return
        target.cursors = {lane.part: lane.cursor for lane in await fleet.journal.lanes(target.id)}
        begins = self._begins.get(target.id)
        for part in missing:
            epoch = fleet.epoch(target.id, part)
            if epoch is None:
                continue
            rows = await fleet.journal.deferred(target.id, part, DEFERRED)
            start = target.cursors.get(part)
            if start is None:  # a new endpoint hears what happens from the moment on that it was written
                start = begins[part] if begins else await self._written_at(target, part)
            lane = Lane(target.id, part, target.rules, fleet.sees(target), start, pacing=target.pacing, cap=self._cap)
            lane.restore(rows)
            target.lanes[part], target.epochs[part] = lane, epoch

    async def _written_at(self, target: Target, part: int) -> int:
        """The last change of a partition before the subscription was written as it is: numbers and stamps rise together."""
        journal = self._fleet.journal
        stored = await journal.get(Ref("subscription", "", target.subscription_id))
        low, high = 0, (await journal.heads())[part]
        while stored and low < high:
            middle = (low + high) // 2
            found = await journal.changes(part, middle, 1)
            if found and found[0].at <= stored.last_updated:
                low = found[0].seq
            else:
                high = middle
        return low if stored else high

    # housekeeping

    async def _keep_house(self) -> None:
        saved = renewed = monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = monotonic()
            try:
                if now - renewed >= self._renew_s:
                    renewed = now
                    self._stale = await self._keeping.claim() or self._stale
                if self._stale:
                    await self._reconcile()
                self._wake_due()
                self._following.catch_up()
                if now - saved >= SAVE_S:
                    saved = now
                    await self._keeping.save()
            except MemoryUnavailable as error:
                self._stale = True
                trouble("push.memory", why=error)
                await asyncio.sleep(1)
            except Fenced as error:
                trouble("push.fenced", why=error)
                self._lose()
                renewed = 0.0
            except Exception as error:
                trouble("push.housework", cause=error)

    def _wake_due(self) -> None:
        now = self._fleet.clock()
        for target, lane in self._fleet.lanes():
            due = lane.next_due()
            if (due and due <= now) or 0 < target.gate.opens_at() <= now:
                self._fleet.flag(target)

    def _lose(self) -> None:
        """Somebody else has our lanes: nothing of ours counts any more. They are read anew if we get them again."""
        self._fleet.epochs = {}
        for target in self._fleet.targets.values():
            target.stop()
        self._fleet.targets.clear()
        self._following.rescope()
        self._stale = True
