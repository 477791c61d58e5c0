"""What is pushed to those who take OCPI 2.1.1 and nothing else: its objects, its verbs (mod_*, eMSP and CPO interfaces).

It differs from the Platform API's dialect in three ways: a session is PUT whenever it has another period, since a list in a
PATCH would replace the list; a place that is not published is not told, and one that no longer is, is told as REMOVED; and
there are tariffs and tokens, which a new endpoint gets from the beginning.
"""

import msgspec

from chargewire.charging.cdr import Cdr
from chargewire.charging.location import Evse, Location, Status
from chargewire.charging.session import Session
from chargewire.charging.tariff import Tariff
from chargewire.charging.token import Token
from chargewire.journal.memory import Ref
from chargewire.protocols.ocpi.v211.cdrs import cdr_json
from chargewire.protocols.ocpi.v211.locations import StampedEvse, evse_json, evse_patch, location_json
from chargewire.protocols.ocpi.v211.sessions import session_json, session_patch
from chargewire.protocols.ocpi.v211.tariffs import tariff_json
from chargewire.protocols.ocpi.v211.tokens import token_json
from chargewire.push.places import PlaceRules
from chargewire.push.records import CdrRules
from chargewire.push.rules import (
    DOUBT,
    FORCE,
    WHOLE,
    WITHDRAWN,
    Later,
    Loaded,
    Lookup,
    Pacing,
    Plan,
    Send,
    Told,
    Within,
    object_path,
)
from chargewire.push.sessions import RUNNING, SessionRules

_cdr = msgspec.json.Decoder(Cdr)
_evse = msgspec.json.Decoder(Evse)
_location = msgspec.json.Decoder(Location)
_session = msgspec.json.Decoder(Session)
_tariff = msgspec.json.Decoder(Tariff)
_token = msgspec.json.Decoder(Token)


class OcpiPlaceRules(PlaceRules):
    """Published places; one that is withdrawn is told once more, with every EVSE REMOVED (2.1.1 has no DELETE for it)."""

    def flags(self, ref: Ref, what: str) -> int:
        return super().flags(ref, what) | (WITHDRAWN if what == "withdrawn" else 0)

    def more(self, loaded: Loaded) -> list[Ref]:
        ref = loaded.stored.ref
        if ref.kind == "evse":
            return [self.slot_of(loaded)]
        return super().more(loaded)

    def _plan_location(self, loaded: Loaded, flags: int, lookup: Lookup) -> Plan:
        stored = loaded.stored
        told, place = lookup.told(stored.ref), _place_of(loaded)
        if not place.evse_uids or not (place.publish or flags & WITHDRAWN):
            return None
        if told and told.version >= stored.version and not flags & (FORCE | DOUBT):
            return None
        body = loaded.made("ocpi", lambda: _location_json(loaded, place))
        covers = tuple((ref, evse.version) for ref, evse in loaded.more.items())
        return Send(stored.ref, "PUT", object_path(stored.ref), body, Told(stored.version), covers)

    def _plan_evse(self, loaded: Loaded, flags: int, lookup: Lookup) -> Plan:
        stored = loaded.stored
        told, home = lookup.told(stored.ref), self.slot_of(loaded)
        if told and told.version >= stored.version and not flags & (FORCE | DOUBT):
            return None
        place = loaded.more.get(home)
        if place is None or not loaded.made("home", lambda: _location.decode(place.body)).publish:
            return None
        if lookup.pending(home):
            return Within(home)
        evse, path = _evse.decode(stored.body), object_path(home, stored.ref.key)
        if flags & (WHOLE | DOUBT):
            body = loaded.made("ocpi", lambda: evse_json(evse, stored.last_updated))
            return Send(stored.ref, "PUT", path, body, Told(stored.version))
        body = loaded.made("ocpi-status", lambda: evse_patch(evse, stored.last_updated))
        return Send(stored.ref, "PATCH", path, body, Told(stored.version))


