"""One key of a lane, from the change that marks it until the receiver has it."""

from enum import Enum, auto

from chargewire.journal.memory import Ref


class State(Enum):
    """Where a key is."""

    READY = auto()
    TAKEN = auto()  # being loaded or sent
    BLOCKED = auto()  # its slot is busy
    WAITING = auto()  # for its due time


class Walk:
    """Objects that are told from the beginning, or because the changes that told of them are gone."""

    def __init__(self, owners: frozenset[str], newer_than: int = 0) -> None:
        self.owners = owners
        self.newer_than = newer_than  # number of the change after which an object must have changed
        self.open = 0  # keys that are neither told nor deferred
        self.exhausted = False


class Entry:
    """`hold`: the number of the change that must not be passed by the cursor; 0 if a durable row stands for it."""

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

    def changed(self, seq: int, at: int, before: int, flags: int) -> None:
        """A change must be told, too. `before`: the flags that stood already."""
        self.at = self.at or at
        if self.state is State.TAKEN:
            self.again = True
            self.next_hold = _moved(self.next_hold, seq, before, flags)
        else:
            self.hold = _moved(self.hold, seq, before, flags)

    def take_up(self) -> None:
        """What is known so far is what it goes out for."""
        self.state = State.TAKEN
        self.flying, self.flags = self.flags, 0
        self.flying_at, self.at = self.at, 0
        self.again = False

    def put_back(self) -> None:
        """It did not go out, or nobody knows."""
        self.flags |= self.flying
        self.at = self.flying_at or self.at
        self.flying = 0

    def over(self) -> None:
        """It is told as it was taken up."""
        self.attempts, self.code, self.error, self.flying = 0, "", "", 0
        self.hold, self.next_hold = self.next_hold, 0


def _moved(old: int, seq: int, before: int, flags: int) -> int:
    """Where the cursor must wait: at the newest change, unless an older one says more than it does."""
    return seq if seq and (not old or not before & ~flags) else old
