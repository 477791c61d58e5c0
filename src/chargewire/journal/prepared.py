"""Units made ready for a batch: content encoded and rendered, names in the form in which they are compared."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import Struct

from chargewire.journal.memory import Name, NewMessage, NewReading, Ref, Touch, Unit, Write
from chargewire.journal.rendering import STALE, Renderers

Ident = tuple[str, str, str]  # kind, owner, folded key
NamePlace = tuple[str, str]  # kind, folded name


def ident_of(ref: Ref) -> Ident:
    """What an object is found by: its key without case."""
    return ref.kind, ref.owner, ref.key.casefold()


def name_place(kind: str, name: str) -> NamePlace:
    """What a name is found by: names are compared without case, like keys."""
    return kind, name.casefold()


class PreparedWrite(Struct):
    """A write with its content as it will be stored."""

    ident: Ident
    ref: Ref
    expect: int
    what: str
    state: str
    counterparty: str
    deleted: bool
    digest: bytes
    body: bytes
    page: bytes | None
    dialect: int


class Prepared(Struct):
    """A unit that is ready for a batch."""

    writes: Sequence[PreparedWrite]
    touches: Sequence[Touch]
    names: Sequence[Name]
    readings: Sequence[NewReading]
    messages: Sequence[NewMessage]


def prepare(unit: Unit, renderers: Renderers) -> Prepared:
    """Encode and render a unit's objects. Raises ValueError if it writes an object twice, or what the content raises."""
    writes = [_prepared(write, renderers) for write in unit.writes]
    if len(writes) > 1 and len({write.ident for write in writes}) < len(writes):
        raise ValueError("a unit writes an object at most once")
    return Prepared(writes, unit.touches, unit.names, unit.readings, unit.messages)


def _prepared(write: Write, renderers: Renderers) -> PreparedWrite:
    content = write.content
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    rendering = renderers.get(write.ref.kind)
    page, dialect = None, 0
    if rendering is not None:
        struct = msgspec.json.decode(content, type=rendering.type) if isinstance(content, bytes) else content
        lasting = rendering.lasting(struct)
        page, dialect = (rendering.render(struct), rendering.version) if lasting else (None, STALE)
    return PreparedWrite(
        ident_of(write.ref),
        write.ref,
        write.expect,
        write.what,
        write.state,
        write.counterparty,
        write.deleted,
        blake2b(body, digest_size=16).digest(),
        body,
        page,
        dialect,
    )