class OcpiSessionRules(SessionRules):
    """PUT when it is new, over, parking, or has another period; else a PATCH of what is one value."""

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        ref, told = stored.ref, lookup.told(stored.ref)
        session = loaded.made("session", lambda: _session.decode(stored.body))
        if told and told.version >= stored.version and not flags & (FORCE | DOUBT):
            return None
        parked, periods = session.parked_since is not None, len(session.periods)
        urgent = told is None or flags & DOUBT or session.status not in RUNNING or parked != told.parked
        if told and not urgent and now < told.sent_at + pacing.min_patch:
            return Later(told.sent_at + pacing.min_patch)
        if told is None or urgent or periods != told.periods:
            body = loaded.made("ocpi", lambda: session_json(session, stored.last_updated))
            return Send(ref, "PUT", object_path(ref), body, Told(stored.version, now, now, parked, periods))
        body = loaded.made("ocpi-patch", lambda: session_patch(session, stored.last_updated))
        return Send(ref, "PATCH", object_path(ref), body, Told(stored.version, now, told.full_at, parked, periods))


class OcpiCdrRules(CdrRules):
    """POST, each once. A credit is not told: 2.1.1 has none, the CDR that follows it says what it replaces."""

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        cdr = loaded.made("cdr", lambda: _cdr.decode(stored.body))
        if cdr.credit:
            return None
        body = loaded.made("ocpi", lambda: cdr_json(cdr, stored.last_updated))
        return Send(stored.ref, "POST", "", body, Told(stored.version))


class _Whole:
    """Objects that are PUT as they are, and from the beginning."""

    kinds: tuple[str, ...]
    from_beginning = True
    tells_deleted = False

    @property
    def walked(self) -> tuple[str, ...]:
        return self.kinds

    def slot(self, ref: Ref) -> Ref | None:
        return ref

    def slot_of(self, loaded: Loaded) -> Ref:
        return loaded.stored.ref

    def flags(self, ref: Ref, what: str) -> int:
        return 0

    def more(self, loaded: Loaded) -> list[Ref]:
        return []

    def body(self, loaded: Loaded) -> bytes:
        """What is sent."""
        raise NotImplementedError

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        told = lookup.told(stored.ref)
        if told and told.version >= stored.version and not flags & (FORCE | DOUBT):
            return None
        body = loaded.made("ocpi", lambda: self.body(loaded))
        return Send(stored.ref, "PUT", object_path(stored.ref), body, Told(stored.version))

    def escalated(self, ref: Ref, slot: Ref, method: str) -> tuple[Ref, int] | None:
        return None

    def remembered(self, send: Send) -> bool:
        return True


class TariffRules(_Whole):
    """Kind `tariff`: those that partners are charged by. One that no longer is, or is deleted, is deleted there."""

    kinds: tuple[str, ...] = ("tariff",)
    tells_deleted = True

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        stored = loaded.stored
        wholesale = loaded.made("tariff", lambda: _tariff.decode(stored.body)).kind == "wholesale"
        if wholesale and not stored.deleted:
            return super().plan(loaded, flags, lookup, pacing, now)
        if not wholesale and lookup.told(stored.ref) is None:
            return None  # it never was theirs
        return Send(stored.ref, "DELETE", object_path(stored.ref), b"", Told(stored.version))

    def remembered(self, send: Send) -> bool:
        return send.method != "DELETE"

    def body(self, loaded: Loaded) -> bytes:
        return tariff_json(_tariff.decode(loaded.stored.body), loaded.stored.last_updated)


class TokenRules(_Whole):
    """Kind `token`."""

    kinds: tuple[str, ...] = ("token",)

    def body(self, loaded: Loaded) -> bytes:
        return token_json(_token.decode(loaded.stored.body), loaded.stored.last_updated)


def _place_of(loaded: Loaded) -> Location:
    return loaded.made("location", lambda: _location.decode(loaded.stored.body))


def _location_json(loaded: Loaded, place: Location) -> bytes:
    found = [(_evse.decode(each.body), each.last_updated) for each in loaded.more.values() if not each.deleted]
    evses = [
        StampedEvse(evse if place.publish else msgspec.structs.replace(evse, status=Status.REMOVED), at) for evse, at in found
    ]
    newest = max((each.last_updated for each in loaded.more.values()), default=0)
    return location_json(place, evses, max(loaded.stored.last_updated, newest))
