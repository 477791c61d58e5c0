"""What time a station means, given when it was heard.

Old times are normal: stations queue what they could not send, for days and weeks. Times ahead of ours are not.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from chargewire.charging.flags import CLOCK_AHEAD, CLOCK_LOCAL, CLOCK_UNSET, NO_TIME
from chargewire.charging.reading import Reading

UNSET_BEFORE = datetime(2012, 1, 1, tzinfo=UTC)  # 1970, 2000 …: no OCPP 1.6 station was there (MicroOcpp #311, SteVe #136)
AHEAD_TOLERANCE = timedelta(minutes=5)
UNKNOWN = datetime.min.replace(tzinfo=UTC)
DISTANCE_MAX = timedelta(days=7)
ZONE_STEP = timedelta(minutes=30)
ZONE_MAX = timedelta(hours=14)  # UTC+14 is the easternmost zone


def sensible(at: datetime | None, heard_at: datetime) -> tuple[datetime, str | None]:
    """The UTC time to use for something that a station dates `at`, and a flag if that is not what it said.

    - None, or no zone: `heard_at`, and UTC.
    - Before 2012: the clock was not set, or counts from boot; `heard_at`.
    - At most 5 minutes ahead of `heard_at`: as it is.
    - Ahead by whole or half hours up to 14, give or take 5 minutes: local time marked Z; the hours come off.
      (Local time west of Greenwich, or out of a queue, lies in the past and cannot be told from an old event.)
    - Further ahead: `heard_at`.
    """
    if at is None:
        return heard_at, NO_TIME
    at = _utc(at)
    if at < UNSET_BEFORE:
        return heard_at, CLOCK_UNSET
    ahead = at - heard_at
    if ahead <= AHEAD_TOLERANCE:
        return at, None
    zone = ZONE_STEP * round(ahead / ZONE_STEP)
    if zone and zone <= ZONE_MAX and abs(ahead - zone) <= AHEAD_TOLERANCE:
        return at - zone, CLOCK_LOCAL
    return heard_at, CLOCK_AHEAD


def sensible_readings(readings: Sequence[Reading], heard_at: datetime) -> tuple[tuple[Reading, ...], str | None]:
    """Readings of one message at sensible times, and the first flag if any was wrong.

    Readings whose clock was unset or ahead keep their distances, up to a week: the newest of them is taken to be made at
    `heard_at`.
    """
    judged = [(reading, *sensible(reading.at, heard_at)) for reading in readings]
    if all(at is reading.at for reading, at, _ in judged):
        return tuple(readings), None
    newest: dict[str | None, datetime] = {}
    for reading, _, flag in judged:
        if flag in (CLOCK_UNSET, CLOCK_AHEAD):
            newest[flag] = max(newest.get(flag, UNKNOWN), _utc(reading.at))
    settled = []
    for reading, at, flag in judged:
        if flag in newest:
            distance = newest[flag] - _utc(reading.at)
            at -= distance if distance <= DISTANCE_MAX else timedelta(0)
        settled.append(reading if at == reading.at else replace(reading, at=at))
    return tuple(settled), next((flag for _, _, flag in judged if flag), None)


def _utc(at: datetime) -> datetime:
    """In UTC; what lies at the ends of the calendar stays there (DateTime.MinValue with an offset)."""
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)
