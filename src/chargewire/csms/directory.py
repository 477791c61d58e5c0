"""Who is there and who may see what, in memory: networks, CPOs, eMSPs, subscriptions and their scopes.

Every request and every delivery asks here, so an answer costs about a microsecond. The journal stays the truth: the directory
is read from it once and told of every later write, by the registry of this process at once and, where several processes share
a journal, by following its changes.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Journal, ListQuery, Ref, Stored, follow
from chargewire.sharing.keys import Keys
from chargewire.sharing.scope import Scope, scope_of
from chargewire.sharing.subscription import Cpo, Emsp, IssuedToken, Network, Subscription

PLACE = "directory"  # where networks, CPOs, eMSPs and subscriptions are written
TYPES: dict[str, type[Network | Cpo | Emsp | Subscription]] = {
    "network": Network,
    "cpo": Cpo,
    "emsp": Emsp,
    "subscription": Subscription,
}
Listener = Callable[[Ref], None]


class Directory:
    """`load` it before use, `close` it at the end."""

    def __init__(self, journal: Journal, keys: Keys, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._journal = journal
        self._keys = keys
        self._clock = clock
        self._networks: dict[str, Network] = {}
        self._cpos: dict[str, Cpo] = {}
        self._emsps: dict[str, Emsp] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._versions: dict[Ref, int] = {}
        self._by_hash: dict[str, tuple[str, IssuedToken]] = {}
        self._scopes: dict[str, Scope] = {}
        self._accepted: dict[str, frozenset[str]] = {}
        self._listeners: list[Listener] = []
        self._following: asyncio.Task[None] | None = None

    async def load(self, *, following: bool | None = None) -> None:
        """Read everything, and follow the journal's changes if asked to.

        By default only a journal of several partitions is followed: one of a single partition is embedded in this process,
        whose registry tells of every write.
        """
        part = self._journal.part_of(PLACE)
        head = (await self._journal.heads())[part]
        for kind in TYPES:
            after = None
            while True:
                page = await self._journal.walk(ListQuery(kind=kind, owners=("",), after=after, limit=1000))
                for stored in page.rows:
                    self.take(stored)
                if page.next is None:
                    break
                after = tuple(page.next)
        if self._journal.parts > 1 if following is None else following:
            self._following = asyncio.create_task(self._follow(part, head))

    async def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
            self._following = None

    def on_change(self, callback: Listener) -> None:
        """Have `callback` called, after every change of who may see what, with the object that changed."""
        self._listeners.append(callback)

    def network(self, network_id: str) -> Network | None:
        return self._networks.get(network_id.lower())

    def networks(self) -> list[Network]:
        return list(self._networks.values())

    def cpo(self, party: str) -> Cpo | None:
        return self._cpos.get(party.upper())

    def cpos(self) -> list[Cpo]:
        return list(self._cpos.values())

    def emsp(self, party: str) -> Emsp | None:
        return self._emsps.get(party.upper())

    def emsps(self) -> list[Emsp]:
        return list(self._emsps.values())

    def subscription(self, subscription_id: str) -> Subscription | None:
        return self._subscriptions.get(subscription_id)

    def subscriptions(self) -> list[Subscription]:
        return list(self._subscriptions.values())

    def by_token(self, token: str) -> Subscription | None:
        """The platform subscription that a caller's token belongs to; None for an unknown, rotated-out or ended one."""
        subscription, _ = self.held(token)
        return None if subscription is None or subscription.roaming is not None else subscription

    def partner_by_token(self, token: str) -> tuple[Subscription, IssuedToken] | None:
        """The roaming connection that a partner's token belongs to, whatever its state; None likewise."""
        subscription, issued = self.held(token)
        return None if subscription is None or issued is None or subscription.roaming is None else (subscription, issued)

    def held(self, token: str) -> tuple[Subscription | None, IssuedToken | None]:
        """The subscription of any kind that a good token belongs to, and what is kept of the token."""
        subscription_id, issued = self._by_hash.get(self._keys.hash(token), ("", None))
        if issued is None or (issued.until is not None and issued.until <= self._clock()):
            return None, None
        return self._subscriptions.get(subscription_id), issued

    def connections(self) -> list[Subscription]:
        """The roaming connections, whatever their state."""
        return [each for each in self._subscriptions.values() if each.roaming is not None and each.state != "ended"]

    def connection_with(self, cpo: str, partner: str) -> Subscription | None:
        """The live roaming connection of a CPO of ours with a partner as an eMSP: each may be of the other role elsewhere."""
        for each in self._subscriptions.values():
            roaming = each.roaming
            if roaming and each.state == "live" and (roaming.role, roaming.party, roaming.partner) == ("CPO", cpo, partner):
                return each
        return None

    def is_partner(self, party: str) -> bool:
        """Whether it is the party of a roaming partner, whatever the state of the connection."""
        return any(each.roaming.partner == party for each in self.connections() if each.roaming)

    def scope(self, subscription_id: str) -> Scope | None:
        """What a subscription may see now; None if there is no such subscription."""
        scope = self._scopes.get(subscription_id)
        if scope is None and (subscription := self._subscriptions.get(subscription_id)) is not None:
            scope = scope_of(subscription, self._cpos.values(), self._emsps.values())
            self._scopes[subscription_id] = scope
        return scope

    def accepted_emsps(self, cpo_party: str) -> frozenset[str]:
        """The eMSPs whose tokens a CPO accepts: those of its network, and its roaming partners."""
        accepted = self._accepted.get(cpo_party)
        if accepted is None:
            cpo = self.cpo(cpo_party)
            own = {emsp.party for emsp in self._emsps.values() if cpo and cpo.network_id in emsp.network_ids}
            partners = {
                each.roaming.partner
                for each in self._subscriptions.values()
                if each.roaming and each.state == "live" and (each.roaming.role, each.roaming.party) == ("CPO", cpo_party)
            }
            accepted = frozenset(own | partners)
            self._accepted[cpo_party] = accepted
        return accepted

    def asked_in_turn(self, cpo_party: str) -> list[str]:
        """The same, by name, those of our own first: no partner gets hold of their drivers' cards by writing the same uids."""
        return sorted(self.accepted_emsps(cpo_party), key=lambda emsp: (self.emsp(emsp) is None, emsp))

    def take(self, stored: Stored) -> None:
        """Learn a version of an object; an older one than is known changes nothing."""
        ref = stored.ref
        if self._versions.get(ref, 0) >= stored.version:
            return
        self._versions[ref] = stored.version
        content = None if stored.deleted else msgspec.json.decode(stored.body, type=TYPES[ref.kind])
        self._put(ref, content)

    def put(self, ref: Ref, version: int, content: Network | Cpo | Emsp | Subscription | None) -> None:
        """Learn of a write of this process; None for a deletion."""
        if self._versions.get(ref, 0) < version:
            self._versions[ref] = version
            self._put(ref, content)

    def _put(self, ref: Ref, content: Network | Cpo | Emsp | Subscription | None) -> None:
        match ref.kind:
            case "network":
                _set(self._networks, ref.key.lower(), content)
            case "cpo":
                _set(self._cpos, ref.key.upper(), content)
            case "emsp":
                _set(self._emsps, ref.key.upper(), content)
            case _:
                _set(self._subscriptions, ref.key, content)
                self._by_hash = dict(_hashes(self._subscriptions.values()))
        self._scopes.clear()
        self._accepted.clear()
        for listener in self._listeners:
            listener(ref)

    async def _follow(self, part: int, after: int) -> None:
        while True:
            try:
                async for batch in follow(self._journal, part, after):
                    refs = list({change.ref for change in batch if change.ref.kind in TYPES})
                    for stored in (await self._journal.get_many(refs)).values() if refs else ():
                        self.take(stored)
                    after = batch[-1].seq
            except MemoryUnavailable:
                await asyncio.sleep(1)


def _set(place: dict[str, Any], key: str, content: object) -> None:
    if content is None:
        place.pop(key, None)
    else:
        place[key] = content


def _hashes(subscriptions: Iterable[Subscription]) -> Iterable[tuple[str, tuple[str, IssuedToken]]]:
    for subscription in subscriptions:
        if subscription.state != "ended":
            for token in subscription.tokens:
                yield token.hash, (subscription.id, token)
