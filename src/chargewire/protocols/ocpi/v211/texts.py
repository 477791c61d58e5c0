"""Texts and numbers as OCPI 2.1.1 lets them be written: clipped to their lengths, degrees with six decimals."""

import re
from decimal import Decimal, InvalidOperation

LONGEST_URL = 255
SIX = Decimal("0.000001")
_LANGUAGE = re.compile(r"([A-Za-z]{2})([-_].*)?", re.ASCII | re.DOTALL)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def clipped(text: str | None, length: int) -> str | None:
    """The beginning of a text, without control characters; None if there is none."""
    return filled(text, length) if text else None


def filled(text: str, length: int) -> str:
    """The beginning of a text that has to be there, without control characters."""
    return "".join(char for char in text if char.isprintable() or char == " ")[:length]


def website(url: str | None) -> str | None:
    """A URL, if 2.1.1 has room for it: half of one leads nowhere."""
    return url if url and len(url) <= LONGEST_URL else None


def language(code: str | None) -> str | None:
    """The two letters of ISO 639-1, also of `en-GB`; None for what begins with no such code: half of `swe` is Swahili."""
    known = _LANGUAGE.fullmatch(code or "")
    return known[1] if known else None


def time_of_day(text: str) -> str | None:
    """`HH:MM`; None for what is no time of a day."""
    return text if _TIME_OF_DAY.fullmatch(text) else None


def degrees(text: str) -> str:
    """Decimal degrees with exactly six decimals (2.1.1 mod_locations, GeoLocation)."""
    try:
        return str(Decimal(text).quantize(SIX))
    except InvalidOperation:
        return "0.000000"


def number(value: Decimal) -> float:
    """A number with at most four decimals (2.1.1 types)."""
    return float(round(value, 4))


def kwh(energy_wh: int) -> float:
    """Wh as kWh; three decimals say it exactly."""
    return energy_wh / 1000


def hours(seconds: int) -> float:
    """Seconds as hours, to four decimals."""
    return round(seconds / 3600, 4)
