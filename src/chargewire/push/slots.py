"""The keys of a lane that are ready, and those that wait because something of their slot is under way."""

from collections import deque

from chargewire.journal.memory import Ref
from chargewire.push.entry import Entry, State


class Slots:
    """A slot is what must stay in order: one of its keys at a time. Keys of walks come after all others."""

    def __init__(self) -> None:
        self._ready: deque[Entry] = deque()
        self._backlog: deque[Entry] = deque()
        self._busy: dict[Ref, deque[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """It is ready, after what is ready already."""
        entry.state = State.READY
        self._ready.append(entry)

    def add_first(self, entry: Entry) -> None:
        """It is ready, before all others. (It may stand further behind already.)"""
        entry.state = State.READY
        self._ready.appendleft(entry)

    def add_walked(self, entry: Entry) -> None:
        self._backlog.append(entry)

    def next(self) -> Entry | None:
        """The next ready key; if its slot is known, that is busy from here on."""
        while self._ready or self._backlog:
            entry = (self._ready or self._backlog).popleft()
            if entry.state is State.READY and (entry.slot is None or self.occupy(entry)):
                return entry
        return None

    def occupy(self, entry: Entry) -> bool:
        """Whether the slot was free; if not, the key comes back when it is."""
        assert entry.slot is not None
        queue = self._busy.get(entry.slot)
        if queue is None:
            self._busy[entry.slot] = deque()
            return True
        entry.state = State.BLOCKED
        queue.append(entry)
        return False

    def release(self, entry: Entry) -> None:
        """The slot is free; what it blocked is ready, in order, before what came later."""
        queue = self._busy.pop(entry.slot, None) if entry.slot is not None else None
        while queue:
            self.add_first(queue.pop())
