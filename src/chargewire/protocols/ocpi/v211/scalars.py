"""Readers of words, texts, times and numbers: each gives the value in the form of 2.1.1, or names the field that has none."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

from msgspec import inspect

from chargewire.charging.errors import Refused
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.texts import degrees

MOST_SLIPS = 32
FALLBACKS = ("UNKNOWN", "OTHER")  # words for what has no word
OPEN = frozenset(  # later versions have more of these, and nothing is decided by them: an unknown one is kept as it is
    map(frozenset, map(get_args, (words.ConnectorType, words.AuthMethod, words.CdrDimensionType)))
)
LARGEST = 1e15
_INDEX = re.compile(r"\[\d+\]")


class Slips:
    """What was let pass, each kind of slip of a field once: `number-as-text:elements.price_components.price`."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def add(self, slip: str, path: str) -> None:
        if len(self._seen) < MOST_SLIPS:
            self._seen[f"{slip}:{_INDEX.sub('', path)}"] = None

    def all(self) -> tuple[str, ...]:
        return tuple(self._seen)


Reader = Callable[[Any, str, Slips], Any]
"""Gives what a value of JSON means. It is told where the value stands, and notes what it lets pass. Raises Refused."""


def text_reader(shape: inspect.StrType) -> Reader:
    """What reads a text: those that the specification gives a form are told apart by it."""
    return _FORMS.get(shape.pattern or "", _text)(shape)


def word(shape: inspect.LiteralType) -> Reader:
    """One of the words of an enumeration, in any case; else the word for what has none, or if it matters little that word."""
    spelled = {str(word).casefold(): word for word in shape.values}
    fallback = next((word for word in FALLBACKS if word in shape.values), None)
    is_open = frozenset(shape.values) in OPEN

    def read_word(value: Any, path: str, slips: Slips) -> Any:
        if value in shape.values and isinstance(value, str):
            return value
        found = spelled.get(value.strip().casefold()) if isinstance(value, str) else None
        if found is not None:
            slips.add("spelling", path)
            return found
        if not isinstance(value, str) or not value.strip() or not (fallback or is_open):
            raise Refused(f"must be one of {', '.join(map(str, shape.values))}", path)
        slips.add("unknown-word", path)
        return fallback or value

    return read_word


def _text(shape: inspect.StrType) -> Reader:
    def read_text(value: Any, path: str, slips: Slips) -> str:
        text = _as_text(value, path, slips)
        if shape.min_length and not text.strip():
            raise Refused("must not be empty", path)
        if shape.max_length is not None and len(text) > shape.max_length:
            slips.add("too-long", path)
        if shape.pattern and not _matches(shape.pattern, text):
            slips.add("odd-form", path)
        return text

    return read_text


def _code(shape: inspect.StrType) -> Reader:
    """A currency or a country: three capitals, `eur` is taken for `EUR`. An alpha-2 country stays what it is."""
    read_text = _text(shape)

    def read_code(value: Any, path: str, slips: Slips) -> str:
        capitals = value.strip().upper() if isinstance(value, str) else ""
        if capitals != value and _matches(shape.pattern or "", capitals):
            slips.add("spelling", path)
            return capitals
        return str(read_text(value, path, slips))

    return read_code


def _exact_text(shape: inspect.StrType) -> Reader:
    """A text that means nothing unless it is of its form (tokens, party ids)."""

    def read_text(value: Any, path: str, slips: Slips) -> str:
        text = _as_text(value, path, slips)
        if not _matches(shape.pattern or "", text) or len(text) > (shape.max_length or len(text)):
            raise Refused(f"must match {shape.pattern}, with at most {shape.max_length or 'as many'} characters", path)
        return text

    return read_text


def _date_time(_: inspect.StrType) -> Reader:
    """Offsets and fractions are no 2.1.1, but say when it was; without either it is UTC."""

    def read_moment(value: Any, path: str, slips: Slips) -> str:
        text = value.strip() if isinstance(value, str) else ""
        try:
            at = datetime.fromisoformat(text)
            known = moment(at.replace(tzinfo=UTC) if at.tzinfo is None else at)
        except (ValueError, OverflowError):
            raise Refused("must be a time such as 2026-11-24T06:12:00Z", path) from None
        if known.removesuffix("Z") != text.removesuffix("Z"):
            slips.add("odd-time", path)
        return known

    return read_moment


def _degrees(shape: inspect.StrType) -> Reader:
    bound = 90 if shape.pattern == words.LATITUDE else 180

    def read_degrees(value: Any, path: str, slips: Slips) -> str:
        text = _as_text(value, path, slips).strip()
        try:
            angle = float(text)
        except ValueError:
            angle = math.inf
        if not math.isfinite(angle):
            raise Refused("must be decimal degrees such as 52.090737", path)
        if abs(angle) > bound:
            slips.add("beyond-bounds", path)
        if not _matches(shape.pattern or "", text):
            slips.add("odd-form", path)
        return degrees(text)

    return read_degrees


def _as_text(value: Any, path: str, slips: Slips) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("must be text", path)
    slips.add("number-for-text", path)
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def whole(shape: inspect.IntType) -> Reader:
    """A whole number within its bounds; a fraction is rounded."""

    def read_whole(value: Any, path: str, slips: Slips) -> int:
        given = number(value, path, slips)
        if not float(given).is_integer():
            slips.add("not-whole", path)
        rounded = round(given)
        if shape.ge is not None and rounded < shape.ge:
            raise Refused(f"must be at least {shape.ge}", path)
        if shape.le is not None and rounded > shape.le:
            raise Refused(f"must be at most {shape.le}", path)
        return rounded

    return read_whole


def number(value: Any, path: str, slips: Slips) -> int | float:
    """A number, also as text."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST:
        return value
    try:
        said = float(value.strip()) if isinstance(value, str) else math.inf
    except ValueError:
        said = math.inf
    if not abs(said) < LARGEST:
        raise Refused("must be a number", path)
    slips.add("number-as-text", path)
    return int(said) if said.is_integer() else said


def boolean(value: Any, path: str, slips: Slips) -> bool:
    """True or false, also as a text or a number."""
    if isinstance(value, bool):
        return value
    said = str(value).strip().casefold()
    if said not in ("true", "false", "1", "0"):
        raise Refused("must be true or false", path)
    slips.add("not-a-bool", path)
    return said in ("true", "1")


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).search(text) is not None


_FORMS: dict[str, Callable[[inspect.StrType], Reader]] = {
    words.CODE_3: _code,
    words.DATE_TIME: _date_time,
    words.LATITUDE: _degrees,
    words.LONGITUDE: _degrees,
    words.TOKEN: _exact_text,
    words.PARTY_ID: _exact_text,
    words.COUNTRY_2: _exact_text,
}
