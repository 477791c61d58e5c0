"""The journal as everybody else sees it: what can be written, what can be read, in which order.

Two engines implement `Journal`: SQLite (`sqlite.py`) and PostgreSQL (`postgres.py`). Both pass one test suite.

Numbers. Within a partition (`part`) changes, readings and messages are each numbered 1, 2, 3 … without gaps, in the order
of their commits. Stamps (`created_at`, `last_updated`, `heard_at`) are microseconds since 1970 UTC, taken under the head
lock as max(clock, last stamp + 1), so that within a partition every stamp is used once and they rise with the numbers.

A deleted object stays as such. What is made anew under its name counts on from its last version and is created anew.

Kinds of object: network, cpo, emsp, location, station, evse, session, cdr, heldcdr, tariff, token, notification,
subscription, command, parked (a station that nobody knows). The journal knows none of them but the `state` and
`counterparty` that come with the write.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from msgspec import Struct

STAMP = b"@@@@-@@-@@T@@:@@:@@.@@@Z"  # stands in a rendered page for last_updated, filled in at the commit
CREATED = b"####-##-##T##:##:##.###Z"  # likewise for created_at


class Ref(NamedTuple):
    """The name of an object. Keys are compared without case; a Ref that was read keeps the case it came with."""

    kind: str
    owner: str
    key: str


class Write(Struct, frozen=True, kw_only=True, gc=False):
    """A new version of one object, over the version that was read (0: it must not exist, or be deleted).

    Equal content is no change: it gets no version and no number, and is not reported as written.
    """

    ref: Ref
    content: Struct | bytes  # a domain struct, encoded by the journal as JSON; or JSON that is ready
    expect: int
    what: str = ""  # for followers: what about the object changed ("status", "progress", "end" …)
    state: str = ""  # what lists filter by without reading the body, e.g. a session's status
    counterparty: str = ""  # the other party that may see it, e.g. a CDR's eMSP
    deleted: bool = False


class Touch(Struct, frozen=True):
    """Raise an object's last_updated to the stamp of this unit; no version, no change."""

    ref: Ref


class Name(Struct, frozen=True):
    """A further name of an object, compared without case. Once given it stays with it; a unit that gives a taken name to
    another is refused.

    Only an object that is written anew under another owner takes its name along: `held_by` is the Ref it has left, and a
    name that belongs to that one is not taken.
    """

    kind: str
    name: str
    ref: Ref
    held_by: Ref | None = None


class NewReading(Struct, frozen=True, kw_only=True, gc=False):
    """One MeterValues message. `samples` is JSON: [[at, [sample, …]], …] as `charging.reading.Reading` encodes."""

    owner: str
    station: str
    evse: str  # uid, "" for the whole station
    connector: int
    session: str  # "" when it belongs to none
    at: int  # µs, the station's clock (of the first reading)
    samples: bytes
    message_id: str


class NewMessage(Struct, frozen=True, kw_only=True, gc=False):
    """One exchange with a station: a call and its answer."""

    owner: str
    station: str
    location: str
    evse: str
    direction: Literal["in", "out"]  # from the station, to the station
    action: str
    message_id: str  # as it was on the wire
    call: bytes  # JSON payload, secrets masked
    answer: bytes  # JSON payload; b"" while or when there is none
    level: str = "Info"


class Unit(Struct, frozen=True, kw_only=True, gc=False):
    """What is written together or not at all. `place` decides the partition: a location id, or any other constant name."""

    place: str
    writes: Sequence[Write] = ()
    touches: Sequence[Touch] = ()
    names: Sequence[Name] = ()
    readings: Sequence[NewReading] = ()
    messages: Sequence[NewMessage] = ()


class Committed(NamedTuple):
    """A unit is durable. `versions` holds, for each of its writes in order, the version the object has now."""

    part: int
    stamp: int
    versions: tuple[int, ...]


class Stored(Struct, frozen=True, kw_only=True):
    """An object as it is."""

    ref: Ref
    part: int
    seq: int  # number of its last change
    version: int
    created_at: int
    last_updated: int
    state: str
    counterparty: str
    deleted: bool
    body: bytes


