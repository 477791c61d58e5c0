"""What a drawing of a session needs: the course of its power as the meter readings tell it, and the lines that price it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from chargewire.csms.explaining import LATE, Explanation, LineTold, ReadingTold

TIMED = ("ENERGY", "TIME", "PARKING_TIME")
MOST_STEPS = 400  # more than that nobody sees in a picture of 800 dots


class Step(NamedTuple):
    """Power that is held from one moment to another, in kW."""

    start: datetime
    end: datetime
    kw: float


def course_of(told: Explanation) -> list[Step]:
    """The power between two readings; without readings that of each period. What is too fine to be seen is averaged."""
    steps = _by_readings(told) or _by_periods(told)
    if len(steps) <= MOST_STEPS:
        return steps
    width = (told.stop - told.start) / MOST_STEPS
    kws = averages(steps, told.start, told.stop, MOST_STEPS)
    return [Step(told.start + width * number, told.start + width * (number + 1), kw) for number, kw in enumerate(kws)]


def averages(steps: Sequence[Step], start: datetime, stop: datetime, count: int) -> list[float]:
    """The average power, in kW, in each of so many equal parts of a time; the steps are in order."""
    width = (stop - start) / count
    if not width:
        return [0.0] * count
    sums = [0.0] * count
    for step in steps:
        first, last = int((step.start - start) / width), int((step.end - start) / width)
        for number in range(max(first, 0), min(last, count - 1) + 1):
            begin, end = start + width * number, start + width * (number + 1)
            within = min(step.end, end) - max(step.start, begin)
            sums[number] += step.kw * max(within / width, 0.0)
    return sums


def timed(told: Explanation) -> list[tuple[int, LineTold]]:
    """The lines that price stretches of time, with their number; energy and time may price the same one."""
    return [(number, line) for number, line in enumerate(told.lines) if line.type in TIMED and line.parts]


def plain(number: Decimal) -> str:
    """Without an exponent, and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _by_readings(told: Explanation) -> list[Step]:
    """By what the register rose from one reading to the next; where there is no register, or it fell, by the power measured."""
    within = [each for each in told.readings if told.start < each.at < told.stop and LATE not in each.flags]
    registers = [each for each in within if each.register_wh is not None]
    points = registers or [each for each in within if each.power_w is not None]
    if not points:
        return []
    first = ReadingTold(at=told.start, register_wh=told.start_register_wh, power_w=None)
    last = ReadingTold(at=told.stop, register_wh=told.stop_register_wh, power_w=None)
    return [Step(a.at, b.at, _between(a, b)) for a, b in pairwise([first, *points, last]) if b.at > a.at]


def _between(before: ReadingTold, after: ReadingTold) -> float:
    if before.register_wh is None or after.register_wh is None or after.register_wh < before.register_wh:
        return ((after.power_w if before.power_w is None else before.power_w) or 0) / 1000
    return (after.register_wh - before.register_wh) * 3.6 / _seconds(after.at - before.at)


def _by_periods(told: Explanation) -> list[Step]:
    begins = [*(period.start for period in told.periods), told.stop]
    return [
        Step(begin, end, period.energy_wh * 3.6 / _seconds(end - begin))
        for period, (begin, end) in zip(told.periods, pairwise(begins), strict=True)
        if end > begin
    ]


def _seconds(span: timedelta) -> float:
    return span.total_seconds()
