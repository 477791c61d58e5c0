"""OCPP-J conversation, without I/O: bytes in, events out, bytes to send (OCPP-J 1.6 §4; the same in 2.x).

Gateway and virtual station are the two ends of it and use the same class.
"""

import json
from collections import deque
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

MessageId: TypeAlias = str | int | float
"""OCPP-J asks for text; some stations send a number, and want it back as one (open-ocpp-simu #24)."""

EMPTY = b"{}"
_NOTHING = Raw(EMPTY)
_encode = msgspec.json.Encoder().encode


class Call(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A request. `action` is the message's name without `.req`."""

    id: MessageId
    action: str
    payload: Raw = _NOTHING


class Result(Struct, frozen=True, array_like=True, tag=3, gc=False):
    """The answer to a call."""

    id: MessageId
    payload: Raw = _NOTHING


class Failure(Struct, frozen=True, array_like=True, tag=4, gc=False):
    """A call that could not be answered; `code` is one of the version's error codes, or what a station thinks is one."""

    id: MessageId
    code: str = "GenericError"
    description: str = ""
    details: Raw = _NOTHING


class Answered(Struct, frozen=True):
    """What the other end made of a call of ours."""

    call: Call
    answer: Result | Failure


class Stray(Struct, frozen=True):
    """An answer to nothing that is open: too late, twice, or invented. It must not be taken for the answer to the next call."""

    answer: Result | Failure


class BadFrame(Exception):
    """A message that means nothing: 1.6 leaves open what to answer, so it is logged and dropped."""


class Conversation:
    """One OCPP-J link as either end sees it; socket, clock and message ids are the caller's.

    A call of ours is due only when the one before it is settled (OCPP-J 1.6 §4.1.1). Calls of the other end are never
    refused because one is in progress: stations that were told so began to send in a tight loop (CitrineOS #178).
    """

    __slots__ = ("_open", "_waiting")

    def __init__(self) -> None:
        self._open: Call | None = None
        self._waiting: deque[Call] | None = None  # made when needed: an idle station costs nothing

    @property
    def open(self) -> Call | None:
        """The call of ours that is not settled yet."""
        return self._open

    def receive(self, data: bytes) -> Call | Answered | Stray:
        """Turn one WebSocket message into what it means. After `Answered` look for what is `due`. Raises BadFrame."""
        try:
            frame = _frame.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            frame = _odd_frame(data)
        if type(frame) is Call:
            return frame
        return self._settle(frame)  # type: ignore[arg-type]

    def call(self, call: Call) -> None:
        """Line up a call of ours."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(call)

    def due(self) -> bytes | None:
        """The next call of ours to send now, if any; from then on it is open."""
        if self._open is not None or not self._waiting:
            return None
        self._open = self._waiting.popleft()
        return _encode(self._open)

    def give_up(self, call: Call) -> bool:
        """Stop waiting for the answer to a call, or take it out of the line; False if it was settled already."""
        if self._open is call:
            self._open = None
            return True
        if self._waiting and call in self._waiting:
            self._waiting.remove(call)
            return True
        return False

    def abandon(self) -> list[Call]:
        """The link is gone: all calls of ours that will not be answered any more, in order."""
        left = [call for call in (self._open, *(self._waiting or ())) if call]
        self._open, self._waiting = None, None
        return left

    def _settle(self, answer: Result | Failure) -> Answered | Stray:
        call = self._open
        if call is None or (answer.id != call.id and str(answer.id) != str(call.id)):
            return Stray(answer)
        self._open = None
        return Answered(call, answer)


def answered(call: Call, payload: bytes) -> bytes:
    """The message that answers a call; `payload` is a JSON object."""
    return _encode((3, call.id, Raw(payload)))


def refused(call: Call, code: str, description: str = "", details: bytes = EMPTY) -> bytes:
    """The message that says that a call is not answered. For a transaction message it blocks the station's queue."""
    return _encode((4, call.id, code, description[:255], Raw(details)))


def id_text(message_id: MessageId) -> str:
    """A message id as text."""
    return message_id if type(message_id) is str else str(message_id)


_frame: msgspec.json.Decoder[Call | Result | Failure] = msgspec.json.Decoder(Call | Result | Failure)


def _odd_frame(data: bytes) -> Call | Result | Failure:
    """Make the best of a message that is not quite one: number types as text, NaN, raw control characters, nulls."""
    try:
        frame = json.loads(data, strict=False)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"not JSON: {error}") from error
    if not isinstance(frame, list) or len(frame) < 2:
        raise BadFrame("not an OCPP-J message")
    kind, message_id, *rest = frame
    if not isinstance(message_id, str | int | float) or isinstance(message_id, bool):
        raise BadFrame("no message id")
    if kind in (2, "2") and rest and isinstance(rest[0], str):
        return Call(message_id, rest[0], _raw(rest[1]) if len(rest) > 1 else _NOTHING)
    if kind in (3, "3"):
        return Result(message_id, _raw(rest[0]) if rest else _NOTHING)
    if kind in (4, "4"):
        code, description, details = [*rest, None, None, None][:3]
        return Failure(message_id, str(code or "GenericError"), str(description or ""), _raw(details or {}))
    raise BadFrame(f"message type {kind!r}")


def _raw(value: Any) -> Raw:
    try:
        return Raw(_encode(value))
    except UnicodeEncodeError:  # half a character
        return Raw(_encode(json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))))
