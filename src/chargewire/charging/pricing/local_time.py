"""Local time of a place during one session, without asking the time zone more often than twice or at a change of the clock."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from chargewire.charging.pricing.rules import DAY_S

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LocalClock:
    """The local clock between two moments (seconds of the Unix epoch), with at most one change of its offset between.

    A time zone that nobody knows counts as UTC: a place with a misspelt one still has sessions to price.
    """

    def __init__(self, time_zone: str, begin_s: int, end_s: int) -> None:
        self._begin, self._end = begin_s, end_s
        zone = _zone(time_zone)
        self._offset = self._later_offset = _offset(zone, begin_s)
        self._change = end_s + 1
        later = _offset(zone, end_s)
        if later != self._offset:
            self._later_offset = later
            self._change = _change(zone, begin_s, end_s, self._offset)

    def local_s(self, second: int) -> int:
        """What the local clock shows, as seconds since it showed 1970-01-01T00:00."""
        return second + (self._offset if second < self._change else self._later_offset)

    def when(self, seconds_of_day: Iterable[int]) -> list[int]:
        """All moments between the two at which the local clock may show one of some times of day, or jumps."""
        first = self.local_s(self._begin) // DAY_S
        last = self.local_s(self._end) // DAY_S
        found = {self._change}
        for offset in {self._offset, self._later_offset}:
            for second in seconds_of_day:
                found.update(day * DAY_S + second - offset for day in range(first, last + 1))
        return sorted(second for second in found if self._begin < second < self._end)


def _offset(zone: ZoneInfo | None, second: int) -> int:
    if zone is None:
        return 0
    offset = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


def _change(zone: ZoneInfo | None, low: int, high: int, offset: int) -> int:
    """The first second at which the offset is no longer the one at `low`."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
