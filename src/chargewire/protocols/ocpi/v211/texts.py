"""Texts and numbers as OCPI 2.1.1 lets them be written: clipped to their lengths, degrees with six decimals."""

from decimal import Decimal, InvalidOperation

LONGEST_URL = 255
SIX = Decimal("0.000001")


def clipped(text: str | None, length: int) -> str | None:
    """The beginning of a text, without control characters; None if there is none."""
    return filled(text, length) if text else None


def filled(text: str, length: int) -> str:
    """The beginning of a text that has to be there, without control characters."""
    return "".join(char for char in text if char.isprintable() or char == " ")[:length]


def website(url: str | None) -> str | None:
    """A URL, if 2.1.1 has room for it: half of one leads nowhere."""
    return url if url and len(url) <= LONGEST_URL else None


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
