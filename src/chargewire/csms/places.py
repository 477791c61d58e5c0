"""Writing a location with all that stands there.

A PUT says everything that is static: what it leaves out is REMOVED, what a station told (status, boot, running sessions) stays.
A location belongs to one CPO and one partition. If it goes to another CPO it is written anew under that owner, with everything
that stands there, and stays under the old one as a tombstone whose EVSEs are REMOVED. A station that comes from another
location is first let go there, in a write of its own; a PUT that is repeated after a crash in between finishes the move.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from chargewire.charging.errors import Refused
from chargewire.charging.location import Evse, Location, Station, Status
from chargewire.charging.status import evse_status
from chargewire.csms.intake import read
from chargewire.csms.parties import check_id, check_party
from chargewire.csms.place_input import LocationInput
from chargewire.csms.place_plan import Plan, plan_of
from chargewire.csms.registry import Kept, Registry, again
from chargewire.journal.memory import Journal, Name, Ref, Stored, Touch, Unit, Write

_location = msgspec.json.Decoder(Location)
_station = msgspec.json.Decoder(Station)
_evse = msgspec.json.Decoder(Evse)


async def put_location(registry: Registry, location_id: str, body: bytes) -> Kept:
    """Make or change a location. Raises Refused."""
    given = read(body, LocationInput)
    location_id = check_id(location_id, given.id, "id", 39)
    if known := await registry.journal.find("location", location_id.lower()):  # its id keeps the case that it came with
        location_id = known.ref.key
    owner = check_party(given.cpo)
    cpo = registry.directory.cpo(owner)
    if cpo is None:
        raise Refused(f"there is no CPO {given.cpo!r}", "cpo")
    plan = plan_of(given, owner, given.location(location_id, cpo.time_zone), registry.keys)

    async def once() -> Kept:
        await _let_go(registry.journal, plan)
        rewrite = await _read(registry.journal, plan)
        unit = rewrite.unit()
        if unit.writes:
            await registry.journal.append(unit)
            written = (write.ref.key for write in unit.writes if write.ref.kind == "station")
            await registry.on_stations(list(dict.fromkeys((*plan.live, *written))))
        return Kept(rewrite.ref, rewrite.created)

    return await again(once, registry.turns)


def state_of(location: Location, *, standing: bool) -> str:
    """What lists see without reading it: `listed`, `hidden` from roaming partners, or `empty`, which is in no list.

    Hidden is what is not published, and what has no EVSE that stands there any more (2.1.1 mod_locations, GET).
    """
    if not location.evse_uids:
        return "empty"
    return "listed" if standing and location.publish else "hidden"


class _Rewrite:
    """Everything that is at the location or comes to it, as read, and what has to be written over it."""

    def __init__(self, plan: Plan, known: dict[Ref, Stored], holders: dict[tuple[str, str], Stored], listed: Location | None):
        self.plan = plan
        self._known = {_folded(ref): stored for ref, stored in known.items()}
        self.holders = holders
        self.listed = listed
        home = self._at(Ref("location", plan.owner, plan.location.id))
        self.ref = home.ref if home else Ref("location", plan.owner, plan.location.id)
        self.created = ("location", plan.location.id.lower()) not in holders
        self.writes: list[Write] = []
        self.names: list[Name] = []

    def unit(self) -> Unit:
        """What is written, together. Raises Refused."""
        self._stations()
        uids = self._evses()
        self._left_out(uids)
        self._old_owner()
        evse_changed = any(write.ref.kind == "evse" and write.ref.owner == self.plan.owner for write in self.writes)
        location = replace(self.plan.location, evse_uids=uids)
        withdrawn = self.listed is not None and self.listed.publish and not location.publish
        what = "withdrawn" if withdrawn else "static"
        wrote = self._write(self.ref, location, state_of(location, standing=bool(self.plan.evses)), what)
        touches = [Touch(self.ref)] if evse_changed and not wrote else []
        return Unit(place=self.plan.location.id, writes=self.writes, names=self.names, touches=touches)

    def _stations(self) -> None:
        for index, wanted in enumerate(self.plan.stations):
            ref = Ref("station", self.plan.owner, wanted.id)
            before = self._holder("station", wanted.id)
            station = wanted
            if before is not None:
                live = _station.decode(before.body)
                station = replace(
                    wanted,
                    id=live.id,
                    connectors=live.connectors,
                    running=live.running,
                    boot=live.boot,
                    online=live.online,
                    protocol=live.protocol,
                    password_hash=live.password_hash if index in self.plan.keeps_password else wanted.password_hash,
                )
            self.plan.live[station.id] = station
            self._write(ref, station)
            self._name(ref, before)

    def _evses(self) -> tuple[str, ...]:
        """All EVSEs that the location has had, those that stand there now first."""
        for (station_index, index), wanted in self.plan.evses.items():
            ref = Ref("evse", self.plan.owner, wanted.uid)
            before = self._holder("evse", wanted.uid)
            status = Status.UNKNOWN
            if before is not None:
                live = _evse.decode(before.body)
                here = live.location_id == self.plan.location.id or self._rides(live.station_id)
                if not here and live.status != Status.REMOVED:
                    where = f"stations[{station_index}].evses[{index}].uid"
                    raise Refused(f"belongs to location {live.location_id!r}", where)
                status = live.status
            if status in (Status.REMOVED, Status.UNKNOWN):
                status = _status(wanted, self.plan.live[wanted.station_id])
            self._write(ref, replace(wanted, status=status))
            self._name(ref, before)
        now = [evse.uid for evse in self.plan.evses.values()]
        folded = {uid.lower() for uid in now}
        return (*now, *(uid for uid in (self.listed.evse_uids if self.listed else ()) if uid.lower() not in folded))

    def _left_out(self, uids: Iterable[str]) -> None:
        wanted = {evse.uid.lower() for evse in self.plan.evses.values()}
        for uid in uids:
            stored = self._at(Ref("evse", self.plan.owner, uid))
            if stored is not None and uid.lower() not in wanted:
                self._remove_evse(stored)
        stations = {station.id.lower() for station in self.plan.stations}
        for station_id in self.listed.station_ids if self.listed else ():
            stored = self._at(Ref("station", self.plan.owner, station_id))
            if stored is not None and station_id.lower() not in stations:
                self._remove_station(stored)

    def _old_owner(self) -> None:
        """Leave a tombstone under the CPO that the location has belonged to."""
        holder = self.holders.get(("location", self.plan.location.id.lower()))
        if holder is not None and holder.ref.owner != self.plan.owner:
            old = _location.decode(holder.body)
            for uid in old.evse_uids:
                if stored := self._at(Ref("evse", holder.ref.owner, uid)):
                    self._remove_evse(stored)
            for station_id in old.station_ids:
                if stored := self._at(Ref("station", holder.ref.owner, station_id)):
                    self._remove_station(stored)
            self._write(holder.ref, replace(old, station_ids=()), state_of(old, standing=False))
        self._name(self.ref, holder)

    def _remove_evse(self, stored: Stored) -> None:
        evse = _evse.decode(stored.body)
        if evse.location_id == self.plan.location.id:
            self._write(stored.ref, replace(evse, status=Status.REMOVED))

    def _remove_station(self, stored: Stored) -> None:
        station = _station.decode(stored.body)
        if station.location_id == self.plan.location.id:
            self._write(stored.ref, replace(station, removed=True))

    def _holder(self, kind: str, key: str) -> Stored | None:
        return self.holders.get((kind, key.lower())) or self._at(Ref(kind, self.plan.owner, key))

    def _at(self, ref: Ref) -> Stored | None:
        return self._known.get(_folded(ref))

    def _rides(self, station_id: str) -> bool:
        return any(station.id.lower() == station_id.lower() for station in self.plan.stations)

    def _write(self, ref: Ref, content: Location | Station | Evse, state: str = "", what: str = "static") -> bool:
        before = self._at(ref)
        if before is not None and not before.deleted and before.state == state and _decoded(before) == content:
            return False
        name = before.ref if before else ref
        expect = before.version if before else 0
        self.writes.append(Write(ref=name, content=content, expect=expect, what=what, state=state))
        return True

    def _name(self, ref: Ref, holder: Stored | None) -> None:
        if holder is None or holder.ref.owner != self.plan.owner:
            held_by = holder.ref if holder else None
            for name in dict.fromkeys((ref.key.lower(), ref.key)):
                self.names.append(Name(ref.kind, name, ref, held_by))


async def _let_go(journal: Journal, plan: Plan) -> None:
    """Take stations that come from other locations off those, each in a write of its own place."""
    for station in plan.stations:
        stored = await journal.find("station", station.id.lower())
        live = _station.decode(stored.body) if stored else None
        if stored is None or live is None or live.location_id == plan.location.id:
            continue
        owner = stored.ref.owner
        home = await journal.get(Ref("location", owner, live.location_id))
        place = _location.decode(home.body) if home else None
        writes = []
        if home is not None and place is not None and live.id in place.station_ids:
            rest = tuple(each for each in place.station_ids if each != live.id)
            left = await journal.get_many([Ref("station", owner, each) for each in rest])
            standing = any(_station.decode(each.body).evse_uids for each in left.values())
            writes.append(_over(home, replace(place, station_ids=rest), state_of(place, standing=standing)))
        if owner != plan.owner:
            writes += await _left_behind(journal, stored, live)
        if writes:
            await journal.append(Unit(place=live.location_id, writes=writes))


async def _left_behind(journal: Journal, stored: Stored, station: Station) -> list[Write]:
    """A station and its EVSEs as they stay under the owner that they leave."""
    writes = [] if station.removed else [_over(stored, replace(station, removed=True))]
    found = await journal.get_many([Ref("evse", stored.ref.owner, uid) for uid in station.evse_uids])
    for each in found.values():
        evse = _evse.decode(each.body)
        if evse.station_id == station.id and evse.status != Status.REMOVED:
            writes.append(_over(each, replace(evse, status=Status.REMOVED)))
    return writes


async def _read(journal: Journal, plan: Plan) -> _Rewrite:
    """Everything that the decision depends on."""
    names = [("location", plan.location.id)]
    names += [("station", station.id) for station in plan.stations]
    names += [("evse", evse.uid) for evse in plan.evses.values()]
    holders = {}
    for kind, key in names:
        if (stored := await journal.find(kind, key.lower())) is not None:
            holders[kind, key.lower()] = stored
    home_ref = Ref("location", plan.owner, plan.location.id)
    home = (await journal.get_many([home_ref])).get(home_ref)
    listed = _location.decode(home.body) if home else None
    refs = {home_ref, *(stored.ref for stored in holders.values())}
    refs |= {Ref(kind, plan.owner, key) for kind, key in names}
    for owner, place in ((plan.owner, listed), _old(holders, plan)):
        if place is not None:
            refs |= {Ref("evse", owner, uid) for uid in place.evse_uids}
            refs |= {Ref("station", owner, station_id) for station_id in place.station_ids}
    return _Rewrite(plan, await journal.get_many(list(refs)), holders, listed)


def _old(holders: dict[tuple[str, str], Stored], plan: Plan) -> tuple[str, Location | None]:
    holder = holders.get(("location", plan.location.id.lower()))
    return (holder.ref.owner, _location.decode(holder.body)) if holder else (plan.owner, None)


def _folded(ref: Ref) -> Ref:
    return ref._replace(key=ref.key.lower())


def _status(evse: Evse, station: Station) -> Status:
    numbers = [connector.connector_id for connector in evse.connectors]
    return evse_status(
        [station.connectors[number] for number in numbers if number in station.connectors],
        station.connectors.get(0),
        charging=any(number in station.running for number in numbers),
        online=station.online,
    )


def _decoded(stored: Stored) -> Location | Station | Evse:
    match stored.ref.kind:
        case "location":
            return _location.decode(stored.body)
        case "station":
            return _station.decode(stored.body)
        case _:
            return _evse.decode(stored.body)


def _over(stored: Stored, content: Location | Station | Evse, state: str | None = None) -> Write:
    state = stored.state if state is None else state
    return Write(ref=stored.ref, content=content, expect=stored.version, what="static", state=state)
