"""What a handshake makes of a roaming connection: connected, unregistered, or as it was.

Every step of it that counts is one write over the version that was read: of two at the same time one wins, and one that
breaks off leaves what was there before.
"""

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.errors import Refused, Unknown
from chargewire.charging.location import BusinessDetails
from chargewire.csms.registry import Registry, again
from chargewire.csms.subscribing import ENDPOINT_TOKEN, new_token, write_subscription
from chargewire.journal.memory import Ref
from chargewire.sharing.subscription import ROAMED, Endpoint, IssuedToken, Roaming, Step, Subscription

PARTNER_TOKEN = "partner-token"  # noqa: S105  (the context that tokens of partners are sealed under)
GRACE_S = 60.0  # that an old token stays good after a rotation: the answer with the new one may get lost
MOST_STEPS = 40


class Theirs(Struct, frozen=True, kw_only=True):
    """What a handshake has found out of a partner."""

    versions_url: str
    version: str
    endpoints: dict[str, str]
    encoding: str
    party: str = ""
    business: BusinessDetails | None = None
    token: str = ""  # what we say to it


def with_token(registry: Registry, connection: Subscription) -> tuple[Subscription, str]:
    """The connection with one more token, that the partner may come with while a handshake of ours is under way (TOKEN_B).

    Of a partner that is new it is good for no data, and dies by itself, should the handshake break off with this process. One
    that is connected may have taken it although we do not hear so: it is good for everything from now on.
    """
    token, now = new_token(), registry.now()
    new = connection.roaming is None or connection.roaming.state != "connected"
    issued = IssuedToken(
        hash=registry.keys.hash(token),
        created_at=now,
        until=now + timedelta(seconds=GRACE_S) if new else None,
        invites=new,
    )
    kept = tuple(each for each in connection.tokens if not each.invites)
    return replace(connection, tokens=(*kept, issued)), token


def connected(
    registry: Registry, before: Subscription, theirs: Theirs, token_hash: str, steps: tuple[Step, ...], *, wait_s: float = 0.0
) -> Subscription:
    """The connection once both sides have each other's token. `token_hash`: what the partner says from now on.

    A token that was good for data stays so for a moment; one that only invited is dead. Nothing goes to the partner before
    `wait_s` are over. Raises Refused.
    """
    roaming = before.roaming
    assert roaming is not None
    check_partner(registry, before, theirs)
    now = registry.now()
    end = now + timedelta(seconds=GRACE_S)
    old = tuple(
        replace(each, until=min(each.until or end, end))
        for each in before.tokens
        if not each.invites and each.hash != token_hash and (each.until is None or each.until > now)
    )
    after = replace(
        roaming,
        state="connected",
        versions_url=theirs.versions_url,
        version=theirs.version,
        partner=theirs.party,
        business=theirs.business or roaming.business,
        endpoints=theirs.endpoints,
        token=registry.keys.seal(theirs.token, PARTNER_TOKEN),
        token_encoding=theirs.encoding,
        steps=steps[-MOST_STEPS:],
        ready_at=now + timedelta(seconds=wait_s) if wait_s else None,
    )
    return replace(
        before,
        state="suspended" if before.state == "suspended" else "live",
        tokens=(*old, IssuedToken(hash=token_hash, created_at=now)),
        endpoints=endpoints(registry, after),
        roaming=after,
    )


def unregistered(before: Subscription, steps: tuple[Step, ...] = ()) -> Subscription:
    """The connection after DELETE credentials, by either side: no token is good any more, nothing is sent."""
    after = bare(before)
    assert after.roaming is not None
    return replace(after, roaming=replace(after.roaming, state="unregistered", steps=steps[-MOST_STEPS:]))


def failed(before: Subscription, steps: tuple[Step, ...], withdrawn: str = "") -> Subscription:
    """The connection after a handshake that came to nothing: as it was, with the steps. TOKEN_A of ours stays good.

    `withdrawn`: hash of the TOKEN_B that is dead with it.
    """
    roaming = before.roaming
    assert roaming is not None
    tokens = tuple(each for each in before.tokens if each.hash != withdrawn)
    return replace(before, tokens=tokens, roaming=replace(roaming, steps=steps[-MOST_STEPS:]))


def check_partner(registry: Registry, connection: Subscription, theirs: Theirs) -> None:
    """Whether a partner may be who it says it is. Raises Refused."""
    directory, roaming = registry.directory, connection.roaming
    assert roaming is not None
    if directory.cpo(theirs.party) or directory.emsp(theirs.party):
        raise Refused(f"{theirs.party} is a party of this platform", "party_id")
    wanted = roaming.expected or roaming.partner
    if wanted and theirs.party != wanted:
        raise Refused(f"{theirs.party} is not {wanted}, whom this connection is for", "party_id")
    for other in directory.connections():
        its = other.roaming
        if other.id == connection.id or its is None or its.partner != theirs.party or its.state != "connected":
            continue
        if _host(its.versions_url) != _host(theirs.versions_url):
            raise Refused(f"{theirs.party} is known at another address", "url")


async def change_connection(
    registry: Registry, connection_id: str, changed: Callable[[Subscription], Subscription]
) -> Subscription:
    """Change a connection as it is now, again if somebody else was faster. Raises Unknown, and what `changed` raises."""

    async def once() -> Subscription:
        before, version = await stored_connection(registry, connection_id)
        after = changed(before)
        await write_subscription(registry, after, version)
        return after

    return await again(once, registry.turns)


async def stored_connection(registry: Registry, connection_id: str) -> tuple[Subscription, int]:
    """A connection as the journal has it, with its version. Raises Unknown."""
    stored = await registry.journal.get(Ref("subscription", "", connection_id))
    found = msgspec.json.decode(stored.body, type=Subscription) if stored else None
    if stored is None or found is None or found.roaming is None:
        raise Unknown("partner", connection_id)
    return found, stored.version


def bare(connection: Subscription) -> Subscription:
    """A connection without anything of a handshake."""
    roaming = connection.roaming
    assert roaming is not None
    nothing = replace(roaming, state="invited", versions_url="", version="", endpoints={}, token="", steps=())
    return replace(connection, state="requested", tokens=(), endpoints={}, roaming=nothing)


def endpoints(registry: Registry, roaming: Roaming) -> dict[str, Endpoint]:
    """Where our own objects are pushed to: wherever the partner has a receiver for them."""
    shared, _ = ROAMED[roaming.role]
    token = registry.keys.open(roaming.token, PARTNER_TOKEN)
    said = registry.keys.seal(_written(token, roaming.token_encoding), ENDPOINT_TOKEN)
    return {
        module: Endpoint(url=roaming.endpoints[module], token=said, dialect="ocpi-2.1.1")
        for module in shared
        if roaming.about(module) and module in roaming.endpoints
    }


def _written(token: str, encoding: str) -> str:
    return b64encode(token.encode()).decode() if encoding == "base64" else token


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()
