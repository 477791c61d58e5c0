"""Reading what a query asks for. Names are taken in any case; what is wrong is named (status code 2001)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar
from urllib.parse import unquote_plus

import msgspec
from msgspec import Struct

from chargewire.api.context import Asking
from chargewire.api.faults import BadParameter

Q = TypeVar("Q", bound=Struct)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = timedelta(hours=72)
MOST_OFFSET = 2**53


def query_of(request: Asking, shape: type[Q]) -> Q:
    """The query parameters that `shape` has, each as the text that was sent; others are not looked at."""
    known = _names(shape)
    given = {}
    for part in request.scope["query_string"].decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        field = known.get(name.lower())
        if field is not None and value:
            given[field] = unquote_plus(value) if "%" in value or "+" in value else value
    try:
        return msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        missing = str(error).partition("`")[2].partition("`")[0]
        raise BadParameter(missing, "is required") from error


@lru_cache(maxsize=64)
def _names(shape: type[Struct]) -> dict[str, str]:
    """What a parameter may be called."""
    return {name.lower(): name for name in shape.__struct_fields__} | {"continuationtoken": "continuation_token"}


def micros(name: str, text: str | None) -> int | None:
    """A time as µs since 1970; `yyyy-MM-ddTHH:mm:ssZ`, an offset or a fraction; without either it is UTC."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+" if "T" in text.upper() else "T"))
    except ValueError as error:
        raise BadParameter(name, "must be a time like 2026-11-24T06:00:00Z") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return (at - EPOCH) // timedelta(microseconds=1)


def window_of(date_from: str, date_to: str) -> tuple[int, int]:
    """Both ends of a window of at most 72 hours, in µs."""
    start, end = micros("date_from", date_from), micros("date_to", date_to)
    if start is None or end is None:
        raise BadParameter("date_from" if start is None else "date_to", "is required")
    if end < start:
        raise BadParameter("date_to", "must not be before date_from")
    if end - start > LONGEST // timedelta(microseconds=1):
        raise BadParameter("date_to", "must be within 72 hours of date_from")
    return start, end


def whole(name: str, text: str | None, default: int, least: int = 0) -> int:
    """A whole number that is not less than `least`."""
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise BadParameter(name, "must be a whole number")
    value = int(text)
    if value < least:
        raise BadParameter(name, f"must be at least {least}")
    return value


def capped(text: str | None, default: int, most: int) -> int:
    """A limit; a larger one than `most` becomes `most`."""
    return min(whole("limit", text, default, 1), most)


def bounded(text: str, least: int, most: int) -> int:
    """A limit that has to be given and to lie within bounds."""
    value = whole("limit", text, 0, least)
    if value > most:
        raise BadParameter("limit", f"must be at most {most}")
    return value


def words(name: str, text: str | None, known: Iterable[str]) -> tuple[str, ...]:
    """Words of a list, separated by commas, in capitals."""
    given = tuple(dict.fromkeys(word.strip().upper() for word in (text or "").split(",") if word.strip()))
    for word in given:
        if word not in known:
            raise BadParameter(name, f"must be one of {', '.join(known)}")
    return given
