"""Reading messages that break their schema: the typed value all the same, and what had to be let pass.

The fast way is the strict decoder; this is the slow way for what it refuses. It follows the struct's own types, so there is
nothing to write per message. Refusing would be worse: a transaction message that is answered with an error comes again, and
blocks all that the station has to tell after it (OCPP 1.6 §3.7.1; SteVe #848).
"""

import json
import math
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct, inspect

from chargewire.protocols.ocpp.moments import Moment, read_moment, utc

S = TypeVar("S", bound=Struct)
MOST_FLAGS = 16
_MISSING: Any = object()


class Flags:
    """What was wrong with a message, each kind of fault of a field once: `number-as-text:meterStart`."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def add(self, fault: str, path: str) -> None:
        """Note a fault of the field at `path` (wire names, without indexes)."""
        if len(self._seen) < MOST_FLAGS:
            self._seen[f"{fault}:{path}" if path else fault] = None

    def all(self) -> tuple[str, ...]:
        return tuple(self._seen)


Mend = Callable[[Any, str, Flags], Any]


def repaired(kind: type[S], payload: bytes) -> tuple[S, tuple[str, ...]]:
    """The message in `payload`, whatever it takes, and what that was.

    Required fields that are missing or senseless are "" for text, () for lists and None for numbers and moments, whatever
    the struct says; text that is too long or an unknown word is kept as it is.
    """
    flags = Flags()
    value = _decoded(payload, flags)
    return cast(S, _mender_of(kind)(value, "", flags)), flags.all()


def _decoded(payload: bytes, flags: Flags) -> Any:
    """JSON by a reader that stops at less: half a character, control characters, Infinity."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        value = json.loads(payload.decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        flags.add("not-json", "")
        return {}
    flags.add("odd-json", "")
    return value


@cache
def _mender_of(kind: type[Struct]) -> Mend:
    return _struct(cast(inspect.StructType, inspect.type_info(kind)))


def _mender(shape: inspect.Type) -> Mend:
    if isinstance(shape, inspect.UnionType):
        return _mender(next(each for each in shape.types if not isinstance(each, inspect.NoneType)))
    if isinstance(shape, inspect.StructType):
        return _mender_of(shape.cls)
    if isinstance(shape, inspect.VarTupleType):
        return _many(shape)
    if isinstance(shape, inspect.LiteralType):
        return _word(shape)
    if isinstance(shape, inspect.StrType):
        return _text(shape)
    for type_, mend in ((inspect.IntType, _whole), (inspect.FloatType, _number), (inspect.DateTimeType, _moment)):
        if isinstance(shape, type_):
            return mend
    return _bool if isinstance(shape, inspect.BoolType) else _as_it_is


def _struct(shape: inspect.StructType) -> Mend:
    fields = [(field.name, field.encode_name, _mender(field.type), _default(field)) for field in shape.fields]
    known = {wire for _, wire, _, _ in fields}

    def mend(value: Any, path: str, flags: Flags) -> Any:
        if not isinstance(value, dict):
            if value is not None:
                flags.add("not-an-object", path)
            value = {}
        given = {}
        for name, wire, mend_field, default in fields:
            place = f"{path}.{wire}" if path else wire
            sent = value.get(wire, _MISSING)
            if sent is None or sent is _MISSING:
                if default is _MISSING:
                    flags.add("missing", place)
                    given[name] = mend_field(None, place, flags)
                else:
                    given[name] = default
                    if sent is None:
                        flags.add("null", place)
            else:
                mended = mend_field(sent, place, flags)
                given[name] = default if mended is None and default is not _MISSING else mended
        for wire in value.keys() - known:
            flags.add("unknown-field", f"{path}.{wire}"[:80] if path else wire[:80])
        return shape.cls(**given)

    return mend


def _default(field: inspect.Field) -> Any:
    if field.required:
        return _MISSING
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _many(shape: inspect.VarTupleType) -> Mend:
    mend_item = _mender(shape.item_type)

    def mend(value: Any, path: str, flags: Flags) -> Any:
        if not isinstance(value, list):
            if value is None:
                return ()
            flags.add("not-a-list", path)
            value = [value]
        if not value and shape.min_length:
            flags.add("empty", path)
        return tuple(mend_item(item, path, flags) for item in value)

    return mend


def _text(shape: inspect.StrType) -> Mend:
    def mend(value: Any, path: str, flags: Flags) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            flags.add("not-text", path)
            value = _as_text(value)
        if not value.isascii() or "\0" in value:
            clean = value.replace("\0", "").encode(errors="replace").decode()
            if clean != value:
                flags.add("odd-character", path)
                value = clean
        if shape.max_length is not None and len(value) > shape.max_length:
            flags.add("too-long", path)
        return cast(str, value)

    return mend


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else msgspec.json.encode(value).decode()


def _word(shape: inspect.LiteralType) -> Mend:
    words = {str(word).casefold(): word for word in shape.values}

    def mend(value: Any, path: str, flags: Flags) -> Any:
        if value is None:
            return ""
        if value in shape.values:
            return value
        text = value if isinstance(value, str) else _as_text(value)
        flags.add("unknown-value", path)
        return words.get(text.strip().casefold(), text)

    return mend


def _whole(value: Any, path: str, flags: Flags) -> int | None:
    number = _number(value, path, flags)
    if number is None or isinstance(number, int):
        return number
    flags.add("not-whole", path)
    return round(number)


def _number(value: Any, path: str, flags: Flags) -> int | float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip().replace(",", ".")
        for read in (int, float):
            try:
                number = read(text)
            except ValueError:
                continue
            if math.isfinite(number):
                flags.add("number-as-text", path)
                return number
    flags.add("not-a-number", path)
    return None


def _moment(value: Any, path: str, flags: Flags) -> datetime | None:
    if value is None:
        return None
    try:
        return utc(msgspec.convert(value, Moment))
    except msgspec.ValidationError:
        at = read_moment(value)
    flags.add("odd-time" if at else "unreadable-time", path)
    return at


def _bool(value: Any, path: str, flags: Flags) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    flags.add("not-a-bool", path)
    return str(value).strip().casefold() in ("1", "true", "yes")


def _as_it_is(value: Any, _path: str, _flags: Flags) -> Any:
    return value
