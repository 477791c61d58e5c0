"""What a lane keeps durably, and what it remembers of what the receiver has."""

from msgspec import Struct

from chargewire.journal.memory import Deferred, Ref
from chargewire.push.entry import Entry
from chargewire.push.memos import WALKED, memo_of, memo_text, walked_owners, walked_row
from chargewire.push.rules import Told

REMEMBERED = 50_000  # keys of which it is known what the receiver has
TRIES = 12  # then a key is parked, until there is a newer version


class Saving(Struct, frozen=True):
    """What must be kept durably, together."""

    cursor: int
    rows: dict[Ref, Deferred | None]  # None: settled


class Ledger:
    """Rows that are to be written at the next save, with the cursor."""

    def __init__(self, endpoint: str, part: int) -> None:
        self.endpoint = endpoint
        self.part = part
        self.walked: frozenset[str] = frozenset()  # owners whose objects were told from the beginning
        self._told: dict[Ref, Told] = {}
        self._rows: dict[Ref, Deferred | None] = {}
        self._kept: set[Ref] = set()  # keys that have a row, saved or not
        self._saved = -1

    def restored(self, row: Deferred) -> Entry | None:
        """Take up a row of an earlier life: the key that it stands for, if it stands for one."""
        if row.state == WALKED:
            self.walked = walked_owners(row)
            return None
        memo = memo_of(row)
        entry = Entry(row.ref, None)
        entry.flags, entry.due = memo.flags, row.due
        entry.attempts, entry.code, entry.error = row.attempts, row.code, row.error
        if memo.told is not None:
            self._told[row.ref] = memo.told
        self._kept.add(row.ref)
        return entry

    def told(self, ref: Ref) -> Told | None:
        return self._told.get(ref)

    def remember(self, ref: Ref, told: Told) -> None:
        """The receiver has it; what was told longest ago is forgotten when there is too much."""
        self._told.pop(ref, None)
        self._told[ref] = told
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    def forget(self, ref: Ref) -> None:
        """The receiver does not have it."""
        self._told.pop(ref, None)

    def keep(self, entry: Entry) -> None:
        """Have the key's row written."""
        self._kept.add(entry.ref)
        self._rows[entry.ref] = Deferred(
            endpoint=self.endpoint,
            part=self.part,
            ref=entry.ref,
            due=entry.due,
            attempts=entry.attempts,
            state="throttled" if not entry.attempts else "parked" if entry.attempts >= TRIES else "retry",
            code=entry.code,
            error=entry.error[:500],
            memo=memo_text(entry.flags, self._told.get(entry.ref)),
        )

    def settle(self, ref: Ref) -> None:
        """Have the key's row deleted, if it has one."""
        if ref in self._kept:
            self._kept.discard(ref)
            self._rows[ref] = None

    def remember_walked(self, owners: frozenset[str]) -> None:
        self.walked = owners
        row = walked_row(self.endpoint, self.part, owners)
        self._rows[row.ref] = row

    def saving(self, cursor: int) -> Saving | None:
        """What must be kept now; None if nothing changed."""
        if cursor == self._saved and not self._rows:
            return None
        rows, self._rows = self._rows, {}
        return Saving(cursor, rows)

    def saved(self, saving: Saving) -> None:
        self._saved = saving.cursor

    def unsaved(self, saving: Saving) -> None:
        self._rows = saving.rows | self._rows
