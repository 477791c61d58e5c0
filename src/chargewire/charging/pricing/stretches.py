"""A session cut into stretches within which nothing about its price changes.

Times are in µs of the Unix epoch and energy is in µWh, both whole numbers: within a stretch energy flows evenly, and what
a cut takes from one side is exactly what it leaves to the other.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from datetime import datetime, timedelta

from msgspec import Struct

from chargewire.charging.pricing.local_time import EPOCH, LocalClock
from chargewire.charging.pricing.rules import Rules
from chargewire.charging.session import Period

US = 1_000_000
_MICROSECOND = timedelta(microseconds=1)


class Stretch(Struct, gc=False):
    """A piece of a session: energy, and time that is charged for (`time_us`; usually all of it), charging or parking."""

    begin: int
    end: int
    energy: int
    time_us: int
    parking: bool
    power_mw: int
    current_ma: int
    fresh: bool = True  # what matches may have changed at its begin, by time

    def cut_at(self, moment: int) -> "Stretch":
        """Cut off and give what lies before a moment."""
        return self._cut(moment - self.begin, self.end - self.begin)

    def cut_off(self, energy: int) -> "Stretch":
        """Cut off and give what comes before so much energy has flowed."""
        return self._cut(energy, self.energy)

    def _cut(self, part: int, whole: int) -> "Stretch":
        moment = self.begin + (self.end - self.begin) * part // whole
        energy, time_us = self.energy * part // whole, self.time_us * part // whole
        before = Stretch(self.begin, moment, energy, time_us, self.parking, self.power_mw, self.current_ma, self.fresh)
        self.begin, self.energy, self.time_us, self.fresh = moment, self.energy - energy, self.time_us - time_us, True
        return before


def micros(at: datetime) -> int:
    """µs of the Unix epoch."""
    return (at - EPOCH) // _MICROSECOND


def cut_stretches(periods: Sequence[Period], ended_at: datetime, rules: Rules, clock: LocalClock | None) -> Iterator[Stretch]:
    """The stretches of a session, cut wherever a rule of the tariff may begin or cease to match."""
    begin = micros(periods[0].start)
    moments = [begin + us for us in rules.durations_us]
    if clock is not None:
        moments += [second * US for second in clock.when(rules.seconds_of_day)]
    moments.sort()
    used = place = 0
    for stretch in _stretches(periods, ended_at, rules.measured):
        while place < len(moments) and moments[place] <= stretch.begin:
            place += 1
            stretch.fresh = True
        while place < len(moments) and moments[place] < stretch.end:
            before = stretch.cut_at(moments[place])
            used += before.energy
            yield from _cut_by_energy(before, used - before.energy, rules.energies_uwh)
            place += 1
        yield from _cut_by_energy(stretch, used, rules.energies_uwh)
        used += stretch.energy


def _cut_by_energy(stretch: Stretch, used: int, thresholds: Sequence[int]) -> Iterator[Stretch]:
    place = bisect_right(thresholds, used)
    if place == len(thresholds) or thresholds[place] >= used + stretch.energy:
        yield stretch
        return
    rest = copy(stretch)
    while place < len(thresholds) and thresholds[place] < used + rest.energy:
        before = rest.cut_off(thresholds[place] - used)
        used += before.energy
        place += 1
        yield before
    yield rest


def _stretches(periods: Sequence[Period], ended_at: datetime, measured: bool) -> Iterator[Stretch]:
    """Charging and parking parts of each period; one that holds both is taken to charge first. Powers if they are asked for."""
    begins = [micros(period.start) for period in periods]
    ends = [*begins[1:], max(micros(ended_at), begins[-1])]
    fresh = True
    for period, begin, end in zip(periods, begins, ends, strict=True):
        charging, parking, energy = period.charging_s * US, period.parking_s * US, period.energy_wh * US
        power, current = (_power_mw(period), _current_ma(period)) if measured else (0, 0)
        if not parking:
            yield Stretch(begin, end, energy, charging, False, power, current, fresh)
        elif not charging:
            yield Stretch(begin, end, energy, parking, True, 0, 0, fresh)
        else:
            middle = parking_begins(period, end)
            yield Stretch(begin, middle, energy, charging, False, power, current, fresh)
            yield Stretch(middle, end, 0, parking, True, 0, 0, False)
        fresh = False


def parking_begins(period: Period, end: int) -> int:
    """When a period that lasts until `end` ceases to charge; in µs of the epoch."""
    begin = micros(period.start)
    length = max(end - begin, 0)
    return begin + length * period.charging_s // ((period.charging_s + period.parking_s) or 1)


def _power_mw(period: Period) -> int:
    """Average power while charging; the highest measured one where no energy or time is known."""
    if period.energy_wh and period.charging_s:
        return period.energy_wh * 3_600_000 // period.charging_s
    return (period.max_power_w or 0) * 1000


def _current_ma(period: Period) -> int:
    """The highest current, or else the lowest; an unknown one counts as none.

    It is that of the phase that carries most (charging.measured), not OCPI's sum over the phases: readings do not tell
    whether a car that draws 16 A on one phase draws as much on the other two.
    """
    current = period.max_current_a if period.max_current_a is not None else period.min_current_a
    return 0 if current is None else int(current * 1000)
