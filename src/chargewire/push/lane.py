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
from collections import deque
from collections.abc import Callable, Collection
from enum import Enum, auto
from random import random

from msgspec import Struct

from chargewire.journal.memory import Deferred, Ref
from chargewire.push.memos import WALKED, memo_of, memo_text, walked_owners, walked_row
from chargewire.push.rules import DOUBT, FORCE, SECOND, URGENT, Later, Loaded, Pacing, Rules, Send, Told, Within
from chargewire.push.verdict import Verdict

CAP = 10_000  # keys that are ready or under way; more are not read
REMEMBERED = 50_000  # keys of which it is known what the receiver has
RETRY_S = (5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0, 86400.0)
TRIES = 12  # then it is parked, until there is a newer version
FAR = 2**62

Sees = Callable[[str, str], bool]
"""Whether an object of an owner, with a counterparty, is in scope now."""


class State(Enum):
    READY = auto()
    TAKEN = auto()  # being loaded or sent
    BLOCKED = auto()  # its slot is busy
    WAITING = auto()  # for its due time


class Entry:
    """One key. `hold`: the number of the change that must not be passed by the cursor; 0 if a durable row stands for it."""

    __slots__ = (
        "again", "at", "attempts", "code", "due", "error", "flags", "flying", "flying_at", "hold", "next_hold", "ref", "slot",
        "state", "tried_at", "walk",
    )  # fmt: skip

    def __init__(self, ref: Ref, slot: Ref | None) -> None:
        self.ref = ref
        self.slot = slot
        self.state = State.READY
        self.flags = 0  # of changes since it was taken up …
        self.flying = 0  # … and of those that it was taken up for
        self.hold = 0
        self.next_hold = 0  # of changes since it was taken up
        self.again = False  # it changed since it was taken up
        self.at = 0  # stamp of the oldest change that is not told and was not held back …
        self.flying_at = 0  # … and of those that it was taken up for
        self.due = 0
        self.attempts = 0
        self.tried_at = 0
        self.code = self.error = ""
        self.walk: Walk | None = None


class Walk:
    """Objects that are told from the beginning, or because the changes that told of them are gone."""

    def __init__(self, owners: frozenset[str], newer_than: int = 0) -> None:
        self.owners = owners
        self.newer_than = newer_than  # number of the change after which an object must have changed
        self.open = 0  # keys that are neither told nor deferred
        self.exhausted = False


