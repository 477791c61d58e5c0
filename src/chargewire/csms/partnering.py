"""Roaming connections as an operator makes them, and as a handshake leaves them: invited, asked, connected, unregistered.

A connection is a subscription with an OCPI half. Every step of a handshake that counts is one write over the version that was
read: of two at the same time one wins, and one that breaks off leaves what was there before.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from chargewire.charging.errors import Refused, Unknown
from chargewire.charging.location import BusinessDetails
from chargewire.charging.party import is_party
from chargewire.csms.directory import PLACE
from chargewire.csms.ids import new_id
from chargewire.csms.intake import read
from chargewire.csms.parties import check_party
from chargewire.csms.registry import Registry, again
from chargewire.csms.subscribing import ENDPOINT_TOKEN, new_token, write_subscription, write_subscriptions
from chargewire.journal.memory import Ref, Unit, Write
from chargewire.sharing.subscription import ROAMED, Endpoint, IssuedToken, Roaming, Step, Subscription

PARTNER_TOKEN = "partner-token"  # noqa: S105  (the context that tokens of partners are sealed under)
GRACE_S = 60.0  # that an old token stays good after a rotation: the answer with the new one may get lost
MOST_STEPS = 40
Encoding = Literal["raw", "base64"]
Role = Literal["CPO", "EMSP"]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
RoamingModule = Literal["locations", "sessions", "cdrs", "tariffs", "tokens", "commands"]
TheirToken = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"^[!-~]+$")]


class PartnerInput(Struct, frozen=True, kw_only=True):
    """A new connection between a party of ours and a partner.

    With `versions_url` and `token` (the partner's TOKEN_A) we start the handshake; without, we invite the partner to.
    `modules` are those that the partner must have; none named: whatever it has. `expected`: the party it must turn out to be.
    """

    name: Name
    party: str
    role: Role
    modules: tuple[RoamingModule, ...] = ()
    expected: str | None = None
    token_encoding: Encoding = "raw"  # noqa: S105
    pull_every_s: Annotated[int, Meta(ge=0, le=7 * 86400)] = 6 * 3600
    versions_url: Annotated[str, Meta(min_length=1, max_length=1000)] | None = None
    token: TheirToken | None = None


class PartnerChange(Struct, frozen=True, kw_only=True):
    """What shall change; what is left out stays."""

    name: Name | UnsetType = UNSET
    modules: tuple[RoamingModule, ...] | UnsetType = UNSET
    token_encoding: Encoding | UnsetType = UNSET
    pull_every_s: Annotated[int, Meta(ge=0, le=7 * 86400)] | UnsetType = UNSET
    state: Literal["live", "suspended"] | UnsetType = UNSET


class TheirInvitation(Struct, frozen=True, kw_only=True):
    """What a partner gave us to start with."""

    versions_url: Annotated[str, Meta(min_length=1, max_length=1000)]
    token: TheirToken


class Theirs(Struct, frozen=True, kw_only=True):
    """What a handshake has found out of a partner."""

    versions_url: str
    version: str
    endpoints: dict[str, str]
    encoding: str
    party: str = ""
    business: BusinessDetails | None = None
    token: str = ""  # what we say to it


def connection_of(registry: Registry, connection_id: str) -> tuple[Subscription, Roaming]:
    """A roaming connection. Raises Unknown."""
    found = registry.directory.subscription(connection_id)
    if found is None or found.roaming is None:
        raise Unknown("partner", connection_id)
    return found, found.roaming


async def open_connection(registry: Registry, body: bytes) -> tuple[Subscription, str]:
    """Make a connection. Gives our TOKEN_A, to be handed to the partner; "" if the partner has given us one. Raises Refused."""
    [made] = await _kept(registry, [_drafted(registry, read(body, PartnerInput))])
    return made


async def open_bundle(registry: Registry, given: Sequence[PartnerInput], bundle: str) -> list[tuple[Subscription, str]]:
    """Make several connections, all or none of them. Raises Refused."""
    drafts = []
    for index, each in enumerate(given):
        try:
            drafts.append(_drafted(registry, each, bundle))
        except Refused as error:
            raise Refused(error.message, f"connections[{index}].{error.field}") from error
    return await _kept(registry, drafts)


async def invite_again(registry: Registry, connection_id: str) -> tuple[Subscription, str]:
    """Give a new TOKEN_A; whatever was there before of the connection is over. Raises Unknown, Refused."""
    made: list[str] = []

    def changed(before: Subscription) -> Subscription:
        if before.roaming and before.roaming.state == "connected":
            raise Refused("is connected: unregister it first", "state")
        after, token = _inviting(registry, _bare(before))
        made[:] = [token]
        return after

    return await change_connection(registry, connection_id, changed), made[0]


async def take_invitation(registry: Registry, connection_id: str, body: bytes) -> Subscription:
    """Take the partner's TOKEN_A, to start a handshake with. Raises Unknown, Refused."""
    given = read(body, TheirInvitation)
    registry.check_url(given.versions_url, "versions_url")

    def changed(before: Subscription) -> Subscription:
        if before.roaming and before.roaming.state == "connected":
            raise Refused("is connected: unregister it first", "state")
        return _asking(registry, _bare(before), given.versions_url, given.token)

    return await change_connection(registry, connection_id, changed)


async def amend(registry: Registry, connection_id: str, body: bytes) -> Subscription:
    """Change what an operator may change. Raises Refused, Unknown."""
    given = read(body, PartnerChange)

    def changed(before: Subscription) -> Subscription:
        roaming = before.roaming
        assert roaming is not None
        if given.state is not UNSET and roaming.state != "connected":
            raise Refused("is not connected", "state")
        named = {name: getattr(given, name) for name in ("modules", "token_encoding", "pull_every_s")}
        known = {name: value for name, value in named.items() if value is not UNSET}
        after = replace(roaming, **known)
        spoken = (after.modules, after.token_encoding) != (roaming.modules, roaming.token_encoding)
        return replace(
            before,
            name=before.name if isinstance(given.name, UnsetType) else given.name,
            state=before.state if isinstance(given.state, UnsetType) else given.state,
            endpoints=_endpoints(registry, after) if spoken and after.state == "connected" else before.endpoints,
            roaming=after,
        )

    return await change_connection(registry, connection_id, changed)


async def remove_connection(registry: Registry, connection_id: str) -> None:
    """Forget a connection. Raises Unknown, Refused if it is connected."""

    async def once() -> None:
        connection, version = await stored_connection(registry, connection_id)
        if connection.roaming and connection.roaming.state == "connected":
            raise Refused("is connected: unregister it first", "state")
        ref = Ref("subscription", "", connection_id)
        write = Write(ref=ref, content=_bare(connection), expect=version, what="deleted", deleted=True)
        committed = await registry.journal.append(Unit(place=PLACE, writes=[write]))
        registry.directory.put(ref, committed.versions[0], None)

    await again(once, registry.turns)


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
        endpoints=_endpoints(registry, after),
        roaming=after,
    )


