"""A session as it follows from the set of its start, readings and stop; the order in which they come does not matter.

`Tally` is the incremental form for sessions that run: the newest reading costs a few µs, and of the periods only those of
the open quarter of an hour are made again. A reading that comes late takes it back to the quarter before and on from there.
"""

from bisect import insort
from collections.abc import Collection
from datetime import UTC, datetime

from msgspec.structs import replace

from chargewire.charging.curve import NO_RANK, QUARTER_S, Curve, Mark, Series
from chargewire.charging.energy import WH, Total, connector_power_w, final_total, running_total
from chargewire.charging.flags import READING_AFTER_STOP, STOP_BEFORE_START
from chargewire.charging.measured import Measured, measured
from chargewire.charging.parking import Flow
from chargewire.charging.periods import Course, Cursor, next_cut, next_period
from chargewire.charging.plausible import implausible
from chargewire.charging.reading import Reading
from chargewire.charging.session import Period, Session, SessionStatus, Started, Stopped


def as_known(started: Started, readings: Collection[Reading], stopped: Stopped | None) -> Session:
    """The session that follows from all that is known; order and repetition of the readings do not matter.

    Without a stop it is as far as its last reading. A start with a refused token gives an INVALID session.
    """
    tally = Tally(started)
    for reading in sorted(readings, key=lambda reading: reading.at):
        tally.add(reading)
    return tally.session(stopped)


def closed_from_last(started: Started, readings: Collection[Reading]) -> Stopped:
    """The stop of a session that never got one: abnormal, at its last reading (or its start, if there is none).

    It has no register: the energy is what the readings say.
    """
    return _closed_at(started, max((reading.at for reading in readings), default=None))


def _closed_at(started: Started, last_at: datetime | None) -> Stopped:
    at = started.at if last_at is None else max(last_at, started.at)
    return Stopped(at=at, register_wh=None, reason="Other", abnormal=True)