class Saving(Struct, frozen=True):
    """What must be kept durably, together."""

    cursor: int
    rows: dict[Ref, Deferred | None]  # None: settled


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
        self.walked: frozenset[str] = frozenset()
        self.walks: list[Walk] = []
        self.parked = 0
        self._sees = sees
        self._cap = cap
        self._jitter = jitter
        self._saved = -1
        self._entries: dict[Ref, Entry] = {}
        self._ready: deque[Entry] = deque()
        self._backlog: deque[Entry] = deque()  # from walks: after what happens now
        self._busy: dict[Ref, deque[Entry]] = {}
        self._due: list[tuple[int, int, Entry]] = []
        self._pins: dict[Ref, int] = {}
        self._waiting = 0
        self._told: dict[Ref, Told] = {}
        self._rows: dict[Ref, Deferred | None] = {}  # not saved yet
        self._kept: set[Ref] = set()  # keys that have a row, saved or not
        self._count = 0

    # what stands

    @property
    def cursor(self) -> int:
        """Every change up to this number is acknowledged or deferred."""
        pinned = min(self._pins.values(), default=self.read + 1) - 1
        for walk in self.walks:
            if walk.newer_than:
                pinned = min(pinned, walk.newer_than)
        return min(pinned, self.read)

    @property
    def active(self) -> int:
        """Keys that are ready or under way."""
        return len(self._entries) - self._waiting

    @property
    def waiting(self) -> int:
        """Keys that wait for their due time."""
        return self._waiting

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
        return self._told.get(ref)

    def pending(self, ref: Ref) -> bool:
        """Whether an object will be told and was not taken up yet; while a walk goes on, every one that was not told."""
        entry = self._entries.get(ref)
        if entry is not None:
            return entry.state in (State.READY, State.BLOCKED)
        return ref not in self._told and any(not walk.exhausted and ref.owner in walk.owners for walk in self.walks)

    # from the journal

    def restore(self, rows: Collection[Deferred]) -> None:
        """Take up the deferred rows of an earlier life."""
        for row in rows:
            if row.state == WALKED:
                self.walked = walked_owners(row)
                continue
            memo = memo_of(row)
            entry = self._entries[row.ref] = Entry(row.ref, self.rules.slot(row.ref))
            entry.flags, entry.attempts, entry.code, entry.error = memo.flags, row.attempts, row.code, row.error
            if memo.told is not None:
                self._told[row.ref] = memo.told
            self._kept.add(row.ref)
            self._wait(entry, row.due, parked=row.state == "parked")

    def note(self, ref: Ref, seq: int, at: int, what: str, now: int) -> None:
        """A change of an object in scope. They must come in order; `advance` says how far they have come."""
        self.mark(ref, seq, at, self.rules.flags(ref, what), now)

    def mark(self, ref: Ref, seq: int, at: int, flags: int, now: int) -> None:
        """The object is to be told. `seq` 0: not because of a change."""
        entry = self._entries.get(ref)
        if entry is None:
            entry = self._entries[ref] = Entry(ref, self.rules.slot(ref))
            self._ready.append(entry)
        elif entry.state is State.WAITING:
            self._newer(entry, flags, now)
        old, entry.flags = entry.flags, entry.flags | flags
        if entry.state is State.WAITING:
            if entry.flags != old:
                self._keep(entry)
            return
        entry.at = entry.at or at
        if entry.state is State.TAKEN:
            entry.again = True
            entry.next_hold = self._moved(entry.next_hold, seq, old, flags)
            return
        entry.hold = self._moved(entry.hold, seq, old, flags)
        self._pin(entry)

    def advance(self, seq: int) -> None:
        """Every change up to `seq` was noted, or is none of this lane."""
        self.read = max(self.read, seq)

    def begin(self, walk: Walk) -> None:
        """Objects are going to be `walked`."""
        self.walks.append(walk)

    def walk_to(self, walk: Walk, ref: Ref, now: int) -> None:
        """The walk has come to an object."""
        entry = self._entries.get(ref)
        if entry is None:
            entry = self._entries[ref] = Entry(ref, self.rules.slot(ref))
            self._backlog.append(entry)
        elif entry.state is State.WAITING:
            return  # it has a row: it is told anyway
        if entry.walk is None:
            entry.walk = walk
            walk.open += 1

    def walked_through(self, walk: Walk) -> None:
        """The walk has come to its end; it is over when what it found is told or deferred."""
        walk.exhausted = True
        self._end(walk)

    def forget_walked(self, owners: Collection[str]) -> None:
        """Owners that left the scope are walked again should they come back."""
        if left := self.walked.intersection(owners):
            self._remember_walked(self.walked - left)

    # sending

    def take(self, now: int, room: int) -> list[Ref]:
        """The keys whose present state shall be loaded and offered, at most `room`."""
        while self._due and self._due[0][0] <= now:
            due, _, entry = heapq.heappop(self._due)
            if entry.state is State.WAITING and entry.due == due:
                self._awake(entry)
        taken: list[Ref] = []
        while len(taken) < room and (self._ready or self._backlog):
            entry = (self._ready or self._backlog).popleft()
            if entry.state is not State.READY or self._entries.get(entry.ref) is not entry:
                continue
            if entry.slot is not None and not self._occupy(entry):
                continue
            entry.state = State.TAKEN
            entry.flying, entry.flags = entry.flags, 0
            entry.flying_at, entry.at = entry.at, 0
            entry.again = False
            taken.append(entry.ref)
        return taken

    def offer(self, ref: Ref, loaded: Loaded | None, now: int) -> Send | None:
        """Decide about a key that was taken, as it is now (None: it is gone). What comes back must be sent and settled."""
        entry = self._entries[ref]
        stored = loaded.stored if loaded else None
        if loaded is None or stored is None or stored.deleted or not self._sees(stored.ref.owner, stored.counterparty):
            self._done(entry)
            return None
        if entry.slot is None:
            entry.slot = self.rules.slot_of(loaded)
            if not self._occupy(entry):
                entry.flags |= entry.flying
                entry.at = entry.flying_at or entry.at
                return None
        plan = self.rules.plan(loaded, entry.flying, self, self.pacing, now)
        if isinstance(plan, Send):
            entry.tried_at = now
            return _dated(plan, entry.flying_at)
        if isinstance(plan, Later):
            self._defer(entry, plan.due, "throttled", now)
        elif isinstance(plan, Within):
            self._after(entry, plan.ref, FORCE, now)
        else:
            self._done(entry)
        return None

    def give_back(self, refs: Collection[Ref]) -> None:
        """What was taken could not be loaded or sent now."""
        for ref in refs:
            self._ready_again(self._entries[ref], doubt=False)

    def settle(self, send: Send, verdict: Verdict, now: int) -> None:
        """What came of a request."""
        entry = self._entries[send.ref]
        match verdict.kind:
            case "ok":
                self._acknowledged(entry, send)
            case "missing":
                self._missing(entry, send, verdict, now)
            case "object":
                self._refused(entry, verdict, now)
            case _:
                self._ready_again(entry, doubt=verdict.doubt)

    def refuse(self, ref: Ref, code: str, error: str, now: int) -> None:
        """A key that was taken cannot be sent at all."""
        self._refused(self._entries[ref], Verdict("object", code, error), now)

    # saving

    def saving(self) -> Saving | None:
        """What must be kept now; None if nothing changed. Then call `saved` or `unsaved`."""
        cursor = self.cursor
        if cursor == self._saved and not self._rows:
            return None
        rows, self._rows = self._rows, {}
        return Saving(cursor, rows)

    def saved(self, saving: Saving) -> None:
        """It is durable."""
        self._saved = saving.cursor

    def unsaved(self, saving: Saving) -> None:
        """It could not be kept: it is due at the next save."""
        self._rows = saving.rows | self._rows

    # inside

    def _moved(self, old: int, seq: int, before: int, flags: int) -> int:
        """Where the cursor must wait: at the newest change, unless an older one says more than it does."""
        return seq if seq and (not old or not before & ~flags) else old

    def _pin(self, entry: Entry) -> None:
        if entry.hold:
            self._pins[entry.ref] = entry.hold
        else:
            self._pins.pop(entry.ref, None)

    def _occupy(self, entry: Entry) -> bool:
        """Whether the slot was free; if not, the entry comes back when it is."""
        assert entry.slot is not None
        queue = self._busy.get(entry.slot)
        if queue is None:
            self._busy[entry.slot] = deque()
            return True
        entry.state = State.BLOCKED
        queue.append(entry)
        return False

    def _release(self, entry: Entry) -> None:
        if entry.slot is None:
            return
        queue = self._busy.pop(entry.slot, None)
        while queue:
            blocked = queue.pop()
            blocked.state = State.READY
            self._ready.appendleft(blocked)

    def _ready_again(self, entry: Entry, *, doubt: bool) -> None:
        entry.flags |= entry.flying | (DOUBT if doubt else 0)
        entry.flying = 0
        entry.at = entry.flying_at or entry.at
        if not entry.hold:
            entry.hold = entry.next_hold
        entry.next_hold = 0
        entry.state = State.READY
        self._pin(entry)
        self._ready.appendleft(entry)
        self._release_behind(entry)

    def _after(self, entry: Entry, ref: Ref, flags: int, now: int) -> None:
        """Have the other object told first. If this one is in it, nothing is left to tell when it comes back."""
        self._ready_again(entry, doubt=False)
        entry.flags &= ~(DOUBT | FORCE)
        self.mark(ref, 0, 0, flags, now)
        self._ready.appendleft(self._entries[ref])

    def _release_behind(self, entry: Entry) -> None:
        """Free the slot; what it blocked comes after the entry itself."""
        self._ready.popleft()
        self._release(entry)
        self._ready.appendleft(entry)

    def _acknowledged(self, entry: Entry, send: Send) -> None:
        if self.rules.remembered(send):
            self._remember(send.ref, send.told)
            for ref, version in send.covers:
                self._remember(ref, Told(version))
        self._done(entry)

    def _done(self, entry: Entry) -> None:
        """Told, or nothing to tell: it is over, unless the object changed meanwhile."""
        if entry.ref in self._kept:
            self._kept.discard(entry.ref)
            self._rows[entry.ref] = None
        self._leave_walk(entry)
        entry.attempts, entry.code, entry.error, entry.flying = 0, "", "", 0
        if entry.again:
            entry.hold, entry.next_hold = entry.next_hold, 0
            entry.state = State.READY
            self._pin(entry)
            self._ready.append(entry)
        else:
            del self._entries[entry.ref]
            self._pins.pop(entry.ref, None)
        self._release(entry)

    def _missing(self, entry: Entry, send: Send, verdict: Verdict, now: int) -> None:
        self._told.pop(send.ref, None)
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
        if entry.attempts >= TRIES:
            self._defer(entry, FAR, "parked", now)
            return
        wait_s = RETRY_S[min(entry.attempts, len(RETRY_S)) - 1] * (0.8 + 0.4 * self._jitter())
        self._defer(entry, now + int(wait_s * SECOND), "retry", now)

    def _defer(self, entry: Entry, due: int, state: str, now: int) -> None:
        entry.flags |= entry.flying
        entry.flying = entry.hold = entry.next_hold = 0
        entry.at = 0
        self._leave_walk(entry)
        self._pins.pop(entry.ref, None)
        self._wait(entry, due, parked=state == "parked")
        self._keep(entry)
        self._release(entry)

    def _wait(self, entry: Entry, due: int, *, parked: bool) -> None:
        entry.state, entry.due = State.WAITING, due
        self._waiting += 1
        self.parked += parked
        if not parked:
            self._count += 1
            heapq.heappush(self._due, (due, self._count, entry))

    def _awake(self, entry: Entry) -> None:
        self._waiting -= 1
        self.parked -= entry.attempts >= TRIES
        entry.state = State.READY
        self._ready.append(entry)

    def _newer(self, entry: Entry, flags: int, now: int) -> None:
        """A waiting key has changed: urgent changes do not wait, and what was refused gets a new chance."""
        if not entry.attempts:
            if flags & (URGENT | FORCE):
                self._awake(entry)
            return
        due = now if flags & (URGENT | FORCE) else max(now, entry.tried_at + int(RETRY_S[0] * SECOND))
        if due < entry.due:
            self._awake(entry)
            entry.attempts = 1
            if due > now:
                self._ready.pop()
                self._wait(entry, due, parked=False)
                self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        """Have the entry's row written at the next save."""
        state = "throttled" if not entry.attempts else "parked" if entry.attempts >= TRIES else "retry"
        self._kept.add(entry.ref)
        self._rows[entry.ref] = Deferred(
            endpoint=self.endpoint,
            part=self.part,
            ref=entry.ref,
            due=entry.due,
            attempts=entry.attempts,
            state=state,
            code=entry.code,
            error=entry.error[:500],
            memo=memo_text(entry.flags, self._told.get(entry.ref)),
        )

    def _remember(self, ref: Ref, told: Told) -> None:
        self._told.pop(ref, None)
        self._told[ref] = told
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    def _leave_walk(self, entry: Entry) -> None:
        walk, entry.walk = entry.walk, None
        if walk is not None:
            walk.open -= 1
            self._end(walk)

    def _end(self, walk: Walk) -> None:
        if walk.exhausted and not walk.open and walk in self.walks:
            self.walks.remove(walk)
            if self.rules.from_beginning:
                self._remember_walked(self.walked | walk.owners)

    def _remember_walked(self, owners: frozenset[str]) -> None:
        self.walked = owners
        row = walked_row(self.endpoint, self.part, owners)
        self._rows[row.ref] = row


def _dated(send: Send, at: int) -> Send:
    return Send(send.ref, send.method, send.path, send.body, send.told, send.covers, at)
