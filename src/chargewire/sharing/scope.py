"""The one place that decides who sees what. Every way out asks here: lists, single objects, counts, pushes.

A `Scope` is what a subscription may see at one moment: for each (module, direction) the CPOs that own, and the eMSPs that
may look on. It is rebuilt when the subscription, or the members of its network, change.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from chargewire.sharing.subscription import ROAMED, Cpo, Emsp, Roaming, Subscription

DRIVEN = ("sessions", "cdrs")  # what has a driver, and so an eMSP


class Scope(Struct, frozen=True, kw_only=True):
    """`cpos[("sessions", "pull")]` are the CPOs whose sessions may be pulled; `emsps` likewise for token issuers.

    A roaming partner (`partner`) sees what one party of ours owns: published places, and of sessions and CDRs only those of
    its own drivers.
    """

    subscription_id: str
    network_id: str
    extended: bool
    cpos: Mapping[tuple[str, str], frozenset[str]]
    emsps: Mapping[tuple[str, str], frozenset[str]]
    partner: str = ""

    def granted(self, module: str, direction: str) -> bool:
        """Whether the module is granted at all in that direction, even if nobody is in scope yet."""
        return (module, direction) in self.cpos or (module, direction) in self.emsps

    def owners(self, module: str, direction: str) -> frozenset[str]:
        """The CPOs whose objects of the module are in scope."""
        return self.cpos.get((module, direction), frozenset())

    def issuers(self, module: str, direction: str) -> frozenset[str]:
        """The eMSPs whose drivers' objects of the module are in scope."""
        return self.emsps.get((module, direction), frozenset())

    def sees(self, module: str, direction: str, owner: str, counterparty: str = "") -> bool:
        """Whether one object is in scope, by its owner or by its other party."""
        if self.partner and module in DRIVEN:
            return owner in self.owners(module, direction) and counterparty == self.partner
        return owner in self.owners(module, direction) or (
            bool(counterparty) and counterparty in self.issuers(module, direction)
        )


def scope_of(subscription: Subscription, cpos: Iterable[Cpo], emsps: Iterable[Emsp]) -> Scope:
    """What a subscription may see. Parties outside its own network are never in it, whatever the grant says."""
    if subscription.roaming is not None:
        return _roaming_scope(subscription, subscription.roaming, cpos, emsps)
    own_cpos = {cpo.party for cpo in cpos if cpo.network_id == subscription.network_id}
    own_emsps = {emsp.party for emsp in emsps if subscription.network_id in emsp.network_ids}
    by_cpo: dict[tuple[str, str], set[str]] = {}
    by_emsp: dict[tuple[str, str], set[str]] = {}
    if subscription.state in ("live", "acceptance", "validated", "production"):
        for grant in subscription.grants:
            for module, directions in grant.modules.items():
                for direction in directions:
                    place = (module, direction)
                    by_cpo.setdefault(place, set()).update(_members(grant.cpos, own_cpos))
                    by_emsp.setdefault(place, set()).update(_members(grant.emsps, own_emsps))
    return Scope(
        subscription_id=subscription.id,
        network_id=subscription.network_id,
        extended=subscription.profile == "extended",
        cpos={place: frozenset(parties) for place, parties in by_cpo.items()},
        emsps={place: frozenset(parties) for place, parties in by_emsp.items()},
    )


def _roaming_scope(subscription: Subscription, roaming: Roaming, cpos: Iterable[Cpo], emsps: Iterable[Emsp]) -> Scope:
    own = {cpo.party for cpo in cpos if cpo.network_id == subscription.network_id}
    if roaming.role == "EMSP":
        own = {emsp.party for emsp in emsps if subscription.network_id in emsp.network_ids}
    parties: dict[tuple[str, str], frozenset[str]] = {}
    if subscription.state == "live" and roaming.partner and roaming.party in own:
        shared, written = ROAMED[roaming.role]
        for modules, directions in ((shared, ("pull", "push")), (written, ("write",))):
            for module in filter(roaming.about, modules):
                for direction in directions:
                    parties[module, direction] = frozenset({roaming.party})
    return Scope(
        subscription_id=subscription.id,
        network_id=subscription.network_id,
        extended=False,
        cpos=parties,
        emsps={},
        partner=roaming.partner or "?",
    )


def _members(named: Iterable[str], own: set[str]) -> set[str]:
    named = set(named)
    return own if "*" in named else named & own
