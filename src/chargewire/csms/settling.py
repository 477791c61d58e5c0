"""Settling what partners charge our drivers: what a CDR says itself, whether the driver is ours, and what else was charged
at the same time. A CDR is kept whatever comes of it."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging import flags
from chargewire.charging.errors import Refused
from chargewire.charging.settling import Difference, Settlement, Stated, difference, effort, settled
from chargewire.csms.clocks import check_time_zone
from chargewire.csms.partner_objects import KINDS, PartnerObject
from chargewire.csms.registry import Registry, again
from chargewire.journal.memory import Journal, Ref, Unit, Write
from chargewire.sharing.subscription import Subscription

MOST_SPANS = 200  # of one contract at one EVSE: partners send CDRs days later, not years
MUCH = 20_000  # effort: a few milliseconds; more is priced beside the loop
_object = msgspec.json.Decoder(PartnerObject)


class Span(Struct, frozen=True):
    """When a CDR says that somebody charged."""

    cdr_id: str
    start: datetime
    stop: datetime


class Spans(Struct, frozen=True):
    """When one contract charged at one EVSE, as CDRs of a connection say. Journal kind `partnerspan`, owner = the partner's
    party, key = `{connection id}/{digest of contract and EVSE}`."""

    spans: tuple[Span, ...]


_spans = msgspec.json.Decoder(Spans)


async def settle(registry: Registry, connection: Subscription, stated: Stated, heard_at: datetime) -> Settlement:
    """What is to be said of a CDR that comes from a partner; when it charged is remembered, for those that come later.

    Raises MemoryUnavailable.
    """
    others = await _remember(registry, connection, stated)
    return await _settlement(registry, connection, stated, heard_at, others)


async def settle_again(registry: Registry, connection: Subscription, stated: Stated, heard_at: datetime) -> Settlement:
    """The same for one that is kept, by what is known now: also by what came after it."""
    known = await _known(registry.journal, _ref(connection, stated))
    others = [span for span in known if span.cdr_id != stated.id]
    return await _settlement(registry, connection, stated, heard_at, others)


async def _settlement(
    registry: Registry, connection: Subscription, stated: Stated, heard_at: datetime, others: Iterable[Span]
) -> Settlement:
    assert connection.roaming is not None, connection.id
    stated = replace(stated, time_zone=await _time_zone(registry.journal, connection, stated))
    if effort(stated) > MUCH:
        found = await asyncio.to_thread(settled, stated, heard_at)
    else:
        found = settled(stated, heard_at)
    more = _overlaps(stated, others)
    if not await registry.contracts.has(connection.roaming.party, stated.auth_id):
        more.append(difference(flags.SETTLE_TOKEN, "auth_id", stated.auth_id))
    return replace(found, differences=(*found.differences, *more))


def _overlaps(stated: Stated, others: Iterable[Span]) -> list[Difference]:
    """Spans that only touch share no time."""
    return [
        difference(flags.SETTLE_OVERLAP, "id", stated.id, other.cdr_id)
        for other in others
        if other.start < stated.stop and stated.start < other.stop
    ]


async def _time_zone(journal: Journal, connection: Subscription, stated: Stated) -> str | None:
    """What the CDR says, else what the partner said of the location; None if neither is the name of a time zone."""
    if zone := _named(stated.time_zone):
        return zone
    assert connection.roaming is not None
    ref = Ref(KINDS["locations"], connection.roaming.partner, f"{connection.id}/{stated.location_id}")
    stored = await journal.get(ref)
    return _named(_object.decode(stored.body).content.get("time_zone")) if stored else None


def _named(zone: Any) -> str | None:
    if not isinstance(zone, str):
        return None
    try:
        return check_time_zone(zone, "time_zone")
    except Refused:
        return None


async def _remember(registry: Registry, connection: Subscription, stated: Stated) -> list[Span]:
    """When the same contract charged at the same EVSE before; nothing where the CDR does not say at which."""
    ref, journal = _ref(connection, stated), registry.journal
    if ref is None:
        return []

    async def once() -> list[Span]:
        before = (await journal.get_many([ref])).get(ref)
        known = _spans.decode(before.body).spans if before and not before.deleted else ()
        others = [span for span in known if span.cdr_id != stated.id]
        if len(others) == len(known):
            spans = Spans((*known, Span(stated.id, stated.start, stated.stop))[-MOST_SPANS:])
            write = Write(ref=ref, content=spans, expect=before.version if before else 0, what="span")
            await journal.append(Unit(place=f"partner/{connection.id}", writes=[write]))
        return others

    return await again(once, registry.turns)


async def _known(journal: Journal, ref: Ref | None) -> tuple[Span, ...]:
    stored = await journal.get(ref) if ref else None
    return _spans.decode(stored.body).spans if stored else ()


def _ref(connection: Subscription, stated: Stated) -> Ref | None:
    if not stated.evse_uid:
        return None
    assert connection.roaming is not None
    where = msgspec.json.encode([each.casefold() for each in (stated.auth_id, stated.location_id, stated.evse_uid)])
    return Ref("partnerspan", connection.roaming.partner, f"{connection.id}/{sha256(where).hexdigest()[:32]}")
