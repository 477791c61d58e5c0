"""Reading what partners say: the typed object, the JSON as it came, and what had to be let pass.

Partners send null for what they leave out, numbers as texts and texts as numbers, fractions of seconds and offsets, fields of
their own, words of later versions. What can be understood is read and flagged as a slip; what cannot is refused by the name of
the field (OCPI 2001). The JSON is kept as it came, so that nothing is lost by being read.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct, inspect

from chargewire.charging.errors import Refused
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.texts import degrees

T = TypeVar("T", bound=Struct)
MOST_SLIPS = 32
MOST_DEPTH = 64  # of what is kept: JSON that is nested deeper is no object of OCPI
UNSTAMPED = "1970-01-01T00:00:00Z"  # `last_updated` of what came without one
FALLBACKS = ("UNKNOWN", "OTHER")  # words for what has no word
LARGEST = 1e15
LATER = {  # how 2.2 spells what 2.1.1 spells otherwise; some partners do so in 2.1.1, too
    "end_date_time": ("stop_date_time", "end_datetime"),
    "start_date_time": ("start_datetime",),
}
_INDEX = re.compile(r"\[\d+\]")
_MISSING: Any = object()


class Heard(Struct, Generic[T], frozen=True):
    """An object as it was said. `content` is its JSON, `value` what it means, `slips` what was wrong with it."""

    value: T
    content: dict[str, Any]
    slips: tuple[str, ...] = ()


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


def read(kind: type[T], body: bytes) -> Heard[T]:
    """An object from JSON. Raises Refused, naming the field as `evses[0].connectors[0].power_type`."""
    return understood(kind, decoded(body))


def read_answer(kind: type[T], data: bytes) -> Heard[T]:
    """The one object of an answer; some partners wrap it in a list. Raises Refused."""
    content = decoded(data)
    return understood(kind, content[0] if isinstance(content, list) and len(content) == 1 else content)


def patched(kind: type[T], old: dict[str, Any], body: bytes) -> Heard[T]:
    """An object with the fields that a PATCH names (2.1.1 transport_and_format, PATCH). Raises Refused."""
    changes = decoded(body)
    if not isinstance(changes, dict):
        raise Refused("must be an object")
    return understood(kind, {**old, **changes})


class Unread(Struct, frozen=True):
    """A row of a list that cannot be understood. `id`: what it calls itself, "" if not even that can be read."""

    id: str
    why: Refused


class _Named(Struct):
    id: str | int | None = None
    uid: str | int | None = None


def read_list(kind: type[T], data: bytes) -> tuple[list[Heard[T]], list[Unread]]:
    """The objects of a list, and those that cannot be read: the others count all the same. Raises Refused if it is no list."""
    try:
        rows = msgspec.json.decode(data, type=list[msgspec.Raw] | None) or []  # 2.1.1 types: `*` may be null
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused("must be a list", "data") from None
    good: list[Heard[T]] = []
    bad: list[Unread] = []
    for row in rows:
        try:
            good.append(read(kind, bytes(row)))
        except Refused as error:
            bad.append(Unread(_name_in(bytes(row)), error))
    return good, bad


def _name_in(row: bytes) -> str:
    try:
        named = msgspec.json.decode(row, type=_Named)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return str(named.id or named.uid or "")


def understood(kind: type[T], content: Any) -> Heard[T]:
    """An object from decoded JSON. Raises Refused."""
    slips = Slips()
    if kind.__name__ == "CommandResponse" and isinstance(content, str):  # before 2.1.1-d2 a bare word
        slips.add("bare-word", "result")
        content = {"result": content}
    value = _reader_of(kind)(content, "", slips)
    return Heard(cast(T, value), content, slips.all())


def decoded(body: bytes) -> Any:
    """JSON that can be kept and sent again. Raises Refused."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused("must be JSON") from None
    if not _keepable(content, MOST_DEPTH):
        raise Refused("holds what cannot be kept: a NUL character, a number beyond all bounds, or too many levels")
    return content


def _keepable(content: Any, depth: int) -> bool:
    if isinstance(content, str):
        return "\0" not in content
    if isinstance(content, float):
        return math.isfinite(content)
    if isinstance(content, dict):
        return depth > 0 and all("\0" not in key and _keepable(each, depth - 1) for key, each in content.items())
    return not isinstance(content, list) or (depth > 0 and all(_keepable(each, depth - 1) for each in content))


Reader = Callable[[Any, str, Slips], Any]


@cache
def _reader_of(kind: type[Struct]) -> Reader:
    return _struct(cast(inspect.StructType, inspect.type_info(kind)))


def _reader(shape: inspect.Type) -> Reader:
    if isinstance(shape, inspect.UnionType):
        return _reader(next(each for each in shape.types if not isinstance(each, inspect.NoneType)))
    if isinstance(shape, inspect.StructType):
        return _reader_of(shape.cls)
    if isinstance(shape, inspect.VarTupleType):
        return _many(shape)
    if isinstance(shape, inspect.LiteralType):
        return _word(shape)
    if isinstance(shape, inspect.StrType):
        return _TEXTS.get(shape.pattern or "", _text)(shape)
    if isinstance(shape, inspect.IntType):
        return _whole(shape)
    return _bool if isinstance(shape, inspect.BoolType) else _number