class Change(NamedTuple):
    """One version of one object, in commit order."""

    part: int
    seq: int
    ref: Ref
    version: int
    at: int
    what: str


class Page(NamedTuple):
    """Part of a walk through a list. `next` is None after the last row, else where to go on (JSON-able)."""

    rows: list[Any]
    next: list[Any] | None
    total: int | None  # counted only when asked


class ListQuery(Struct, frozen=True, kw_only=True):
    """Objects of one kind, oldest creation first. Owners are the scope: an empty collection gives an empty list.

    `updated_from` inclusive, `updated_to` exclusive, µs; likewise `created_…`. Deleted objects are left out unless asked for.
    """

    kind: str
    owners: tuple[str, ...]
    states: tuple[str, ...] = ()  # () = every state
    counterparty: str = ""  # "" = any
    updated_from: int | None = None
    updated_to: int | None = None
    created_from: int | None = None
    created_to: int | None = None
    after: tuple[Any, ...] | None = None  # a Page's `next`
    offset: int = 0
    limit: int = 100
    count: bool = False
    known_total: int | None = None  # how many the whole list has, if the asker has just counted
    with_deleted: bool = False


class LogQuery(Struct, frozen=True, kw_only=True):
    """Readings or messages of some owners (or of one station, or of one session, of theirs) in the order they were heard."""

    owners: tuple[str, ...]
    heard_from: int | None = None  # µs, inclusive
    heard_to: int | None = None  # exclusive
    station: str = ""
    session: str = ""
    action: str = ""  # messages only
    after: tuple[Any, ...] | None = None
    offset: int = 0
    limit: int = 100
    count: bool = False


class ReadingRow(NamedTuple):
    part: int
    seq: int
    owner: str
    heard_at: int
    station: str
    evse: str
    connector: int
    session: str
    at: int
    samples: bytes
    message_id: str


class MessageRow(NamedTuple):
    part: int
    seq: int
    owner: str
    heard_at: int
    station: str
    location: str
    evse: str
    direction: str
    action: str
    message_id: str
    call: bytes
    answer: bytes
    level: str


class LanePosition(Struct, frozen=True):
    """How far one endpoint has been told of one partition. `cursor`: every change up to it is acknowledged or deferred."""

    endpoint: str
    part: int
    cursor: int


class Deferred(Struct, frozen=True, kw_only=True):
    """A key that an endpoint must still be told about, later. Durable; replaced by (endpoint, ref); `due` in µs."""

    endpoint: str
    part: int
    ref: Ref
    due: int
    attempts: int = 0
    state: str = "retry"  # retry | throttled | parked
    code: str = ""
    error: str = ""
    memo: str = ""  # what the lane must remember of the key, its own JSON


class JournalError(Exception):
    """Base of what the journal raises. A full disk or a lost database is `charging.errors.MemoryUnavailable`."""


class Unstorable(JournalError):
    """The database cannot hold this unit (a number out of range, text that is none). Nothing of the unit was kept."""


class LostRace(JournalError):
    """Somebody wrote one of the unit's objects meanwhile: read again, decide again. Nothing of the unit was kept."""


class NameTaken(JournalError):
    """A name of the unit belongs to another object. Nothing of the unit was kept."""

    def __init__(self, name: Name, holder: Ref) -> None:
        super().__init__(f"{name.kind} {name.name!r} belongs to {holder}")
        self.name = name
        self.holder = holder


class Fenced(JournalError):
    """The shard has another owner by now: stop sending for it. Nothing was saved."""


Renderer = Callable[[Any], bytes]
"""Domain struct → JSON for the hot dialect; STAMP and CREATED stand for the two times (each may be absent)."""


