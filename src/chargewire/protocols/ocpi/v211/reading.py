"""Reading what partners say: the typed object, the JSON as it came, and what had to be let pass.

Partners send null for what they leave out, numbers as texts and texts as numbers, fractions of seconds and offsets, fields of
their own, words of later versions. What can be understood is read and flagged as a slip; what cannot is refused by the name of
the field (OCPI 2001). The JSON is kept as it came, so that nothing is lost by being read.
"""

import sys
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from chargewire.charging.errors import Refused
from chargewire.protocols.ocpi.v211.objects import reader_of
from chargewire.protocols.ocpi.v211.scalars import Slips

T = TypeVar("T", bound=Struct)
LARGEST_KEPT = sys.float_info.max  # a larger whole number is infinite to most who read JSON
MOST_DEPTH = 64  # of what is kept: JSON that is nested deeper is no object of OCPI


class Heard(Struct, Generic[T], frozen=True):
    """An object as it was said. `content` is its JSON, `value` what it means, `slips` what was wrong with it."""

    value: T
    content: dict[str, Any]
    slips: tuple[str, ...] = ()


def read(kind: type[T], body: bytes) -> Heard[T]:
    """An object from JSON. Raises Refused, naming the field as `evses[0].connectors[0].power_type`."""
    return understood(kind, decoded(body))


def read_answer(kind: type[T], data: bytes) -> Heard[T]:
    """The one object of an answer; some partners wrap it in a list. Raises Refused."""
    content = decoded(data)
    return understood(kind, content[0] if isinstance(content, list) and len(content) == 1 else content)


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
    value = reader_of(kind)(content, "", slips)
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
    if isinstance(content, int | float):
        return -LARGEST_KEPT <= content <= LARGEST_KEPT
    if isinstance(content, dict):
        return depth > 0 and all("\0" not in key and _keepable(each, depth - 1) for key, each in content.items())
    return not isinstance(content, list) or (depth > 0 and all(_keepable(each, depth - 1) for each in content))
