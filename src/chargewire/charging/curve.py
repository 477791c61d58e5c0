"""The course of a session: energy, parking, current and power over time, built from one reading after the other.

Times are whole seconds of the Unix epoch, energy is in mWh. The lists only grow, so that a `Mark` can take a curve back.
"""

from copy import copy
from datetime import datetime

from msgspec import Struct

from chargewire.charging.energy import Count, Head, head_of
from chargewire.charging.flags import READING_BEFORE_START, UNIT_SUSPECT
from chargewire.charging.measured import INTERVAL_RANK, Measured
from chargewire.charging.parking import Flow

QUARTER_S = 900
NO_RANK = 2 * INTERVAL_RANK  # no register was seen yet
ON_THE_QUARTER_S = 5  # a clock-aligned sample so near a quarter of an hour counts as on it (libocpp #445)


class State(Struct):
    """What a curve needs to know to go on."""

    t: int
    count: Count
    flow: Flow
    head: Head | None = None
    begin_mwh: int | None = None
    end_mwh: int | None = None
    soc: int | None = None
    last_at: datetime | None = None
    register_at: datetime | None = None
    flags: tuple[str, ...] = ()

    def twin(self) -> "State":
        twin = copy(self)
        twin.count, twin.flow = copy(self.count), copy(self.flow)
        return twin


class Mark(Struct, frozen=True):
    """A place to go back to: `points` readings were in; nothing before `settled` changes by what comes after them."""

    points: int
    settled: int
    state: State
    lengths: tuple[int, int, int, int]


class Series(Struct, frozen=True):
    """What was measured at some seconds, in order."""

    times: list[int]
    values: list[int]

    def put(self, t: int, value: int | None) -> None:
        """None: not measured."""
        if value is not None:
            self.times.append(t)
            self.values.append(value)

    def back_to(self, length: int) -> None:
        """Forget what came after the first so many."""
        del self.times[length:], self.values[length:]


class Curve:
    """The course of one session. Readings must come in order (`Measured.order`)."""

    def __init__(self, started_at: datetime, register_mwh: int | None, power_w: int) -> None:
        self.start_at = started_at
        self.start_t = int(started_at.timestamp())
        self.start_mwh = register_mwh
        self.rank = NO_RANK  # of the series that counts; readings of another series say nothing of energy
        self.state = State(self.start_t, Count(power_w), Flow())
        self.times = [self.start_t]  # where energy is known …
        self.energies = [0]  # … and how much had flowed by then
        self.powers: list[int | None] = [None]  # mW, measured at that time
        self.changes = [(self.start_t, False)]  # (since when, parking)
        self.currents = Series([], [])  # mA
        self.power = Series([], [])  # mW, as measured: readings of other series have it too

    def advance(self, reading: Measured) -> None:
        """Take in the next reading."""
        state = self.state
        state.t = t = max(self._second(reading), state.t)
        state.last_at = reading.at
        if reading.at < self.start_at:
            self._flag(READING_BEFORE_START)
        if reading.flags:
            for flag in reading.flags:
                self._flag(flag)
        if reading.begin_mwh is not None and state.begin_mwh is None:
            state.begin_mwh = reading.begin_mwh
        if reading.end_mwh is not None:
            state.end_mwh = reading.end_mwh
        if reading.soc is not None:
            state.soc = reading.soc
        if reading.register_mwh is not None and reading.rank == self.rank:
            self._energy(t, reading, reading.register_mwh)
        self.currents.put(t, reading.current_ma)
        self.power.put(t, reading.power_mw)

    def mark(self, points: int) -> Mark:
        """Remember this place, at which so many readings are in."""
        lengths = (len(self.times), len(self.changes), len(self.currents.times), len(self.power.times))
        return Mark(points, self.settled, self.state.twin(), lengths)

    def restore(self, mark: Mark) -> None:
        """Go back to a mark; the mark stays good."""
        self.state = mark.state.twin()
        edges, changes, currents, power = mark.lengths
        del self.times[edges:], self.energies[edges:], self.powers[edges:]
        del self.changes[changes:]
        self.currents.back_to(currents)
        self.power.back_to(power)

    @property
    def head_known(self) -> bool:
        """Whether it is known what flowed from the start to the first reading."""
        return self.state.head is not None or self.rank >= INTERVAL_RANK

    @property
    def settled(self) -> int:
        """Before this second nothing changes any more by readings that come later."""
        since = self.state.flow.undecided_since
        return self.times[-1] if since is None else min(since, self.times[-1])

    def _energy(self, t: int, reading: Measured, register: int) -> None:
        state, count = self.state, self.state.count
        if self.rank >= INTERVAL_RANK:
            if reading.at == state.register_at:
                return
            count.interval(t, register)
        elif reading.at < self.start_at and self.start_mwh is not None and register < self.start_mwh:
            return
        else:
            first = count.first is None
            count.step(t, register, same_moment=reading.at == state.register_at)
            if first:
                state.head = head_of(count, t - self.start_t, (self.start_mwh, state.begin_mwh))
        state.register_at = reading.at
        self._edge(t, count.counted + (state.head.energy if state.head else 0), reading.power_mw)

    def _edge(self, t: int, energy: int, power_mw: int | None) -> None:
        before, spent = self.times[-1], self.energies[-1]
        known = len(self.times) > 1 or self.head_known
        if power_mw is not None and power_mw > 500_000 and t - before >= 30 and energy > spent and known:
            ratio = (energy - spent) * 3600 / (t - before) / power_mw
            if ratio > 100 or ratio < 0.01:
                self._flag(UNIT_SUSPECT)
        self.times.append(t)
        self.energies.append(energy)
        self.powers.append(power_mw)
        if known and (change := self.state.flow.step(before, t, energy - spent, power_mw)):
            self.changes.append(change)

    def _second(self, reading: Measured) -> int:
        t = int(reading.at.timestamp())
        if reading.on_the_clock:
            quarter = (t + ON_THE_QUARTER_S) // QUARTER_S * QUARTER_S
            return quarter if abs(t - quarter) <= ON_THE_QUARTER_S else t
        return t

    def _flag(self, flag: str) -> None:
        if flag not in self.state.flags:
            self.state.flags = (*self.state.flags, flag)