class Journal(Protocol):
    """State and changes, committed together. Every method may raise `MemoryUnavailable`."""

    parts: int  # number of partitions; 1 on SQLite, 8 on PostgreSQL

    async def open(self) -> None:
        """Connect, migrate forward, start the writers. Raises JournalError if the data is of a newer version."""

    async def close(self) -> None:
        """Finish the open batches and let go."""

    async def serve_alone(self) -> None:
        """Be the only process that hears stations for this journal, until it is closed.

        Raises JournalError if another one does so; one that was killed a moment ago is waited for.
        """

    def part_of(self, place: str) -> int:
        """The partition that a place (a location id) belongs to."""

    # writing
    async def append(self, unit: Unit) -> Committed:
        """Keep a unit; returns when it is durable. Raises LostRace, NameTaken, Unstorable, and ValueError if the unit writes
        an object twice. Units given meanwhile share the next commit.

        Units of one partition are numbered in the order in which `append` was called.
        """

    # objects
    async def get(self, ref: Ref) -> Stored | None:
        """One object; None if it does not exist or is deleted."""

    async def get_many(self, refs: Sequence[Ref]) -> dict[Ref, Stored]:
        """Those of `refs` that exist, deleted ones included, under the Ref that was asked for."""

    async def find(self, kind: str, name: str) -> Stored | None:
        """The object that has this further name."""

    async def walk(self, query: ListQuery) -> Page:
        """Stored objects; `rows` are `Stored`."""

    async def walk_pages(self, query: ListQuery) -> Page:
        """Like `walk`, but `rows` are the rendered JSON of the kind's renderer (`bytes`); the fast way out."""

    async def count(self, query: ListQuery) -> int: ...

    # logs
    async def readings(self, query: LogQuery) -> Page:
        """`rows` are `ReadingRow`."""

    async def messages(self, query: LogQuery) -> Page:
        """`rows` are `MessageRow`."""

    # following
    async def heads(self) -> list[int]:
        """For each partition the number of its last change."""

    async def changes(self, part: int, after: int, limit: int = 1000) -> list[Change]:
        """Changes of a partition with a greater number, in order. Those older than the retention are gone."""

    async def wait(self, part: int, after: int) -> None:
        """Returns once the partition has a change with a number greater than `after`."""

    def complete_until(self) -> int:
        """Every object with a stamp below this (µs) is visible to readers."""

    # push: cursors, deferred keys, shards
    async def claim_shards(self, owner: str, count: int, lease_s: float) -> dict[int, int]:
        """Take the shards that nobody holds: shard → epoch. `count` shards exist in all."""

    async def save_lanes(
        self,
        epochs: Mapping[int, int],
        lanes: Sequence[LanePosition],
        deferred: Sequence[Deferred],
        settled: Sequence[tuple[str, Ref]],
    ) -> None:
        """Keep cursors and deferred keys and drop settled ones, in one transaction. Raises Fenced if an epoch is old."""

    async def lanes(self, endpoint: str) -> list[LanePosition]: ...

    async def deferred(self, endpoint: str, part: int, limit: int = 1000) -> list[Deferred]:
        """Deferred keys by due time, parked ones last."""

    async def drop_lanes(self, endpoint: str) -> None:
        """Forget an endpoint."""

    # housekeeping
    async def retain(self, days: Mapping[str, int]) -> dict[str, int]:
        """Drop whole days: {"message": 30, "change": 30, "reading": 396, "cdr": 3653} → rows dropped by table.

        A change that a lane has not passed yet is dropped all the same; the lane resyncs from the objects.
        """

    async def backup(self, path: str) -> None:
        """Write a consistent copy while everything runs."""

    async def setting(self, name: str, default: str | None = None) -> str | None:
        """A durable setting of the instance; with `default`, kept as that if it has no value yet."""


Follower = Callable[[Change], Awaitable[None]]


async def follow(journal: Journal, part: int, after: int) -> AsyncIterator[list[Change]]:
    """Batches of changes for ever, in order, from `after` on."""
    while True:
        batch = await journal.changes(part, after)
        if batch:
            after = batch[-1].seq
            yield batch
        else:
            await journal.wait(part, after)


def owners_of(refs: Iterable[Ref]) -> set[str]:
    """The owners that appear in some refs."""
    return {ref.owner for ref in refs}
