"""Times and numbers as the Platform API writes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Stamp = int | str
"""A time of the journal: microseconds since 1970, or text that is ready (or stands for it until the commit)."""


def moment(at: datetime) -> str:
    """UTC with milliseconds, rounded down: `2026-11-24T06:12:00.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def stamped(stamp: Stamp) -> str:
    """The same for a time of the journal."""
    return stamp if isinstance(stamp, str) else moment(_EPOCH + timedelta(microseconds=stamp))


def kwh(energy_wh: int) -> float:
    """Wh as kWh; three decimals say it exactly."""
    return energy_wh / 1000


def hours(seconds: int) -> float:
    """Seconds as hours, to 4 decimals (OCPI 2.1.1 types, number)."""
    return round(seconds / 3600, 4)


def number(value: Decimal | None) -> float | None:
    """A decimal as a JSON number with at most 4 decimals (OCPI 2.1.1 types, number)."""
    return None if value is None else float(round(value, 4))
