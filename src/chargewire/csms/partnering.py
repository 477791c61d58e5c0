"""Roaming connections as an operator makes them: invites a partner, takes its invitation, changes and forgets a connection.

A connection is a subscription with an OCPI half.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from chargewire.charging.errors import Refused, Unknown
from chargewire.charging.party import is_party
from chargewire.csms.connecting import PARTNER_TOKEN, bare, change_connection, endpoints, stored_connection
from chargewire.csms.directory import PLACE
from chargewire.csms.ids import new_id
from chargewire.csms.intake import read
from chargewire.csms.parties import check_party
from chargewire.csms.registry import Registry, again
from chargewire.csms.subscribing import new_token, write_subscriptions
from chargewire.journal.memory import Ref, Unit, Write
from chargewire.sharing.subscription import IssuedToken, Roaming, Subscription

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
        after, token = _inviting(registry, bare(before))
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
        return _asking(registry, bare(before), given.versions_url, given.token)

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
            endpoints=endpoints(registry, after) if spoken and after.state == "connected" else before.endpoints,
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
        write = Write(ref=ref, content=bare(connection), expect=version, what="deleted", deleted=True)
        committed = await registry.journal.append(Unit(place=PLACE, writes=[write]))
        registry.directory.put(ref, committed.versions[0], None)

    await again(once, registry.turns)


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


def _inviting(registry: Registry, connection: Subscription) -> tuple[Subscription, str]:
    token = new_token()
    issued = IssuedToken(hash=registry.keys.hash(token), created_at=registry.now(), invites=True)
    return replace(connection, tokens=(issued,)), token


def _asking(registry: Registry, connection: Subscription, versions_url: str, token: str) -> Subscription:
    roaming = connection.roaming
    assert roaming is not None
    sealed = registry.keys.seal(token, PARTNER_TOKEN)
    return replace(connection, roaming=replace(roaming, state="asked", versions_url=versions_url, token=sealed))
