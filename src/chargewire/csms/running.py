"""A session that runs, as it is kept in memory: its tally, what was written of it and when."""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from time import monotonic

import msgspec

from chargewire.charging.pricing import price
from chargewire.charging.reading import Reading
from chargewire.charging.session import Session, SessionStatus, Started, Stopped
from chargewire.charging.signed import may_be_signed
from chargewire.charging.tally import Tally
from chargewire.journal.memory import Journal, LogQuery, ReadingRow, Ref, Stored, Write

WRITE_EVERY_S = 1.0  # a running session is written at most this often, unless its status changes
PRICE_EVERY_S = 5.0  # the running total of its cost is worked out at most this often

_readings = msgspec.json.Decoder(tuple[Reading, ...])


class Running:
    """One open session. Everything but `version` follows from its start and its readings."""

    __slots__ = ("_cost", "_costed_at", "dirty", "flags", "ref", "seen", "signed", "started", "tally", "version", "written_at")

    def __init__(self, ref: Ref, version: int, started: Started, flags: Sequence[str] = ()) -> None:
        self.ref = ref
        self.version = version
        self.started = started
        self.tally = Tally(started)
        self.seen: set[int] = set()
        self.signed: list[Reading] = []  # those in which the meter signed something
        self.flags = set(flags)
        self.written_at = monotonic()
        self.dirty = False
        self._cost: Decimal | None = None
        self._costed_at = 0.0

    @property
    def place(self) -> str:
        return self.started.location.id

    def hears(self, connector: int, samples: bytes, readings: Sequence[Reading]) -> bool:
        """Take readings into account; False if exactly these were heard before. `samples` is their stored form."""
        mark = hash((connector, samples))
        if mark in self.seen:
            return False
        self.seen.add(mark)
        for reading in readings:
            self.tally.add(reading)
        if may_be_signed(samples):
            self.signed += readings
        self.dirty = True
        return True

    def due(self) -> bool:
        """Whether it is time to write it."""
        return self.dirty and monotonic() - self.written_at >= WRITE_EVERY_S

    def session(self, stopped: Stopped | None = None, flags: Sequence[str] = ()) -> Session:
        """The session as known now, with the cost so far (excluding VAT, at most 5 s old)."""
        session = self.tally.session(stopped)
        return msgspec.structs.replace(
            session,
            total_cost=None if stopped else self._running_cost(session),
            flags=tuple(sorted({*session.flags, *self.flags, *flags})),
        )

    def write(self, session: Session, what: str) -> Write:
        """The write of a new version of it."""
        self.dirty = False
        self.written_at = monotonic()
        return session_write(self.ref, session, self.version, what)

    def written(self, version: int) -> None:
        self.version = version

    def _running_cost(self, session: Session) -> Decimal | None:
        tariff, now = self.started.tariff, monotonic()
        if tariff and now - self._costed_at >= PRICE_EVERY_S:
            self._costed_at = now
            until = session.last_reading_at or self.started.at
            try:
                self._cost = price(tariff, session.periods, until, self.started.location.time_zone).excl_vat
            except ArithmeticError:  # told when it ends
                self._cost = None
        return self._cost


def session_write(ref: Ref, session: Session, expect: int, what: str) -> Write:
    """A version of a session: its status is what lists filter by, its eMSP is who else may see it."""
    return Write(
        ref=ref,
        content=session,
        expect=expect,
        what=what,
        state=session.status,
        counterparty=session.started.token.emsp or "",
    )


async def load_running(journal: Journal, ref: Ref) -> Running | None:
    """A running session as its readings tell it: after a restart nothing that was acknowledged is missing.

    None if it is over, or not there any more.
    """
    stored = await journal.get(ref)
    if stored is None or stored.state not in (SessionStatus.ACTIVE, SessionStatus.PENDING):
        return None
    session = msgspec.json.decode(stored.body, type=Session)
    running = Running(stored.ref, stored.version, session.started, session.flags)
    async for row in readings_of(journal, stored):
        running.hears(row.connector, row.samples, _readings.decode(row.samples))
    return running


async def readings_of(journal: Journal, session: Stored) -> AsyncIterator[ReadingRow]:
    """Every stored reading of a session, in the order they were heard."""
    ref = session.ref
    query = LogQuery(owners=(ref.owner,), session=ref.key, heard_from=session.created_at, limit=1000)
    while True:
        page = await journal.readings(query)
        for row in page.rows:
            yield row
        if page.next is None:
            return
        query = msgspec.structs.replace(query, after=tuple(page.next))
