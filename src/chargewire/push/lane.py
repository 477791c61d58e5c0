"""A lane: what one endpoint must still be told of one partition. No I/O, no clock of its own.

It queues keys, not messages. A change marks its key; the key's present state is loaded when there is room and goes out, one
request at a time per slot (what must stay in order). The cursor moves only past changes whose keys are acknowledged or
durably deferred, so that a lane which is lost at any moment can be made again from its cursor and its deferred rows.

    note ─▶ ready ─ take ─▶ (load) ─ offer ─▶ (send) ─ settle ─▶ told
              ▲               slot is busy │      │ refused, or held back
              └──────── slot is free ◀─────┘      ▼
              ◀──────────────── due ────────── waiting, with a durable row
"""

import heapq
from collections.abc import Callable, Collection
from random import random

from chargewire.journal.memory import Deferred, Ref, Stored
from chargewire.push.entry import Entry, State, Walk
from chargewire.push.ledger import TRIES, Ledger, Saving
from chargewire.push.rules import DOUBT, FORCE, SECOND, URGENT, Later, Loaded, Pacing, Rules, Send, Told, Within
from chargewire.push.slots import Slots
from chargewire.push.verdict import Verdict

CAP = 10_000  # keys that are ready or under way; more are not read
RETRY_S = (5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0, 86400.0)
FAR = 2**62

Sees = Callable[[str, str], bool]
"""Whether an object of an owner, with a counterparty, is in scope now."""