def _struct(shape: inspect.StructType) -> Reader:
    fields = [(field.encode_name, _reader(field.type), _default(field)) for field in shape.fields]
    known = {name for name, _, _ in fields}

    def read_struct(value: Any, path: str, slips: Slips) -> Any:
        if not isinstance(value, dict):
            raise Refused("must be an object", path or None)
        given = {}
        for name, read_field, default in fields:
            place = f"{path}.{name}" if path else name
            sent = _said(value, name, place, slips)
            if sent is None:
                given[name] = _absent(name, default, place, slips)
            elif default is _MISSING:
                given[name] = read_field(sent, place, slips)
            else:
                given[name] = _optional(read_field, sent, default, place, slips)
        for name in value.keys() - known - LATER.keys():
            slips.add("unknown-field", f"{path}.{name}"[:80] if path else name[:80])
        return shape.cls(**given)

    return read_struct


def _said(value: dict[str, Any], name: str, place: str, slips: Slips) -> Any:
    """What is said of a field, if need be in the spelling of a later version."""
    sent = value.get(name)
    if sent is None:
        for later, ours in LATER.items():
            if name in ours and value.get(later) is not None:
                slips.add(f"said-as-{later}", place)
                return value[later]
    return sent


def _absent(name: str, default: Any, place: str, slips: Slips) -> Any:
    if default is not _MISSING:
        return default
    if name != "last_updated":
        raise Refused("is required", place)
    slips.add("missing", place)  # partners leave it out, above all in PUT; 2.2 made it mandatory in PATCH
    return UNSTAMPED


def _optional(read_field: Reader, sent: Any, default: Any, place: str, slips: Slips) -> Any:
    """What cannot be read and need not be there is left out of the value; objects and lists must be right."""
    try:
        return read_field(sent, place, slips)
    except Refused:
        if isinstance(sent, dict | list):
            raise
        slips.add("unreadable", place)
        return default


def _default(field: inspect.Field) -> Any:
    if field.required:
        return _MISSING
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _many(shape: inspect.VarTupleType) -> Reader:
    read_item = _reader(shape.item_type)
    choice = isinstance(shape.item_type, inspect.LiteralType)

    def read_many(value: Any, path: str, slips: Slips) -> Any:
        if not isinstance(value, list):
            if isinstance(value, dict) or choice:
                slips.add("not-a-list", path)
                value = [value]
            else:
                raise Refused("must be a list", path)
        if shape.min_length and len(value) < shape.min_length:
            raise Refused("must not be empty", path)
        if not choice:
            return tuple(read_item(item, f"{path}[{number}]", slips) for number, item in enumerate(value))
        return tuple(_words_of(value, read_item, path, slips))

    return read_many


def _words_of(value: list[Any], read_item: Reader, path: str, slips: Slips) -> list[Any]:
    """The words that are known: a list may hold those of later versions."""
    found = []
    for item in value:
        try:
            found.append(read_item(item, path, slips))
        except Refused:
            slips.add("unknown-word", path)
    return found


def _word(shape: inspect.LiteralType) -> Reader:
    spelled = {str(word).casefold(): word for word in shape.values}
    fallback = next((word for word in FALLBACKS if word in shape.values), None)

    def read_word(value: Any, path: str, slips: Slips) -> Any:
        if value in shape.values and isinstance(value, str):
            return value
        found = spelled.get(value.strip().casefold()) if isinstance(value, str) else None
        if found is not None:
            slips.add("spelling", path)
            return found
        if fallback is None or not isinstance(value, str):
            raise Refused(f"must be one of {', '.join(map(str, shape.values))}", path)
        slips.add("unknown-word", path)
        return fallback

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


def _whole(shape: inspect.IntType) -> Reader:
    def read_whole(value: Any, path: str, slips: Slips) -> int:
        number = _number(value, path, slips)
        if not float(number).is_integer():
            slips.add("not-whole", path)
        whole = round(number)
        if shape.ge is not None and whole < shape.ge:
            raise Refused(f"must be at least {shape.ge}", path)
        return whole

    return read_whole


def _number(value: Any, path: str, slips: Slips) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST:
        return value
    try:
        number = float(value.strip()) if isinstance(value, str) else math.inf
    except ValueError:
        number = math.inf
    if not abs(number) < LARGEST:
        raise Refused("must be a number", path)
    slips.add("number-as-text", path)
    return int(number) if number.is_integer() else number


def _bool(value: Any, path: str, slips: Slips) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word not in ("true", "false", "1", "0"):
        raise Refused("must be true or false", path)
    slips.add("not-a-bool", path)
    return word in ("true", "1")


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).search(text) is not None


_TEXTS: dict[str, Callable[[inspect.StrType], Reader]] = {
    words.DATE_TIME: _date_time,
    words.LATITUDE: _degrees,
    words.LONGITUDE: _degrees,
    words.TOKEN: _exact_text,
    words.PARTY_ID: _exact_text,
    words.COUNTRY_2: _exact_text,
}
"""Texts that are told apart by the pattern that the specification gives them."""
