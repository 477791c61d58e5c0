"""What partners say in OCPI 2.1.1, pushed or pulled, on its way into our memory.

A push is taken in the order in which it comes. What replaces a whole object, an EVSE or a connector and is strictly older than
what it would replace is not taken: 2.1.1 does not say so, but a call that was held up on its way, or a page that was read
before a push, must not undo what is newer. A PATCH of a location is taken however old: it says only what it names, and the
location's own time has risen with that of its EVSEs.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.errors import Refused, Unknown
from chargewire.charging.token import Token
from chargewire.csms.partner_objects import ONE, Known, Outcome, PartnerObject, write
from chargewire.csms.partner_tokens import KnownToken, TokenOutcome, write_token
from chargewire.csms.registry import Registry
from chargewire.csms.settling import settle
from chargewire.protocols.ocpi.v211 import cdrs, locations, sessions, tariffs, tokens
from chargewire.protocols.ocpi.v211.reading import Heard, decoded, understood
from chargewire.protocols.ocpi.v211.ripple import (
    Content,
    connector_of,
    evse_of,
    evses_of,
    newest,
    stamp_of,
    with_connector,
    with_evse,
)
from chargewire.sharing.subscription import Roaming, Subscription

TYPES: dict[str, type[Struct]] = {
    "locations": locations.Location,
    "sessions": sessions.Session,
    "cdrs": cdrs.Cdr,
    "tariffs": tariffs.Tariff,
}
LONGEST_ID = 255  # characters; 2.1.1 has 39 at most, what is a little longer is kept all the same
_STAMP = "last_updated"


async def keep(
    registry: Registry, connection: Subscription, module: str, heard: Heard[Any], *, asked_at: datetime | None = None
) -> Outcome:
    """Keep a whole object that a partner owns. `asked_at`: when it was asked for, if it comes in a list. Raises Refused."""
    object_id = checked_id(str(heard.value.id))
    wanted = _object(module, heard)
    if module == "cdrs":  # a difference is told, and never keeps a CDR out
        found = await settle(registry, connection, cdrs.stated_of(heard.value), registry.now())
        wanted = replace(wanted, flags=(*wanted.flags, *found.flags))

    def change(known: Known | None) -> PartnerObject | None:
        if module == "cdrs" or known is None:
            return wanted
        overtook = asked_at is not None and known.overtook(wanted.said_at, asked_at)
        return None if overtook or known.outdates(wanted.said_at) else wanted

    return await write(registry, connection, module, object_id, change)


async def amend(registry: Registry, connection: Subscription, module: str, object_id: str, body: bytes) -> Outcome:
    """Change the fields that a PATCH names. Raises Refused, Unknown."""
    changes = _changes(body)

    def change(known: Known | None) -> PartnerObject | None:
        if known is None:
            raise Unknown(ONE[module], object_id)
        known.check_size()
        if module != "locations" and known.outdates(stamp_of(changes)):
            return None
        heard = understood(TYPES[module], _merged(known.content, changes))
        same_id("id", object_id, str(heard.value.id))  # type: ignore[attr-defined]
        return _object(module, heard)

    return await write(registry, connection, module, checked_id(object_id), change)


class PartPath(Struct, frozen=True):
    """Which part of a location: an EVSE, or a connector of it; without either, all of it."""

    location_id: str
    evse_uid: str = ""
    connector_id: str = ""

    @property
    def kind(self) -> type[Struct]:
        return locations.Connector if self.connector_id else locations.Evse

    def of(self, location: Content) -> Content:
        """The part as it is. Raises Unknown."""
        if not self.evse_uid:
            return location
        evse = evse_of(location, self.evse_uid)
        return connector_of(evse, self.connector_id) if self.connector_id else evse

    def put_into(self, location: Content, part: Content) -> Content:
        """The location with the part in it. Raises Unknown for a connector without its EVSE."""
        if self.connector_id:
            part = with_connector(evse_of(location, self.evse_uid), part)
        return with_evse(location, part)

    def check(self, part: Any) -> None:
        """Raises Refused unless the part is the one of the path."""
        if self.connector_id:
            same_id("id", self.connector_id, part.id)
        else:
            same_id("uid", self.evse_uid, part.uid)


async def keep_part(registry: Registry, connection: Subscription, path: PartPath, body: bytes) -> Outcome:
    """Add or replace an EVSE or a connector of a location that is known. Raises Refused, Unknown."""
    heard = understood(path.kind, decoded(body))
    path.check(heard.value)
    created = False

    def change(known: Known | None) -> PartnerObject | None:
        nonlocal created
        if known is None:
            raise Unknown("location", path.location_id)
        known.check_size()
        before = _part_of(known.content, path)
        created = before is None
        if before is not None and _is_older(newest(heard.content), newest(before), known):
            return None
        return _place(path.put_into(known.content, heard.content))

    outcome = await write(registry, connection, "locations", checked_id(path.location_id), change)
    return replace(outcome, created=created)


async def amend_part(registry: Registry, connection: Subscription, path: PartPath, body: bytes) -> Outcome:
    """Change the fields of an EVSE or a connector that a PATCH names. Raises Refused, Unknown."""
    changes = _changes(body)

    def change(known: Known | None) -> PartnerObject | None:
        if known is None:
            raise Unknown("location", path.location_id)
        known.check_size()
        before = path.of(known.content)
        if _is_older(stamp_of(changes), stamp_of(before), known):
            return None
        heard = understood(path.kind, _merged(before, changes))
        path.check(heard.value)
        return _place(path.put_into(known.content, heard.content))

    return await write(registry, connection, "locations", checked_id(path.location_id), change)


async def expire_location(registry: Registry, connection: Subscription, location_id: str) -> Outcome:
    """Mark every EVSE of a location REMOVED that its owner no longer lists (2.1.1 has no other end of one). Raises Unknown.

    Its times stay those of its owner: if it is listed again, unchanged, it is not older than what is kept.
    """

    def change(known: Known | None) -> PartnerObject | None:
        if known is None:
            raise Unknown("location", location_id)
        location = known.content
        for evse in evses_of(location):
            if evse.get("status") != "REMOVED":
                location = with_evse(location, {**evse, "status": "REMOVED"})
        return _place(location)

    return await write(registry, connection, "locations", location_id, change)


async def keep_token(
    registry: Registry, roaming: Roaming, heard: Heard[tokens.Token], *, asked_at: datetime | None = None
) -> TokenOutcome:
    """Keep a token of the partner. `asked_at`: when it was asked for, if it comes in a list. Raises Refused."""
    wanted = _token(heard)
    return await write_token(registry, roaming.partner, checked_id(wanted.uid), lambda _: wanted, asked_at=asked_at)


async def amend_token(registry: Registry, roaming: Roaming, uid: str, body: bytes) -> TokenOutcome:
    """Change the fields of a token that a PATCH names. Raises Refused, Unknown."""
    changes = _changes(body)

    def change(known: KnownToken | None) -> Token:
        if known is None:
            raise Unknown("token", uid)
        before = decoded(tokens.token_json(known.token, known.heard_at))
        if known.token.said_at is None:
            del before[_STAMP]
        heard = understood(tokens.Token, {**before, **changes})
        same_id("uid", uid, heard.value.uid)
        return _token(heard)

    return await write_token(registry, roaming.partner, checked_id(uid), change)


def same_id(field: str, wanted: str, given: str) -> None:
    """Raises Refused unless an object is the one that the URL names (2.1.1 transport_and_format, client owned objects)."""
    if wanted.casefold() != given.casefold():
        raise Refused(f"is {given!r}, the URL says {wanted!r}", field)


def checked_id(object_id: str) -> str:
    """An id that can be kept. Raises Refused."""
    if not object_id or len(object_id) > LONGEST_ID or "\0" in object_id:
        raise Refused(f"must have 1 to {LONGEST_ID} characters", "id")
    return object_id


def _object(module: str, heard: Heard[Any]) -> PartnerObject:
    final = module == "cdrs" or (module == "sessions" and heard.value.status == "COMPLETED")
    return PartnerObject(content=heard.content, said_at=newest(heard.content), final=final, flags=heard.slips)


def _place(content: Content) -> PartnerObject:
    return _object("locations", understood(locations.Location, content))


def _part_of(location: Content, path: PartPath) -> Content | None:
    """The part as it is, None if it is new. Raises Unknown for a connector of an EVSE that is not there."""
    if path.connector_id:
        evse_of(location, path.evse_uid)
    try:
        return path.of(location)
    except Unknown:
        return None


def _token(heard: Heard[tokens.Token]) -> Token:
    return replace(tokens.token_of(heard.value), said_at=stamp_of(heard.content))


def _is_older(said_at: datetime | None, ours: datetime | None, known: Known) -> bool:
    return ours is not None and known.outdates(said_at, by=ours)


def _changes(body: bytes) -> Content:
    changes = decoded(body)
    if not isinstance(changes, dict):
        raise Refused("must be an object")
    return changes


def _merged(before: Content, changes: Content) -> Content:
    """The object with what is new; its `last_updated` does not fall."""
    merged, ours, theirs = {**before, **changes}, stamp_of(before), stamp_of(changes)
    if ours is not None and (theirs is None or theirs < ours):
        merged[_STAMP] = before[_STAMP]
    return merged
