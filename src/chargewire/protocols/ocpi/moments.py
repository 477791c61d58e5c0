"""Times as OCPI 2.1.1 writes them: UTC, whole seconds, `Z` (types, DateTime); fractions came with 2.2."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Stamp = int | str
"""A time of the journal: microseconds since 1970, or text that is ready."""


def moment(at: datetime) -> str:
    """Rounded down to the second: `2026-11-24T06:12:00Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds")[:-6] + "Z"


def stamped(stamp: Stamp) -> str:
    """The same for a time of the journal."""
    return stamp if isinstance(stamp, str) else moment(_EPOCH + timedelta(microseconds=stamp))
