"""What a module's pushes look like: which changes matter, what goes in order, which request tells the present state."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from msgspec import Struct

from chargewire.charging.party import split_party
from chargewire.journal.memory import Ref, Stored

T = TypeVar("T")
SECOND = 1_000_000

# What is known of a key that waits to be told: bits of `flags`.
URGENT = 1  # not to be throttled
WHOLE = 2  # more than its status changed: PUT
DOUBT = 4  # nobody knows what the receiver has of it: PUT
FORCE = 8  # tell it although its version was told
WITHDRAWN = 16  # it was shown, and is no more


class Told(Struct, array_like=True):
    """What the receiver has of an object. Times in µs; of sessions: when all of it went out, whether it parked then, and how
    many periods it had."""

    version: int
    sent_at: int = 0
    full_at: int = 0
    parked: bool = False
    periods: int = 0


class Loaded:
    """An object as it is now, with those that belong to it. What is made of it is made once, for all endpoints."""

    __slots__ = ("_made", "more", "stored")

    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.more: dict[Ref, Stored] = {}
        self._made: dict[str, object] = {}

    def made(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call with this name."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]  # type: ignore[return-value]


class Pacing(Struct, frozen=True):
    """How often a running session is told, in µs."""

    min_patch: int = 60 * SECOND
    full_patch: int = 900 * SECOND


class Send(Struct, frozen=True):
    """A request: what is appended to the endpoint's URL, and what the receiver has once it is acknowledged."""

    ref: Ref
    method: str
    path: str
    body: bytes
    told: Told
    covers: tuple[tuple[Ref, int], ...] = ()  # further objects that are in it, with their versions
    at: int = 0  # stamp of the change that it tells, 0 if it was held back on purpose
    started_at: int = 0


class Later(NamedTuple):
    """Not before `due` (µs)."""

    due: int


class Within(NamedTuple):
    """It is told with another object."""

    ref: Ref


Plan = Send | Later | Within | None
"""None: there is nothing to tell."""


class Lookup(Protocol):
    """What a lane knows besides the object."""

    def told(self, ref: Ref) -> Told | None:
        """What the receiver has of an object, as far as is remembered."""

    def pending(self, ref: Ref) -> bool:
        """Whether an object is going to be told, and was not taken up yet."""


class Rules(Protocol):
    """One module."""

    kinds: tuple[str, ...]
    from_beginning: bool  # a new endpoint is told of everything that is there
    tells_deleted: bool  # what was deleted is planned for, too

    @property
    def walked(self) -> tuple[str, ...]:
        """Kinds that are told from the beginning; what belongs to them goes with them."""

    def slot(self, ref: Ref) -> Ref | None:
        """What goes in order with the object: one request at a time. None: it must be loaded to tell."""

    def slot_of(self, loaded: Loaded) -> Ref:
        """The same, once it is loaded."""

    def flags(self, ref: Ref, what: str) -> int:
        """What a change means for how it is told."""

    def more(self, loaded: Loaded) -> list[Ref]:
        """Objects that are needed besides."""

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        """What to do about an object, as it is now."""

    def escalated(self, loaded_ref: Ref, slot: Ref, method: str) -> tuple[Ref, int] | None:
        """What to tell instead when the receiver does not know what a request was about, and the flags for it."""

    def remembered(self, send: Send) -> bool:
        """Whether what was told is worth remembering."""


def object_path(ref: Ref, *more: str) -> str:
    """`/NL/AAA/key/…`, percent-encoded (OCPI 2.1.1 transport_and_format, Client owned object push)."""
    return "/" + "/".join(quoted(part) for part in (*split_party(ref.owner), ref.key, *more))


def quoted(part: str) -> str:
    """A path segment as RFC 3986 §3.3 wants it."""
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in _UNRESERVED)
        else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in part
    )


_UNRESERVED = "-._~!$&'()*+,;=:@"
