"""Stamps are whole microseconds since 1970 UTC, so that they sort, compare and store the same everywhere."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_stamp(at: datetime) -> int:
    """The stamp of an aware moment."""
    return (at - _EPOCH) // _MICROSECOND


def from_stamp(stamp: int) -> datetime:
    """The moment of a stamp, in UTC."""
    return _EPOCH + timedelta(microseconds=stamp)