class Lane:
    """`endpoint` and `part` name it. Times are µs since 1970."""

    def __init__(
        self,
        endpoint: str,
        part: int,
        rules: Rules,
        sees: Sees,
        cursor: int,
        *,
        pacing: Pacing | None = None,
        cap: int = CAP,
        jitter: Callable[[], float] = random,
    ) -> None:
        self.endpoint = endpoint
        self.part = part
        self.rules = rules
        self.pacing = pacing or Pacing()
        self.read = cursor  # every change up to here was looked at
        self.walks: list[Walk] = []
        self.waiting = 0  # keys that wait for their due time …
        self.parked = 0  # … of them those that wait for a change
        self._sees = sees
        self._cap = cap
        self._jitter = jitter
        self._entries: dict[Ref, Entry] = {}
        self._slots = Slots()
        self._ledger = Ledger(endpoint, part)
        self._due: list[tuple[int, int, Entry]] = []
        self._pushed = 0
        self._pins: dict[Ref, int] = {}

    # what stands

    @property
    def cursor(self) -> int:
        """Every change up to this number is acknowledged or deferred."""
        pinned = min(self._pins.values(), default=self.read + 1) - 1
        return min(pinned, self.read, *(walk.newer_than for walk in self.walks if walk.newer_than))

    @property
    def active(self) -> int:
        """Keys that are ready or under way."""
        return len(self._entries) - self.waiting

    @property
    def walked(self) -> frozenset[str]:
        """Owners whose objects were told from the beginning."""
        return self._ledger.walked

    def full(self) -> bool:
        """Whether no more changes may be noted now."""
        return self.active >= self._cap

    def next_due(self) -> int:
        """When the next waiting key is due; 0 if none is."""
        return self._due[0][0] if self._due else 0

    def oldest(self) -> int:
        """Stamp of the oldest change that is neither told nor held back; 0 if there is none."""
        stamps = [entry.flying_at or entry.at for entry in self._entries.values() if entry.state is not State.WAITING]
        return min((stamp for stamp in stamps if stamp), default=0)

    def told(self, ref: Ref) -> Told | None:
        """What the receiver has of an object, as far as is remembered."""
        return self._ledger.told(ref)

    def pending(self, ref: Ref) -> bool:
        """Whether an object will be told and was not taken up yet; while a walk goes on, every one that was not told."""
        entry = self._entries.get(ref)
        if entry is not None:
            return entry.state in (State.READY, State.BLOCKED)
        return self.told(ref) is None and any(not walk.exhausted and ref.owner in walk.owners for walk in self.walks)

    # from the journal

    def restore(self, rows: Collection[Deferred]) -> None:
        """Take up the deferred rows of an earlier life."""
        for row in rows:
            entry = self._ledger.restored(row)
            if entry is not None:
                entry.slot = self.rules.slot(row.ref)
                self._entries[row.ref] = entry
                self._wait(entry, row.due)

    def note(self, ref: Ref, seq: int, at: int, what: str, now: int) -> None:
        """A change of an object in scope. They must come in order; `advance` says how far they have come."""
        self.mark(ref, seq, at, self.rules.flags(ref, what), now)

    def mark(self, ref: Ref, seq: int, at: int, flags: int, now: int) -> None:
        """The object is to be told. `seq` 0: not because of a change."""
        entry = self._entries.get(ref)
        if entry is None:
            entry = self._entries[ref] = Entry(ref, self.rules.slot(ref))
            self._slots.add(entry)
        elif entry.state is State.WAITING:
            self._newer(entry, flags, now)
        before, entry.flags = entry.flags, entry.flags | flags
        if entry.state is not State.WAITING:
            entry.changed(seq, at, before, flags)
            self._pin(entry)
        elif entry.flags != before:
            self._ledger.keep(entry)

    def advance(self, seq: int) -> None:
        """Every change up to `seq` was noted, or is none of this lane."""
        self.read = max(self.read, seq)

    def begin(self, walk: Walk) -> None:
        """Objects are going to be `walked`."""
        self.walks.append(walk)

    def walk_to(self, walk: Walk, ref: Ref) -> None:
        """The walk has come to an object."""
        entry = self._entries.get(ref)
        if entry is None:
            entry = self._entries[ref] = Entry(ref, self.rules.slot(ref))
            self._slots.add_walked(entry)
        if entry.walk is None and entry.state is not State.WAITING:  # who waits has a row, and is told anyway
            entry.walk = walk
            walk.open += 1

    def walked_through(self, walk: Walk) -> None:
        """The walk has come to its end; it is over when what it found is told or deferred."""
        walk.exhausted = True
        self._end(walk)

    def forget_walked(self, owners: Collection[str]) -> None:
        """Owners that left the scope are walked again should they come back."""
        if left := self.walked.intersection(owners):
            self._ledger.remember_walked(self.walked - left)

    # sending

    def take(self, now: int, room: int) -> list[Ref]:
        """The keys whose present state shall be loaded and offered, at most `room`."""
        while self._due and self._due[0][0] <= now:
            due, _, entry = heapq.heappop(self._due)
            if entry.state is State.WAITING and entry.due == due:
                self._awake(entry)
        taken: list[Ref] = []
        while len(taken) < room and (ready := self._slots.next()) is not None:
            ready.take_up()
            taken.append(ready.ref)
        return taken

    def offer(self, ref: Ref, loaded: Loaded | None, now: int) -> Send | None:
        """Decide about a key that was taken, as it is now (None: it is gone). What comes back must be sent and settled."""
        entry = self._entries[ref]
        if loaded is None or (loaded.stored.deleted and not self.rules.tells_deleted) or not self._shows(loaded.stored):
            self._done(entry)
            return None
        if entry.slot is None:
            entry.slot = self.rules.slot_of(loaded)
            if not self._slots.occupy(entry):
                entry.put_back()
                return None
        plan = self.rules.plan(loaded, entry.flying, self, self.pacing, now)
        if isinstance(plan, Send):
            entry.tried_at = now
            return _dated(plan, entry.flying_at)
        if isinstance(plan, Within):
            self._after(entry, plan.ref, FORCE, now)
        elif not isinstance(plan, Later):
            self._done(entry)
        elif entry.again and entry.flags & URGENT:  # it changed after it was loaded, in a way that does not wait
            self._ready_again(entry, doubt=False)
        else:
            self._defer(entry, plan.due)
        return None

    def give_back(self, ref: Ref) -> None:
        """What was taken could not be loaded or sent now."""
        self._ready_again(self._entries[ref], doubt=False)

    def settle(self, send: Send, verdict: Verdict, now: int) -> None:
        """What came of a request."""
        entry = self._entries[send.ref]
        match verdict.kind:
            case "ok":
                self._acknowledged(entry, send)
            case "object" if send.method != "PATCH":
                self._refused(entry, verdict, now)
            case "missing" | "object":  # many answer so to a PATCH of what they do not have, or have no PATCH at all
                self._missing(entry, send, verdict, now)
            case _:
                self._ready_again(entry, doubt=verdict.doubt)

    def refuse(self, ref: Ref, code: str, error: str, now: int) -> None:
        """A key that was taken cannot be sent at all."""
        self._refused(self._entries[ref], Verdict("object", code, error), now)

    # saving

    def saving(self) -> Saving | None:
        """What must be kept now; None if nothing changed. Then call `saved` or `unsaved`."""
        return self._ledger.saving(self.cursor)

    def saved(self, saving: Saving) -> None:
        """It is durable."""
        self._ledger.saved(saving)

    def unsaved(self, saving: Saving) -> None:
        """It could not be kept: it is due at the next save."""
        self._ledger.unsaved(saving)

    # inside

    def _shows(self, stored: Stored) -> bool:
        return self._sees(stored.ref.owner, stored.counterparty)

    def _pin(self, entry: Entry) -> None:
        if entry.hold:
            self._pins[entry.ref] = entry.hold
        else:
            self._pins.pop(entry.ref, None)

    def _ready_again(self, entry: Entry, *, doubt: bool) -> None:
        """It goes out once more, before what its slot has blocked."""
        entry.put_back()
        if doubt:
            entry.flags |= DOUBT
        entry.hold = entry.hold or entry.next_hold
        entry.next_hold = 0
        self._pin(entry)
        self._slots.release(entry)
        self._slots.add_first(entry)

    def _after(self, entry: Entry, ref: Ref, flags: int, now: int) -> None:
        """Have the other object told first. If this one is in it, nothing is left to tell when it comes back."""
        self._ready_again(entry, doubt=False)
        entry.flags &= ~(DOUBT | FORCE)
        self.mark(ref, 0, 0, flags, now)
        self._slots.add_first(self._entries[ref])

    def _acknowledged(self, entry: Entry, send: Send) -> None:
        if self.rules.remembered(send):
            self._ledger.remember(send.ref, send.told)
            for ref, version in send.covers:
                self._ledger.remember(ref, Told(version))
        else:
            self._ledger.forget(send.ref)
        self._done(entry)

    def _done(self, entry: Entry) -> None:
        """Told, or nothing to tell: it is over, unless the object changed meanwhile."""
        self._ledger.settle(entry.ref)
        self._leave_walk(entry)
        entry.over()
        self._pin(entry)
        if entry.again:
            self._slots.add(entry)
        else:
            del self._entries[entry.ref]
            self._pins.pop(entry.ref, None)
        self._slots.release(entry)

    def _missing(self, entry: Entry, send: Send, verdict: Verdict, now: int) -> None:
        self._ledger.forget(send.ref)
        assert entry.slot is not None
        instead = self.rules.escalated(send.ref, entry.slot, send.method)
        if instead is None:
            self._refused(entry, verdict, now)
        elif instead[0] == send.ref:
            entry.flags |= instead[1]
            self._ready_again(entry, doubt=False)
        elif (other := self._entries.get(instead[0])) is not None and other.state is State.WAITING:
            self._refused(entry, verdict, now)  # what it belongs to was refused itself
        else:
            self._after(entry, *instead, now)

    def _refused(self, entry: Entry, verdict: Verdict, now: int) -> None:
        entry.attempts = 1 if entry.again else entry.attempts + 1
        entry.code, entry.error = verdict.code, verdict.error
        wait_s = RETRY_S[min(entry.attempts, len(RETRY_S)) - 1] * (0.8 + 0.4 * self._jitter())
        self._defer(entry, FAR if entry.attempts >= TRIES else now + int(wait_s * SECOND))

    def _defer(self, entry: Entry, due: int) -> None:
        """It waits, and its row stands for it."""
        entry.put_back()
        entry.hold = entry.next_hold = entry.at = 0
        self._pin(entry)
        self._leave_walk(entry)
        self._wait(entry, due)
        self._ledger.keep(entry)
        self._slots.release(entry)

    def _wait(self, entry: Entry, due: int) -> None:
        entry.state, entry.due = State.WAITING, due
        self.waiting += 1
        if entry.attempts >= TRIES:
            self.parked += 1
        else:
            self._pushed += 1
            heapq.heappush(self._due, (due, self._pushed, entry))

    def _awake(self, entry: Entry) -> None:
        self._wait_no_more(entry)
        self._slots.add(entry)

    def _wait_no_more(self, entry: Entry) -> None:
        self.waiting -= 1
        self.parked -= entry.attempts >= TRIES

    def _newer(self, entry: Entry, flags: int, now: int) -> None:
        """A waiting key has changed: urgent changes do not wait, and what was refused gets a new chance."""
        urgent = flags & (URGENT | FORCE)
        if urgent:
            self._awake(entry)
            entry.attempts = min(entry.attempts, 1)
        elif entry.attempts and (due := max(now, entry.tried_at + int(RETRY_S[0] * SECOND))) < entry.due:
            self._wait_no_more(entry)
            entry.attempts = 1
            self._wait(entry, due)
            self._ledger.keep(entry)

    def _leave_walk(self, entry: Entry) -> None:
        walk, entry.walk = entry.walk, None
        if walk is not None:
            walk.open -= 1
            self._end(walk)

    def _end(self, walk: Walk) -> None:
        if walk.exhausted and not walk.open and walk in self.walks:
            self.walks.remove(walk)
            if self.rules.from_beginning:
                self._ledger.remember_walked(self.walked | walk.owners)


def _dated(send: Send, at: int) -> Send:
    return Send(send.ref, send.method, send.path, send.body, send.told, send.covers, at)
