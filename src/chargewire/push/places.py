"""How locations are pushed: a location by PUT, what changes of its EVSEs by itself (OCPI 2.1.1 mod_locations, eMSP interface).

One request per location is under way, for whatever part of it. An EVSE whose location is about to be sent goes with it.
"""

import msgspec

from chargewire.charging.location import Evse, Location
from chargewire.journal.memory import Ref
from chargewire.protocols.platform import StampedEvse, evse_json, evse_patch, location_json
from chargewire.push.rules import DOUBT, FORCE, WHOLE, Loaded, Lookup, Pacing, Plan, Send, Told, Within, object_path

_evse = msgspec.json.Decoder(Evse)
_location = msgspec.json.Decoder(Location)


class PlaceRules:
    """Kinds `location` and `evse`; everything at a location goes in order."""

    kinds: tuple[str, ...] = ("location", "evse")
    walked: tuple[str, ...] = ("location",)
    from_beginning = True
    tells_deleted = False

    def slot(self, ref: Ref) -> Ref | None:
        return ref if ref.kind == "location" else None

    def slot_of(self, loaded: Loaded) -> Ref:
        ref = loaded.stored.ref
        return ref if ref.kind == "location" else Ref("location", ref.owner, _evse_of(loaded).location_id)

    def flags(self, ref: Ref, what: str) -> int:
        return 0 if what == "status" else WHOLE

    def more(self, loaded: Loaded) -> list[Ref]:
        ref = loaded.stored.ref
        return [Ref("evse", ref.owner, uid) for uid in _location_of(loaded).evse_uids] if ref.kind == "location" else []

    def plan(self, loaded: Loaded, flags: int, lookup: Lookup, pacing: Pacing, now: int) -> Plan:
        if loaded.stored.ref.kind == "location":
            return self._plan_location(loaded, flags, lookup)
        return self._plan_evse(loaded, flags, lookup)

    def escalated(self, ref: Ref, slot: Ref, method: str) -> tuple[Ref, int] | None:
        if ref.kind != "evse":
            return None
        return (ref, DOUBT) if method == "PATCH" else (slot, FORCE)

    def remembered(self, send: Send) -> bool:
        return True

    def _plan_location(self, loaded: Loaded, flags: int, lookup: Lookup) -> Plan:
        stored = loaded.stored
        told = lookup.told(stored.ref)
        place = _location_of(loaded)
        if not place.evse_uids or (told and told.version >= stored.version and not flags & (FORCE | DOUBT)):
            return None  # a place without EVSEs is not shared
        body = loaded.made("whole", lambda: _location_json(loaded))
        covers = tuple((ref, evse.version) for ref, evse in loaded.more.items())
        return Send(stored.ref, "PUT", object_path(stored.ref), body, Told(stored.version), covers)

    def _plan_evse(self, loaded: Loaded, flags: int, lookup: Lookup) -> Plan:
        stored = loaded.stored
        told = lookup.told(stored.ref)
        if told and told.version >= stored.version and not flags & (FORCE | DOUBT):
            return None
        home = self.slot_of(loaded)
        if lookup.pending(home):
            return Within(home)
        evse = _evse_of(loaded)
        path = object_path(home, stored.ref.key)
        if flags & (WHOLE | DOUBT):
            body = loaded.made("whole", lambda: evse_json(evse, stored.last_updated))
            return Send(stored.ref, "PUT", path, body, Told(stored.version))
        body = loaded.made("status", lambda: evse_patch(evse, stored.last_updated))
        return Send(stored.ref, "PATCH", path, body, Told(stored.version))


def _location_of(loaded: Loaded) -> Location:
    return loaded.made("location", lambda: _location.decode(loaded.stored.body))


def _evse_of(loaded: Loaded) -> Evse:
    return loaded.made("evse", lambda: _evse.decode(loaded.stored.body))


def _location_json(loaded: Loaded) -> bytes:
    evses = [StampedEvse(_evse.decode(each.body), each.last_updated) for each in loaded.more.values() if not each.deleted]
    newest = max((each.last_updated for each in loaded.more.values()), default=0)
    return location_json(_location_of(loaded), evses, max(loaded.stored.last_updated, newest))