def unregistered(before: Subscription, steps: tuple[Step, ...] = ()) -> Subscription:
    """The connection after DELETE credentials, by either side: no token is good any more, nothing is sent."""
    bare = _bare(before)
    assert bare.roaming is not None
    return replace(bare, roaming=replace(bare.roaming, state="unregistered", steps=steps[-MOST_STEPS:]))


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


def _drafted(registry: Registry, given: PartnerInput, bundle: str = "") -> tuple[Subscription, str]:
    """A connection that is not written yet, and our TOKEN_A."""
    party = check_party(given.party)
    network_id = _network_of(registry, given.role, party)
    if (given.versions_url is None) != (given.token is None):
        raise Refused("versions_url and token go together", "versions_url" if given.token else "token")
    roaming = Roaming(
        role=given.role,
        party=party,
        modules=given.modules,
        bundle=bundle,
        token_encoding=given.token_encoding,
        expected=_expected(given.expected),
        pull_every_s=given.pull_every_s,
    )
    subscription = Subscription(id=new_id(), name=given.name, network_id=network_id, state="requested", roaming=roaming)
    if given.versions_url and given.token:
        registry.check_url(given.versions_url, "versions_url")
        return _asking(registry, subscription, given.versions_url, given.token), ""
    return _inviting(registry, subscription)


def _expected(party: str | None) -> str:
    if party and not is_party(party.upper()):
        raise Refused("a party is written like NL-AAA", "expected")
    return (party or "").upper()


async def _kept(registry: Registry, drafts: list[tuple[Subscription, str]]) -> list[tuple[Subscription, str]]:
    """New connections, written all or none."""
    await write_subscriptions(registry, [(subscription, 0) for subscription, _ in drafts])
    return drafts


def _network_of(registry: Registry, role: str, party: str) -> str:
    directory = registry.directory
    if role == "CPO":
        cpo = directory.cpo(party)
        if cpo is None:
            raise Refused(f"there is no CPO {party!r}", "party")
        return cpo.network_id
    emsp = directory.emsp(party)
    if emsp is None or not emsp.network_ids:
        raise Refused(f"there is no eMSP {party!r} that belongs to a network", "party")
    return emsp.network_ids[0]


def _bare(connection: Subscription) -> Subscription:
    """A connection without anything of a handshake."""
    roaming = connection.roaming
    assert roaming is not None
    nothing = replace(roaming, state="invited", versions_url="", version="", endpoints={}, token="", steps=())
    return replace(connection, state="requested", tokens=(), endpoints={}, roaming=nothing)


def _inviting(registry: Registry, connection: Subscription) -> tuple[Subscription, str]:
    token = new_token()
    issued = IssuedToken(hash=registry.keys.hash(token), created_at=registry.now(), invites=True)
    return replace(connection, tokens=(issued,)), token


def _asking(registry: Registry, connection: Subscription, versions_url: str, token: str) -> Subscription:
    roaming = connection.roaming
    assert roaming is not None
    sealed = registry.keys.seal(token, PARTNER_TOKEN)
    return replace(connection, roaming=replace(roaming, state="asked", versions_url=versions_url, token=sealed))


def _endpoints(registry: Registry, roaming: Roaming) -> dict[str, Endpoint]:
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
