"""A reader for each object of OCPI 2.1.1, made from its type: what the type requires, and what may be let pass.

An optional single field that cannot be read is left out of the value, as if it were null. Objects and lists with something in
them must be right: half of a location is another location.
"""

from functools import cache
from typing import Any, cast

import msgspec
from msgspec import Struct, inspect

from chargewire.charging.errors import Refused
from chargewire.protocols.ocpi.v211.scalars import Reader, Slips, boolean, number, text_reader, whole, word

UNSTAMPED = "1970-01-01T00:00:00Z"  # `last_updated` of what came without one
LATER = {  # how 2.2 spells what 2.1.1 spells otherwise; some partners do so in 2.1.1, too
    "end_date_time": ("stop_date_time", "end_datetime"),
    "start_date_time": ("start_datetime",),
}
_MISSING: Any = object()


@cache
def reader_of(kind: type[Struct]) -> Reader:
    """What reads an object of a type, or a part of one."""
    return _struct(cast(inspect.StructType, inspect.type_info(kind)))


def _reader(shape: inspect.Type) -> Reader:
    if isinstance(shape, inspect.UnionType):
        return _reader(next(each for each in shape.types if not isinstance(each, inspect.NoneType)))
    if isinstance(shape, inspect.StructType):
        return reader_of(shape.cls)
    if isinstance(shape, inspect.VarTupleType):
        return _many(shape)
    if isinstance(shape, inspect.LiteralType):
        return word(shape)
    if isinstance(shape, inspect.StrType):
        return text_reader(shape)
    if isinstance(shape, inspect.IntType):
        return whole(shape)
    return boolean if isinstance(shape, inspect.BoolType) else number


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
        for name in value:
            if name not in known and name not in LATER:
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
    """What cannot be read and need not be there is left out of the value, an empty object too; what says more must be right."""
    try:
        return read_field(sent, place, slips)
    except Refused:
        if sent and isinstance(sent, dict | list):
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
