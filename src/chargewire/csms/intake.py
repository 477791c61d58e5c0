"""Strict reading of what an operator writes: the wrong field is named, unknown ones are refused, nothing is guessed."""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from chargewire.charging.errors import Refused

T = TypeVar("T")

READ_ONLY = frozenset(
    {"last_updated", "created", "modified", "status", "online", "connectivity_status", "protocol", "boot", "has_password"}
    | {"removed_evses"}
)
"""Fields that an answer of ours may hold and a body of theirs therefore may hold too; what they say is not looked at."""

_AT = re.compile(r"^(?P<message>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")


def read(body: bytes, shape: type[T]) -> T:
    """A JSON body as a struct. Raises Refused, with the path of the field: `stations[0].evses[1].uid`."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refused(f"not JSON: {error}") from error
    except RecursionError as error:
        raise Refused("not JSON that anybody means: it is nested too deeply") from error
    _known(raw, inspect.type_info(shape), "")
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _refused(str(error)) from error


def _refused(text: str) -> Refused:
    found = _AT.match(text)
    message, path = (found["message"], found["path"] or "") if found else (text, "")
    if missing := _MISSING.match(message):
        return Refused("is required", _join(path, missing["name"]))
    return Refused(message[:1].lower() + message[1:], path or None)


def _known(raw: Any, shape: inspect.Type, path: str) -> None:
    """Raises Refused for a field that the shape does not have, and for text that no database keeps."""
    if isinstance(raw, str):
        if "\x00" in raw:
            raise Refused("text must not hold U+0000", path)
        return
    shape = _meant(raw, shape)
    if isinstance(raw, dict):
        if isinstance(shape, inspect.StructType):
            fields = {field.encode_name: field.type for field in shape.fields}
            for name, value in raw.items():
                if name in fields:
                    _known(value, fields[name], _join(path, name))
                elif name not in READ_ONLY and name != shape.tag_field:
                    raise Refused("unknown field", _join(path, name))
        elif isinstance(shape, inspect.DictType):
            for name, value in raw.items():
                _known(name, inspect.StrType(), _join(path, "…"))
                _known(value, shape.value_type, _join(path, name))
    elif isinstance(raw, list) and isinstance(shape, (inspect.VarTupleType, inspect.ListType)):
        for index, value in enumerate(raw):
            _known(value, shape.item_type, f"{path}[{index}]")


def _meant(raw: Any, shape: inspect.Type) -> inspect.Type:
    """Of several shapes the one that a value is of: by its tag, or by whether it is a list."""
    if isinstance(shape, inspect.Metadata):
        return _meant(raw, shape.type)
    if not isinstance(shape, inspect.UnionType):
        return shape
    for each in shape.types:
        if isinstance(each, inspect.StructType) and isinstance(raw, dict) and each.tag_field:
            if raw.get(each.tag_field) == each.tag:
                return each
        elif isinstance(each, (inspect.StructType, inspect.DictType)) == isinstance(raw, dict) and not isinstance(
            each, inspect.NoneType
        ):
            return each
    return inspect.AnyType()


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
