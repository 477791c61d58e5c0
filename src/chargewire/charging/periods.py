"""Charging periods: the course of a session cut at clock quarters of an hour (UTC) and where charging and parking change.

The incumbent's CDRs look so: charging periods carry energy and time, periods in which the car only parked carry parking
time, and one quarter may hold one of each.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from chargewire.charging.curve import QUARTER_S, Series
from chargewire.charging.energy import WH
from chargewire.charging.session import Period

LONG_S = 31 * 86_400
DAY_S = 86_400


class Course(Struct, frozen=True):
    """A curve's lists: energy in mWh at some seconds, parking since some seconds, current in mA and power in mW."""

    times: Sequence[int]
    energies: Sequence[int]
    changes: Sequence[tuple[int, bool]]
    currents: Series
    power: Series


class Cursor(Struct, frozen=True):
    """How far the periods of a course are made: up to second `t`, with `spent_wh` in them, and places in its lists."""

    t: int
    spent_wh: int = 0
    edge: int = 0
    change: int = 0
    current: int = 0
    power: int = 0


def next_cut(start: int, t: int) -> int:
    """Where a period that begins at second `t` is cut by the clock, in a session that began at `start`.

    At the quarter of an hour; from the end of the first month on at midnight (UTC). Such a session is a car that was forgotten,
    or a clock that was years behind at the start: half a million quarters would be of no use to anybody.
    """
    step = QUARTER_S if t - start < LONG_S else DAY_S
    return t - t % step + step


def next_period(course: Course, cursor: Cursor, end: int, started_at: datetime) -> tuple[Period, Cursor]:
    """The period that begins at the cursor, and where the next one does. `end`: where the session ends, as far as known.

    Energy between two readings is spread evenly over the time. Each period gets the difference of two rounded totals, so
    that the sum of all is the rounded total of the session.
    """
    change = cursor.change
    while change + 1 < len(course.changes) and course.changes[change + 1][0] <= cursor.t:
        change += 1
    until = min(end, next_cut(course.times[0], cursor.t))
    if change + 1 < len(course.changes):
        until = min(until, course.changes[change + 1][0])
    edge = bisect_right(course.times, until, cursor.edge) - 1
    spent_wh = (_energy_at(course, edge, until) + WH // 2) // WH
    current = bisect_right(course.currents.times, until, cursor.current)
    power = bisect_right(course.power.times, until, cursor.power)
    currents = course.currents.values[cursor.current : current]
    powers = course.power.values[cursor.power : power]
    seconds, energy_wh = until - cursor.t, spent_wh - cursor.spent_wh
    parking = course.changes[change][1]
    period = Period(
        started_at if cursor.edge == 0 and cursor.t == course.times[0] else datetime.fromtimestamp(cursor.t, UTC),
        energy_wh,
        0 if parking else seconds,
        seconds if parking else 0,
        _amperes(min(currents)) if currents else None,
        _amperes(max(currents)) if currents else None,
        _power_w(powers, energy_wh, seconds),
    )
    return period, Cursor(until, spent_wh, edge, change, current, power)


def _energy_at(course: Course, edge: int, t: int) -> int:
    """mWh at second `t`, which lies at or after the given edge and before the next."""
    before, energy = course.times[edge], course.energies[edge]
    if t == before or edge + 1 == len(course.times):
        return energy
    return energy + (course.energies[edge + 1] - energy) * (t - before) // (course.times[edge + 1] - before)


def _power_w(powers: list[int], energy_wh: int, seconds: int) -> int | None:
    """The highest measured power, or else the average over at least a minute."""
    if powers:
        return (max(powers) + 500) // 1000
    return energy_wh * 3600 // seconds if seconds >= 60 else None


def _amperes(current_ma: int) -> Decimal:
    return Decimal(current_ma) / 1000
