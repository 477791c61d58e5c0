"""What a version of OCPP is made of: rows that turn its messages into our words and back. The tables are the version."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from chargewire.charging.commands import Answer, Command
from chargewire.charging.facts import Fact, Reply
from chargewire.protocols.ocpp.masking import masked
from chargewire.protocols.ocpp.repair import repaired
from chargewire.protocols.ocpp.rpc import EMPTY, Call

WriteReply: TypeAlias = Callable[[Reply], bytes]
encode = msgspec.json.Encoder().encode
_NUL = b"\\u0000"  # text that no database keeps; in the raw form JSON forbids it


class UnknownAction(Exception):
    """The version has no such message, or it is not built: answered with CALLERROR NotImplemented."""


class CannotSay(Exception):
    """Something cannot be said in this version (an idTag of 21 characters, a status that it has no word for)."""


class Row(Struct, frozen=True, kw_only=True):
    """One call of a station: the struct it is, the fact it means, and how its answer is written."""

    wire: type[Struct]
    fact: Callable[[Any], Fact]
    answer: WriteReply
    decode: Callable[[Any], Any]


class Saying(Struct, frozen=True, kw_only=True):
    """One command: the action that says it, and the struct on the wire."""

    action: str
    wire: type[Struct]
    write: Callable[[Any], Struct]


class Dialect(Struct, frozen=True, kw_only=True):
    """One version of OCPP as a CSMS speaks it."""

    subprotocol: str
    rows: Mapping[str, Row]
    commands: Mapping[type, Saying]
    not_implemented: str = "NotImplemented"
    internal_error: str = "InternalError"
    secrets: frozenset[str] = frozenset()  # actions whose payload or answer may hold a secret

    def row(self, action: str) -> Row:
        """Raises UnknownAction."""
        row = self.rows.get(action)
        if row is None:
            raise UnknownAction(action)
        return row

    def masked(self, action: str, payload: bytes) -> bytes:
        """The payload of a call or of its answer as it may be kept: without passwords, keys and the like."""
        return masked(payload) if action in self.secrets else payload

    def read(self, call: Call) -> tuple[Fact, tuple[str, ...]]:
        """What a call means, and what was wrong with it (`number-as-text:meterStart` …). Raises UnknownAction only."""
        return read_row(self.row(call.action), bytes(call.payload))

    def write_reply(self, action: str, reply: Reply) -> bytes:
        """The payload that answers a call."""
        return self.row(action).answer(reply)

    def write_command(self, command: Command) -> tuple[str, bytes]:
        """Action and payload of a command. Raises CannotSay: what we send passes the schema, or is not sent."""
        saying = self.commands.get(type(command))
        if saying is None:
            raise CannotSay(f"{self.subprotocol} has no {type(command).__name__}")
        return saying.action, checked(saying.write(command), saying.wire)

    def read_answer(self, command: Command, payload: bytes | Raw) -> Answer:
        """What a station answered: `status` in its own word, and the rest of the payload as it came."""
        try:
            value = msgspec.json.decode(payload)
        except msgspec.MsgspecError:
            value = None
        if not isinstance(value, dict):
            return Answer(status="Unreadable")
        status = value.pop("status", "Accepted" if value else "Unreadable")
        return Answer(status=str(status), details=value)


def row(wire: type[Struct], fact: Callable[[Any], Fact], answer: WriteReply) -> Row:
    """A row with its strict decoder."""
    return Row(wire=wire, fact=fact, answer=answer, decode=msgspec.json.Decoder(wire).decode)


def read_row(row: Row, payload: bytes) -> tuple[Fact, tuple[str, ...]]:
    """A payload by its row: strictly, and if that fails leniently."""
    if _NUL not in payload:
        try:
            return row.fact(row.decode(payload)), ()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
    message, flags = repaired(row.wire, payload)
    return row.fact(message), flags


def blank(row: Row) -> Fact:
    """The fact that a message of this kind is when it says nothing at all."""
    return row.fact(repaired(row.wire, EMPTY)[0])


def checked(message: Struct, wire: type[Struct]) -> bytes:
    """A message as JSON, after a look whether its own schema would let it pass. Raises CannotSay."""
    payload = encode(message)
    try:
        msgspec.json.decode(payload, type=wire)
    except msgspec.ValidationError as error:
        raise CannotSay(str(error)) from error
    return payload


def nothing(_: Reply) -> bytes:
    """The answer that says no more than that the call arrived."""
    return EMPTY
