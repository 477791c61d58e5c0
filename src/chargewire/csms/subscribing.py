"""Platform subscriptions: made, changed, ended, and their tokens rotated. A token is shown once and kept as a hash."""

import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from chargewire.charging.errors import Refused, Unknown
from chargewire.csms.directory import PLACE
from chargewire.csms.ids import new_id
from chargewire.csms.intake import read
from chargewire.csms.registry import Registry, again
from chargewire.journal.memory import Name, Ref, Unit, Write
from chargewire.sharing.subscription import PUSHED, Endpoint, Grant, IssuedToken, Subscription

ENDPOINT_TOKEN = "endpoint-token"  # noqa: S105  (the context that outgoing tokens are sealed under)
OVERLAP_S = 24 * 3600
Module = Literal[
    "locations", "sessions", "cdrs", "metervalues", "notifications", "tokens", "tariffs", "stations", "smartcharging",
    "remotecommands", "crm",
]  # fmt: skip
Direction = Literal["pull", "push", "write"]
Members = Literal["all"] | tuple[str, ...]


class GrantInput(Struct, frozen=True, kw_only=True):
    """Some CPOs or eMSPs × modules × directions; "all": those of the network, now and later."""

    modules: dict[Module, tuple[Direction, ...]]
    cpos: Members = ()
    emsps: Members = ()


class EndpointInput(Struct, frozen=True, kw_only=True):
    """Where a module is pushed to. `token`: what we shall say; left out at a change to keep it."""

    url: Annotated[str, Meta(min_length=1, max_length=1000)]
    token: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"^[!-~]+$")] | None = None
    dialect: Literal["platform", "ocpi-2.1.1"] = "platform"
    min_patch_s: Annotated[int, Meta(ge=0, le=86400)] = 60
    full_patch_s: Annotated[int, Meta(ge=0, le=86400)] = 900
    paused: bool = False


