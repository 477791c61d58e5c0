"""Local time of places."""

from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from chargewire.charging.errors import Refused


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def check_time_zone(name: str, field: str) -> str:
    """An IANA name of a time zone. Raises Refused."""
    if name not in _names():
        raise Refused("must be an IANA time zone such as Europe/Amsterdam", field)
    ZoneInfo(name)
    return name
