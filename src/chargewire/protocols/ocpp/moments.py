"""Points in time as stations write them, which is in every way there is (OCPP 1.6 §3.15; SteVe #136, MicroOcpp #311)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""A moment as it should be written (RFC 3339, with its zone)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a moment that a station did not tell, or told in no readable way, where one is needed. A station whose clock
was never set says the same, so whoever corrects clocks has to deal with it anyway."""

_MILLISECONDS_FROM = 100_000_000_000  # as seconds this would be the year 5138


def utc(at: datetime | None) -> datetime | None:
    """The same moment with UTC as its zone; without zone it is taken as UTC. None if no calendar holds it."""
    if at is None or at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def read_moment(value: Any) -> datetime | None:
    """A moment from whatever was sent: ISO 8601 with or without zone, fractions, `T` or a space; seconds or ms since 1970."""
    if isinstance(value, str):
        text = value.strip().replace("/", "-")
        try:
            return utc(datetime.fromisoformat(text))
        except ValueError:
            try:
                value = float(text)
            except ValueError:
                return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
        try:
            return EPOCH + timedelta(seconds=seconds)
        except (OverflowError, ValueError):
            return None
    return None


def written(at: datetime) -> str:
    """A moment as we write it to stations: UTC, milliseconds, `Z`. Some stations cannot read more digits than three."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
