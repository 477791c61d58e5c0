"""Tokens that a roaming partner writes: under the partner's own party, as tokens of our own eMSPs are under theirs.

There is one token for a uid: a station that is shown a card cannot say of which type it is (OCPP 1.6 idTag).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.errors import Unknown
from chargewire.charging.token import Token
from chargewire.csms.registry import Registry, again
from chargewire.journal.memory import Journal, Ref, Stored, Unit, Write

_token = msgspec.json.Decoder(Token)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class KnownToken(Struct, frozen=True):
    """A token that we have, and the µs at which we heard what we have."""

    token: Token
    heard_at: int


TokenChange = Callable[[KnownToken | None], Token]
"""What a token is to be, from what is known of it. Raises Refused, Unknown."""


class TokenOutcome(Struct, frozen=True):
    """What came of it. `outdated`: what was said is older than what is kept, which stays. `changed`: it says something new."""

    token: Token
    created: bool = False
    outdated: bool = False
    changed: bool = False


async def write_token(
    registry: Registry, party: str, uid: str, change: TokenChange, *, asked_at: datetime | None = None
) -> TokenOutcome:
    """Make or change a token of a partner; durable when it returns. What our operator said of it stays.

    `asked_at`: when it was asked for, if it comes in a list.
    """
    ref = Ref("token", party, uid)

    async def once() -> TokenOutcome:
        before = (await registry.journal.get_many([ref])).get(ref)
        known = None if before is None or before.deleted else _known(before)
        wanted = change(known)
        if known is not None:
            if _outdated(wanted, known) or (asked_at is not None and _overtook(wanted, known, asked_at)):
                return TokenOutcome(known.token, outdated=True)
            ours = known.token
            wanted = replace(
                wanted,
                uid=ours.uid,
                expires_at=ours.expires_at,
                customer_id=ours.customer_id,
                group_id=ours.group_id,
                retail_tariff_id=ours.retail_tariff_id,
            )
        name, expect = (before.ref, before.version) if before else (ref, 0)
        made = Write(ref=name, content=wanted, expect=expect, what="static")
        committed = await registry.journal.append(Unit(place=f"tokens/{party}", writes=[made]))
        if committed.versions[0] != expect:
            registry.on_token(party, wanted)
        return TokenOutcome(wanted, created=known is None, changed=committed.versions[0] != expect)

    return await again(once, registry.turns)


async def read_token(journal: Journal, party: str, uid: str) -> KnownToken:
    """A token of a partner. Raises Unknown."""
    stored = await journal.get(Ref("token", party, uid))
    if stored is None:
        raise Unknown("token", uid)
    return _known(stored)


def _known(stored: Stored) -> KnownToken:
    return KnownToken(_token.decode(stored.body), stored.last_updated)


def _outdated(wanted: Token, known: KnownToken) -> bool:
    """As `partner_objects.Known.outdates`: a blocked card must not come back by an older word."""
    ours, said_at = known.token.said_at, wanted.said_at
    return said_at is not None and ours is not None and said_at < min(ours, _EPOCH + timedelta(microseconds=known.heard_at))


def _overtook(wanted: Token, known: KnownToken, asked_at: datetime) -> bool:
    """As `partner_objects.Known.overtook`."""
    ours, said_at = known.token.said_at, wanted.said_at
    newer = said_at is not None and ours is not None and said_at > ours
    return _EPOCH + timedelta(microseconds=known.heard_at) > asked_at and not newer
