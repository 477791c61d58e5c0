"""Takes keys from the lanes, loads what they name, sends it, and tells the lanes what came of it.

Everything that is ready at one moment is loaded by one call of the journal and made once, however many endpoints it goes to.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from time import monotonic

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Ref
from chargewire.log import event, trouble
from chargewire.outgoing.connection import Answer, Result
from chargewire.outgoing.http import Client
from chargewire.push.fleet import Fleet
from chargewire.push.lane import Lane
from chargewire.push.located import Located
from chargewire.push.rules import SECOND, Loaded, Rules, Send
from chargewire.push.target import Target
from chargewire.push.verdict import OK, Verdict, judge

AT_ONCE = 64  # objects that are made before others get their turn on the loop
AGAIN_S = 0.5

Taken = tuple[Target, Lane, Ref]


class Pump:
    """`run` it as a task. `may_start`: whether a request may begin now (the lease outlives its deadline)."""

    def __init__(self, fleet: Fleet, client: Client, may_start: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._client = client
        self._may_start = may_start
        self._located = Located(fleet.journal)
        self._prefix = token_hex(6)
        self._number = 0
        self.in_flight = 0

    async def finish(self) -> None:
        """Wait for what is kept of the last answers."""
        await self._located.finish()

    async def run(self) -> None:
        """Send what there is to send, for ever."""
        fleet = self._fleet
        while True:
            await fleet.wake.wait()
            fleet.wake.clear()
            if not self._may_start():
                await asyncio.sleep(AGAIN_S)
                fleet.wake.set()
                continue
            taken = self._take()
            if not taken:
                continue
            try:
                loaded = await self._load(taken)
            except MemoryUnavailable as error:
                trouble("push.memory", why=error)
                self._give_back(taken)
                await asyncio.sleep(AGAIN_S)
                fleet.wake.set()
                continue
            await self._offer(taken, loaded)

    def _take(self) -> list[Taken]:
        fleet = self._fleet
        flagged, fleet.flagged = fleet.flagged, set()
        now = fleet.clock()
        taken: list[Taken] = []
        for target in flagged:
            room = target.gate.room(now)
            for lane in list(target.lanes.values()) if room else ():
                refs = lane.take(now, room)
                taken += [(target, lane, ref) for ref in refs]
                target.gate.in_flight += len(refs)  # from here on they have their place in the window
                room -= len(refs)
                if not room:
                    break
            else:
                continue
            if room == 0 and target.lanes:  # the other lanes go first next time
                part = next(iter(target.lanes))
                target.lanes[part] = target.lanes.pop(part)
        return taken

    async def _load(self, taken: Iterable[Taken]) -> dict[Ref, Loaded]:
        fleet = self._fleet
        rules: dict[Ref, set[Rules]] = {}
        for target, _, ref in taken:
            rules.setdefault(ref, set()).add(target.rules)
        found = {ref: Loaded(stored) for ref, stored in (await fleet.journal.get_many(list(rules))).items()}
        wanted: dict[Ref, list[Ref]] = {}
        for ref, loaded in found.items():
            try:
                if more := [each for kind in rules[ref] for each in kind.more(loaded)]:
                    wanted[ref] = more
            except Exception as error:  # it fails again, and is refused, when it is offered
                trouble("push.unreadable", cause=error, object=ref)
        fleet.metrics.objects_loaded += len(found)
        if wanted:
            others = await fleet.journal.get_many(list(dict.fromkeys(ref for refs in wanted.values() for ref in refs)))
            for ref, refs in wanted.items():
                found[ref].more = {each: others[each] for each in refs if each in others}
        return found

    def _give_back(self, taken: Iterable[Taken]) -> None:
        for target, lane, ref in taken:
            target.gate.ended()
            if target.alive:
                lane.give_back(ref)
                self._fleet.flagged.add(target)

    async def _offer(self, taken: list[Taken], loaded: dict[Ref, Loaded]) -> None:
        now = self._fleet.clock()
        for count, (target, lane, ref) in enumerate(taken, 1):
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
                now = self._fleet.clock()
            if not target.alive or target.lanes.get(lane.part) is not lane:
                target.gate.ended()
            elif target.gate.paused:
                target.gate.ended()
                lane.give_back(ref)
            else:
                self._offer_one(target, lane, ref, loaded.get(ref), now)

    def _offer_one(self, target: Target, lane: Lane, ref: Ref, loaded: Loaded | None, now: int) -> None:
        try:
            send = lane.offer(ref, loaded, now)
        except Exception as error:  # a poisoned object must not stop the others
            trouble("push.unreadable", cause=error, object=ref)
            lane.refuse(ref, "unreadable", str(error), now)
            send = None
        if send is None:
            target.gate.ended()
            self._fleet.flag(target)
        else:
            self._send(target, lane, send, now)

    def _send(self, target: Target, lane: Lane, send: Send, now: int) -> None:
        self._number += 1
        data = target.wire(send, f"{self._prefix}{self._number:010x}")
        self._fleet.metrics.bytes_sent += len(data)
        self.in_flight += 1
        self._client.send(target.origin, data, partial(self._answered, target, lane, send, now))

    def _answered(self, target: Target, lane: Lane, send: Send, started_at: int, result: Result) -> None:
        self.in_flight -= 1
        if not target.alive or target.lanes.get(lane.part) is not lane:
            target.gate.ended()
            return
        now = self._fleet.clock()
        verdict = judge(result, datetime.fromtimestamp(now / SECOND, UTC))
        if verdict.kind == "missing" and send.method == "DELETE":  # so it is gone
            verdict = OK
        if verdict.kind == "ok":
            target.gate.worked()
            self._delivered(target, send, now)
            if isinstance(result, Answer) and result.location:
                self._located.keep(target, send.ref, result.location)
        else:
            verdict = self._not_delivered(target, send, verdict, started_at, now)
        lane.settle(send, verdict, now)
        self._fleet.flag(target)

    def _delivered(self, target: Target, send: Send, now: int) -> None:
        metrics = self._fleet.metrics
        target.delivered += 1
        metrics.delivered += 1
        if send.at:
            metrics.latency_us += now - send.at
            metrics.latency_count += 1
            self._fleet.latencies.append(now - send.at)

    def _not_delivered(self, target: Target, send: Send, verdict: Verdict, started_at: int, now: int) -> Verdict:
        """Tell the gate; what the lane is to be told."""
        gate, counts = target.gate, self._fleet.metrics.not_delivered
        counts[verdict.kind] = counts.get(verdict.kind, 0) + 1
        target.failed += 1
        before = gate.failures
        match verdict.kind:
            case "missing" if send.method == "PATCH":
                gate.ended()
            case "missing" | "object":
                if gate.refused(verdict.code, verdict.error, now):
                    verdict = Verdict("endpoint", verdict.code, verdict.error)
            case "throttle":
                gate.throttled(verdict.wait_s, f"{verdict.code} {verdict.error}", now)
            case "gone":
                gate.stop(f"{verdict.code} {verdict.error}".strip(), now)
                trouble("push.gone", endpoint=target.id, code=verdict.code)
            case _:
                gate.failed(verdict.code, verdict.error, started_at, now, credentials=verdict.kind == "credentials")
        if gate.failures and not before:
            event("push.failing", endpoint=target.id, code=verdict.code, why=verdict.error[:200])
        return verdict


def lease_guard(until: Callable[[], float], deadline_s: float) -> Callable[[], bool]:
    """Whether a lease that lasts `until` (monotonic) outlives a request that begins now."""
    return lambda: monotonic() + deadline_s < until()
