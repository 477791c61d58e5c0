"""What one batch of units makes of the journal: a pure decision that both engines carry out.

The engine locks the head, reads what the batch needs (`Held`, names) and asks `decide`. That takes the units in order,
leaves out those that lost a race or give a taken name, and numbers the rest without gaps. Several versions of an object
within one batch are several changes and one row to be written.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from chargewire.journal.memory import Committed, LostRace, NameTaken, Ref, Touch
from chargewire.journal.prepared import Ident, NamePlace, Prepared, PreparedWrite, ident_of, name_place
from chargewire.journal.rendering import STALE, fill

Row = tuple[object, ...]


class Held(Struct):
    """An object as the database holds it, and as the batch leaves it. Body and page are there only if the batch wrote them."""

    ref: Ref
    id: int | None  # None: not in the database yet
    part: int
    seq: int
    version: int
    created_at: int
    last_updated: int
    state: str
    counterparty: str
    deleted: bool
    digest: bytes
    dialect: int = 0
    body: bytes = b""
    page: bytes | None = None


class Head(Struct):
    """The last numbers and the last stamp of a partition."""

    part: int
    changes: int
    readings: int
    messages: int
    stamp: int


class Decision(Struct):
    """What has to be written, and what each unit is told. Rows are in the order of the tables' columns."""

    head: Head
    outcomes: list[Committed | LostRace | NameTaken] = []
    fresh: dict[Ident, Held] = {}  # to insert
    moved: dict[Ident, Held] = {}  # to update
    reshelved: set[Ident] = set()  # of the moved ones, those that change their place in the lists by creation
    touched: dict[Ident, int] = {}  # not written, last_updated to raise to this
    changes: list[Row] = []
    readings: list[Row] = []
    messages: list[Row] = []
    names: dict[NamePlace, Ref] = {}  # given for the first time, or taken along

    def empty(self) -> bool:
        """Whether nothing needs to be written."""
        return not (self.changes or self.readings or self.messages or self.names or self.touched)


def needs(batch: Sequence[Prepared]) -> tuple[dict[Ident, Ref], set[NamePlace]]:
    """The objects and the names that must be read before `decide`."""
    objects = {write.ident: write.ref for unit in batch for write in unit.writes}
    names = {name_place(name.kind, name.name) for unit in batch for name in unit.names}
    return objects, names


def decide(
    batch: Sequence[Prepared], held: dict[Ident, Held], names: Mapping[NamePlace, Ref], head: Head, floor: int
) -> Decision:
    """Decide units in order. Stamps begin at `floor` or after the head's. `head` and `held` are brought up to date."""
    head.stamp = max(head.stamp, floor - 1)
    decision = Decision(head)
    for unit in batch:
        objection = _objection(unit, held, names, decision) if unit.writes or unit.names else None
        decision.outcomes.append(objection or _keep(unit, held, names, decision))
    return decision


def _objection(
    unit: Prepared, held: Mapping[Ident, Held], names: Mapping[NamePlace, Ref], decision: Decision
) -> LostRace | NameTaken | None:
    for write in unit.writes:
        now = held.get(write.ident)
        found = now.version if now else 0
        if write.expect != found and not (write.expect == 0 and now and now.deleted):
            return LostRace(f"{write.ref} has version {found}, not {write.expect}")
    given: dict[NamePlace, Ref] = {}
    for name in unit.names:
        place = name_place(name.kind, name.name)
        holder = given.get(place) or decision.names.get(place) or names.get(place)
        own = ident_of(name.ref)
        if holder and ident_of(holder) != own and not (name.held_by and ident_of(holder) == ident_of(name.held_by)):
            return NameTaken(name, holder)
        given[place] = name.ref
    return None


def _keep(unit: Prepared, held: dict[Ident, Held], names: Mapping[NamePlace, Ref], decision: Decision) -> Committed:
    head = decision.head
    before = head.stamp
    versions = tuple([_write(write, held, decision) for write in unit.writes]) if unit.writes else ()
    part = head.part
    for reading in unit.readings:
        head.readings += 1
        head.stamp += 1
        decision.readings.append(
            (
                part,
                head.readings,
                reading.owner,
                head.stamp,
                reading.station,
                reading.evse,
                reading.connector,
                reading.session,
                reading.at,
                reading.samples,
                reading.message_id,
            )
        )
    for message in unit.messages:
        head.messages += 1
        head.stamp += 1
        decision.messages.append(
            (
                part,
                head.messages,
                message.owner,
                head.stamp,
                message.station,
                message.location,
                message.evse,
                message.direction,
                message.action,
                message.message_id,
                message.call,
                message.answer,
                message.level,
            )
        )
    for name in unit.names:
        place = name_place(name.kind, name.name)
        holder = decision.names.get(place) or names.get(place)
        if holder is None or ident_of(holder) != ident_of(name.ref):
            decision.names[place] = name.ref
    if unit.touches:
        if head.stamp == before:
            head.stamp += 1
        _touch(unit.touches, held, decision)
    return Committed(part, head.stamp, versions)


def _write(write: PreparedWrite, held: dict[Ident, Held], decision: Decision) -> int:
    """The version that the object has after this write."""
    head, ident = decision.head, write.ident
    now = held.get(ident)
    if now is None:
        now = held[ident] = decision.fresh[ident] = Held(
            write.ref, None, head.part, 0, 0, 0, 0, write.state, write.counterparty, write.deleted, b""
        )
    elif _same(write, now):
        return now.version
    head.changes += 1
    head.stamp += 1
    if now.version == 0 or (now.deleted and not write.deleted):
        now.created_at = head.stamp
        decision.reshelved.add(ident)
    if now.state != write.state or now.deleted != write.deleted or now.counterparty != write.counterparty:
        now.state, now.deleted, now.counterparty = write.state, write.deleted, write.counterparty
        decision.reshelved.add(ident)
    now.part, now.seq, now.last_updated = head.part, head.changes, head.stamp
    now.version += 1
    now.digest, now.body, now.dialect = write.digest, write.body, write.dialect
    now.page = write.page if write.page is None else fill(write.page, now.created_at, now.last_updated)
    if ident not in decision.fresh:
        decision.moved[ident] = now
        decision.touched.pop(ident, None)
    ref = now.ref
    decision.changes.append((head.part, head.changes, ref.kind, ref.owner, ref.key, now.version, head.stamp, write.what))
    return now.version


def _same(write: PreparedWrite, now: Held) -> bool:
    return (
        write.digest == now.digest
        and write.state == now.state
        and write.counterparty == now.counterparty
        and write.deleted == now.deleted
    )


def _touch(touches: Sequence[Touch], held: dict[Ident, Held], decision: Decision) -> None:
    for touch in touches:
        ident = ident_of(touch.ref)
        if ident in decision.fresh or ident in decision.moved:
            held[ident].last_updated = decision.head.stamp
            held[ident].dialect = STALE
        else:
            decision.touched[ident] = decision.head.stamp