class Tally:
    """What is known of one session. At every moment `session()` equals `as_known` of what was added."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self._start_mwh = None if started.register_wh is None else started.register_wh * WH
        self._power_w = connector_power_w(started.connector)
        self._curve = Curve(started.at, self._start_mwh, self._power_w)
        self._points: list[Measured] = []  # in order
        self._marks: list[Mark] = [self._curve.mark(0)]
        self._next_mark = 0
        self._late_from: int | None = None
        self._periods: list[Period] = []  # those that nothing newer changes …
        self._cursors: list[Cursor] = [Cursor(self._curve.start_t)]  # … and where each began, then where the next begins
        self._parked_since: int | None = None

    def add(self, reading: Reading) -> None:
        """Take in a reading. Cheap if it is the newest."""
        point = measured(reading)
        points = self._points
        if points and point.at <= points[-1].at:
            self._add_late(point)
            return
        points.append(point)
        if point.register_mwh is not None and point.rank < self._curve.rank:
            if self._curve.rank < NO_RANK:
                self._late_from = 0  # a better series than the one so far: all anew
            self._curve.rank = point.rank
        if self._late_from is None:
            self._advance(point, len(points))

    def session(self, stopped: Stopped | None = None) -> Session:
        """The session as it is known, running or (with `stopped`) over. Changes nothing."""
        self._catch_up()
        return self._running() if stopped is None else self._over(stopped)

    def urgent(self) -> bool:
        """Whether parking began or ended since this was last asked."""
        self._catch_up()
        before, self._parked_since = self._parked_since, self._parking_from()
        return before != self._parked_since

    def closed_from_last(self) -> Stopped:
        """As the function of that name, of what was added."""
        return _closed_at(self.started, self._points[-1].at if self._points else None)

    def _add_late(self, point: Measured) -> None:
        """A reading that is older than the newest, as old, or a repetition."""
        points = self._points
        if point in points[-1:]:
            return
        insort(points, point, key=_order)
        place = next(i for i in range(len(points) - 1, -1, -1) if points[i] is point)
        if place and points[place - 1] == point:
            del points[place]
            return
        if point.register_mwh is not None and point.rank < self._curve.rank:
            self._curve.rank, place = point.rank, 0
        self._late_from = place if self._late_from is None else min(place, self._late_from)

    def _advance(self, point: Measured, count: int) -> None:
        curve = self._curve
        curve.advance(point)
        if curve.state.t >= self._next_mark:
            self._marks.append(curve.mark(count))
            self._next_mark = curve.state.t - curve.state.t % QUARTER_S + QUARTER_S

    def _catch_up(self) -> None:
        """Go back to before what came late, and on from there."""
        if self._late_from is None:
            return
        while self._marks[-1].points > self._late_from:
            self._marks.pop()
        mark = self._marks[-1]
        self._curve.restore(mark)
        self._next_mark = self._curve.state.t - self._curve.state.t % QUARTER_S + QUARTER_S if mark.points else 0
        while self._periods and self._cursors[-1].t >= mark.settled:
            self._periods.pop()
            self._cursors.pop()
        self._late_from = None
        for count in range(mark.points, len(self._points)):
            self._advance(self._points[count], count + 1)

    def _parking_from(self) -> int | None:
        since, parking = self._curve.changes[-1]
        return since if parking else None

    def _running(self) -> Session:
        curve = self._curve
        total = running_total(curve.state.count, curve.state.head, self._start_mwh)
        course = Course(curve.times, curve.energies, curve.changes, curve.currents, curve.power)
        self._settle(course)
        nothing = curve.state.t == curve.start_t and not total.energy
        periods = [] if nothing else self._rest(course, curve.state.t, self._cursors[-1])
        since = self._parking_from()
        session = self._session(total, (*self._periods, *periods), None)
        if since is None:
            return session
        begun = self.started.at if since == curve.start_t else datetime.fromtimestamp(since, UTC)
        return replace(session, parked_since=begun)

    def _settle(self, course: Course) -> None:
        """Make the periods that nothing newer changes, once and for all."""
        settled = self._curve.settled
        while next_cut(course.times[0], self._cursors[-1].t) < settled:
            period, cursor = next_period(course, self._cursors[-1], settled, self.started.at)
            self._periods.append(period)
            self._cursors.append(cursor)

    def _rest(self, course: Course, end: int, cursor: Cursor) -> list[Period]:
        periods = []
        while True:
            period, cursor = next_period(course, cursor, end, self.started.at)
            periods.append(period)
            if cursor.t >= end:
                return periods

    def _over(self, stopped: Stopped) -> Session:
        curve, state = self._curve, self._curve.state
        flags: tuple[str, ...] = ()
        if stopped.at < self.started.at:
            stopped, flags = replace(stopped, at=self.started.at), (STOP_BEFORE_START,)
        stop_t = int(stopped.at.timestamp())
        starts = (self._start_mwh, state.begin_mwh)
        stops = (None if stopped.register_wh is None else stopped.register_wh * WH, state.end_mwh)
        total = final_total(state.count, state.head, curve.start_t, stop_t, starts, stops)
        if state.last_at is not None and state.last_at > stopped.at:
            flags = (*flags, READING_AFTER_STOP)
        if total.bend or stop_t < state.t:
            periods = self._rest(self._bent(total, stop_t), stop_t, Cursor(curve.start_t))
        else:
            course = Course(curve.times, curve.energies, curve.changes, curve.currents, curve.power)
            self._settle(course)
            periods = self._periods + self._rest(self._with_tail(total, stop_t), stop_t, self._cursors[-1])
        session = self._session(total, tuple(periods), stopped)
        return replace(session, flags=_united(session.flags, flags)) if flags else session

    def _with_tail(self, total: Total, stop_t: int) -> Course:
        """The course with its last stretch, from the last reading to the stop."""
        curve = self._curve
        changes = curve.changes
        if total.tail_known:
            begin, energy = curve.times[-1], total.energy - curve.energies[-1]
            last = curve.state.twin().flow.step(begin, stop_t, energy, None)
            changes = [*changes, last] if last else changes
        return Course([*curve.times, stop_t], [*curve.energies, total.energy], changes, curve.currents, curve.power)

    def _bent(self, total: Total, stop_t: int) -> Course:
        """The course where readings lie behind the stop or lead to another energy than the session's."""
        curve = self._curve
        counted = curve.energies[-1]
        times = [min(t, stop_t) for t in curve.times]
        if total.bend == "scale":
            energies = [energy * total.energy // counted for energy in curve.energies] if counted else [0] * len(times)
        else:
            energies = [min(energy, total.energy) for energy in curve.energies]
        times.append(stop_t)
        energies.append(total.energy)
        flow, changes = Flow(), [(times[0], False)]
        powers = [*curve.powers, None]
        known = len(times) if total.tail_known or (total.bend and not counted) else len(times) - 1
        for i in range(1 if curve.head_known or total.bend == "scale" else 2, known):
            change = flow.step(times[i - 1], times[i], energies[i] - energies[i - 1], powers[i])
            if change:
                changes.append(change)
        currents, power = (Series([min(t, stop_t) for t in each.times], each.values) for each in (curve.currents, curve.power))
        return Course(times, energies, changes, currents, power)

    def _session(self, total: Total, periods: tuple[Period, ...], stopped: Stopped | None) -> Session:
        state, started = self._curve.state, self.started
        energy_wh = (total.energy + WH // 2) // WH
        if not started.token_accepted:
            status = SessionStatus.INVALID
        else:
            status = SessionStatus.COMPLETED if stopped else SessionStatus.ACTIVE
        end = int(stopped.at.timestamp()) if stopped else state.t
        suspicious = implausible(energy_wh, end - self._curve.start_t, periods, self._power_w)
        return Session(
            id=started.session_id,
            status=status,
            started=started,
            energy_wh=energy_wh,
            periods=periods,
            stopped=stopped,
            last_reading_at=state.last_at,
            state_of_charge=state.soc,
            flags=_united(state.flags, total.flags, suspicious),
        )


def _order(point: Measured) -> tuple[datetime, int, int, int, int]:
    return point.order


def _united(*flags: tuple[str, ...]) -> tuple[str, ...]:
    """All flags, each once, in an order that does not depend on when they were found."""
    if not any(flags):
        return ()
    return tuple(sorted({flag for some in flags for flag in some}))