class SubscriptionInput(Struct, frozen=True, kw_only=True):
    """A new subscription."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    network_id: str
    grants: tuple[GrantInput, ...] = ()
    endpoints: dict[Module, EndpointInput] = {}
    profile: Literal["compatible", "extended"] = "compatible"


class SubscriptionChange(Struct, frozen=True, kw_only=True):
    """What shall change (RFC 7396): what is left out stays; an endpoint that is null is dropped; `grants` as a whole."""

    name: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    grants: tuple[GrantInput, ...] | UnsetType = UNSET
    endpoints: dict[Module, EndpointInput | None] | UnsetType = UNSET
    profile: Literal["compatible", "extended"] | UnsetType = UNSET
    state: Literal["live", "suspended", "ended"] | UnsetType = UNSET


class Rotation(Struct, frozen=True, kw_only=True):
    """How long the tokens there are now stay good beside the new one."""

    overlap_s: Annotated[int, Meta(ge=0, le=90 * 24 * 3600)] = OVERLAP_S


async def subscribe(registry: Registry, body: bytes) -> tuple[Subscription, str]:
    """Make a subscription; it is live at once. Gives its token, which nobody can read again. Raises Refused."""
    given = read(body, SubscriptionInput)
    network = registry.directory.network(given.network_id)
    if network is None:
        raise Refused(f"there is no network {given.network_id!r}", "network_id")
    token = new_token()
    subscription = Subscription(
        id=new_id(),
        name=given.name,
        network_id=network.id,
        grants=_grants(registry, network.id, given.grants),
        endpoints={module: _endpoint(registry, module, each, None) for module, each in given.endpoints.items()},
        profile=given.profile,
        tokens=(IssuedToken(hash=registry.keys.hash(token), created_at=registry.now()),),
    )
    await write_subscription(registry, subscription, 0)
    return subscription, token


async def change_subscription(registry: Registry, subscription_id: str, body: bytes) -> Subscription:
    """Change a subscription. Raises Refused, Unknown."""
    given = read(body, SubscriptionChange)

    def changed(before: Subscription) -> Subscription:
        endpoints = dict(before.endpoints)
        for module, each in ({} if isinstance(given.endpoints, UnsetType) else given.endpoints).items():
            if each is None:
                endpoints.pop(module, None)
            else:
                endpoints[module] = _endpoint(registry, module, each, before.endpoints.get(module))
        return replace(
            before,
            name=before.name if isinstance(given.name, UnsetType) else given.name,
            grants=before.grants if isinstance(given.grants, UnsetType) else _grants(registry, before.network_id, given.grants),
            endpoints=endpoints,
            profile=before.profile if isinstance(given.profile, UnsetType) else given.profile,
            state=before.state if isinstance(given.state, UnsetType) else given.state,
        )

    return await _change(registry, subscription_id, changed)


async def rotate(registry: Registry, subscription_id: str, body: bytes) -> tuple[Subscription, str]:
    """Give a new token; the ones there are stay good until the overlap ends. Raises Refused, Unknown."""
    given = read(body, Rotation) if body.strip() else Rotation()
    token = new_token()
    issued = IssuedToken(hash=registry.keys.hash(token), created_at=registry.now())

    def changed(before: Subscription) -> Subscription:
        now = registry.now()
        end = now + timedelta(seconds=given.overlap_s)
        kept = [replace(old, until=min(old.until or end, end)) for old in before.tokens]
        return replace(before, tokens=(*(old for old in kept if old.until is not None and old.until > now), issued))

    return await _change(registry, subscription_id, changed), token


def new_token() -> str:
    """A random token of 46 characters (OCPI 2.1.1 allows 64)."""
    return "cw_" + secrets.token_urlsafe(32)


async def _change(registry: Registry, subscription_id: str, changed: Callable[[Subscription], Subscription]) -> Subscription:
    ref = Ref("subscription", "", subscription_id)

    async def once() -> Subscription:
        stored = await registry.journal.get(ref)
        if stored is None:
            raise Unknown("subscription", subscription_id)
        before = msgspec.json.decode(stored.body, type=Subscription)
        if before.roaming is not None:
            raise Refused("is a roaming connection: it is changed under /admin/v1/partners")
        after = changed(before)
        await write_subscription(registry, after, stored.version)
        return after

    return await again(once, registry.turns)


async def write_subscription(registry: Registry, subscription: Subscription, expect: int) -> None:
    """Write a subscription over the version that was read; the directory knows it at once. Raises LostRace."""
    await write_subscriptions(registry, [(subscription, expect)])


async def write_subscriptions(registry: Registry, expected: Sequence[tuple[Subscription, int]]) -> None:
    """Write several, each over the version that was read: all or none. Raises LostRace."""
    refs = [Ref("subscription", "", each.id) for each, _ in expected]
    writes = [
        Write(ref=ref, content=each, expect=expect, what="static", state=each.state)
        for ref, (each, expect) in zip(refs, expected, strict=True)
    ]
    names = [
        Name("subscription-token", token.hash, ref)
        for ref, (each, _) in zip(refs, expected, strict=True)
        for token in each.tokens
    ]
    committed = await registry.journal.append(Unit(place=PLACE, writes=writes, names=names))
    for ref, version, (each, _) in zip(refs, committed.versions, expected, strict=True):
        registry.directory.put(ref, version, each)


def _grants(registry: Registry, network_id: str, given: tuple[GrantInput, ...]) -> tuple[Grant, ...]:
    directory = registry.directory
    cpos = {cpo.party for cpo in directory.cpos() if cpo.network_id == network_id}
    emsps = {emsp.party for emsp in directory.emsps() if network_id in emsp.network_ids}
    grants = []
    for index, grant in enumerate(given):
        if not grant.cpos and not grant.emsps:
            raise Refused("is for no CPO and no eMSP", f"grants[{index}]")
        grants.append(
            Grant(
                modules={module: tuple(dict.fromkeys(directions)) for module, directions in grant.modules.items()},
                cpos=_members(grant.cpos, cpos, f"grants[{index}].cpos"),
                emsps=_members(grant.emsps, emsps, f"grants[{index}].emsps"),
            )
        )
    return tuple(grants)


def _members(given: Members, own: set[str], field: str) -> tuple[str, ...]:
    if isinstance(given, str):
        return ("*",)
    for index, party in enumerate(given):
        if party.upper() not in own:
            raise Refused(f"{party!r} does not belong to the network", f"{field}[{index}]")
    return tuple(dict.fromkeys(party.upper() for party in given))


def _endpoint(registry: Registry, module: str, given: EndpointInput, before: Endpoint | None) -> Endpoint:
    if module not in PUSHED[given.dialect]:
        raise Refused(f"{module} is not pushed in the dialect {given.dialect}", f"endpoints.{module}")
    registry.check_url(given.url, f"endpoints.{module}.url")
    if given.token is not None:
        # the same token stays sealed as it is, so that nothing changes
        same = before is not None and registry.keys.open(before.token, ENDPOINT_TOKEN) == given.token
        token = before.token if same and before else registry.keys.seal(given.token, ENDPOINT_TOKEN)
    elif before is not None:
        token = before.token
    else:
        raise Refused("is required", f"endpoints.{module}.token")
    return Endpoint(
        url=given.url,
        token=token,
        dialect=given.dialect,
        min_patch_s=given.min_patch_s,
        full_patch_s=given.full_patch_s,
        paused=given.paused,
    )
