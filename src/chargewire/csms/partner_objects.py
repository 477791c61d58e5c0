"""What partners tell our eMSP: their locations, sessions, CDRs and tariffs, kept as they said them.

An object belongs to the partner's party, and is kept apart for each connection: its key is `{connection id}/{object id}`. What
an object says and whether a partner may say it is decided by a `Change`, which the dialect provides; here it is decided what
may no longer change, and written.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from chargewire.charging.errors import Refused, Unknown
from chargewire.csms.registry import Registry, again
from chargewire.journal.memory import Journal, Ref, Stored, Unit, Write
from chargewire.sharing.subscription import Subscription

KINDS = {
    "locations": "partnerlocation",
    "sessions": "partnersession",
    "cdrs": "partnercdr",
    "tariffs": "partnertariff",
}
ONE = {"locations": "location", "sessions": "session", "cdrs": "CDR", "tariffs": "tariff"}
LARGE = 50_000  # bytes: about a millisecond to read; larger ones are read beside the loop
LARGEST = 16_000_000  # bytes: several times what one call can bring; a larger one is not added to
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP = "last_updated"


class PartnerObject(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An object as its owner said it: `content` is the JSON as it came, with nulls and with fields that nobody knows.

    `said_at`: the newest `last_updated` in it. `final`: nothing of it changes any more (a CDR, a COMPLETED session).
    """

    content: dict[str, Any]
    said_at: datetime | None = None
    final: bool = False
    flags: tuple[str, ...] = ()  # what was repaired when it was read, and what a check of it found

    def repeats(self, other: "PartnerObject") -> bool:
        """Whether it says the same as another, whenever that was said."""
        return _unstamped(self.content) == _unstamped(other.content)


class Known(Struct, frozen=True):
    """An object that we have, and when we heard what we have."""

    object: PartnerObject
    heard_at: datetime
    size: int  # bytes

    @property
    def content(self) -> dict[str, Any]:
        return self.object.content

    def check_size(self) -> None:
        """Raises Refused if the object is too large to be changed in parts: each may add some, and all of it is written."""
        if self.size > LARGEST:
            raise Refused(f"has more than {LARGEST} bytes: it can be replaced as a whole only", "id")

    def outdates(self, said_at: datetime | None, by: datetime | None = None) -> bool:
        """Whether something that was said at a time is strictly older than what we have (or than `by`, a part of it).

        A stamp that was ahead of our clock when we heard it counts as that moment: a partner whose clock was once wrong
        must be able to go on.
        """
        ours = by or self.object.said_at
        return said_at is not None and ours is not None and said_at < min(ours, self.heard_at)

    def overtook(self, said_at: datetime | None, asked_at: datetime) -> bool:
        """Whether we heard it after a list was asked for, in which nothing newer is said: the list may be older all the same,
        as times have whole seconds."""
        ours = self.object.said_at
        return self.heard_at > asked_at and (said_at is None or ours is None or said_at <= ours)


Change = Callable[[Known | None], PartnerObject | None]
"""What an object is to be, from what is known of it; None: what was said is older than that. Raises Refused, Unknown."""


class Outcome(Struct, frozen=True):
    """What came of it. `outdated`: what was said is older than what is kept, which stays. `changed`: it says something new."""

    object: PartnerObject
    created: bool = False
    outdated: bool = False
    changed: bool = False


async def write(registry: Registry, connection: Subscription, module: str, object_id: str, change: Change) -> Outcome:
    """Make or change an object of a partner; durable when it returns. Raises Refused, Unknown."""
    ref = ref_of(connection, module, object_id)

    async def once() -> Outcome:
        before = (await registry.journal.get_many([ref])).get(ref)
        known = None if before is None or before.deleted else _known(before)
        large = before is not None and len(before.body) > LARGE
        wanted = await asyncio.to_thread(change, known) if large else change(known)
        if known is not None and (wanted is None or known.object.final):
            if wanted is not None and not wanted.repeats(known.object):
                raise Refused(f"{object_id!r} is final and changes no more", "id")
            return Outcome(known.object, outdated=wanted is None)
        assert wanted is not None, "nothing is older than what is not there"
        made = Write(
            ref=before.ref if before else ref,
            content=wanted,
            expect=before.version if before else 0,
            what="partner",
            state="final" if wanted.final else "",
            counterparty=connection.id,
        )
        committed = await registry.journal.append(Unit(place=_place(connection), writes=[made]))
        return Outcome(wanted, created=known is None, changed=committed.versions[0] != made.expect)

    return await again(once, registry.turns)


async def read(journal: Journal, connection: Subscription, module: str, object_id: str) -> PartnerObject:
    """An object as its partner said it. Raises Unknown."""
    stored = await journal.get(ref_of(connection, module, object_id))
    if stored is None:
        raise Unknown(ONE[module], object_id)
    return _known(stored).object


async def drop(registry: Registry, connection: Subscription, module: str, object_id: str) -> None:
    """Delete an object of a partner. Raises Unknown."""
    await registry.drop(ref_of(connection, module, object_id), ONE[module], place=_place(connection))


def object_id_of(stored: Stored) -> str:
    """The id that its owner gave it."""
    return stored.ref.key.partition("/")[2]


def ref_of(connection: Subscription, module: str, object_id: str) -> Ref:
    """Where an object of a partner is kept."""
    assert connection.roaming is not None, connection.id
    return Ref(KINDS[module], connection.roaming.partner, f"{connection.id}/{object_id}")


def _place(connection: Subscription) -> str:
    return f"partner/{connection.id}"


def _known(stored: Stored) -> Known:
    return Known(_object.decode(stored.body), _EPOCH + timedelta(microseconds=stored.last_updated), len(stored.body))


def _unstamped(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != _STAMP}


_object = msgspec.json.Decoder(PartnerObject)
