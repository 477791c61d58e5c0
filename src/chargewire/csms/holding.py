"""What is held in memory of one station while its socket is open; it can be dropped at any time and read again."""

from collections.abc import Sequence

import msgspec

from chargewire.charging.errors import Unknown
from chargewire.charging.location import Connector, Evse, Location, Station, Status
from chargewire.charging.status import evse_status
from chargewire.csms.draft import Draft
from chargewire.csms.ids import session_ref
from chargewire.csms.running import Running, load_running
from chargewire.journal.memory import Journal, Ref, Stored, Write

_station = msgspec.json.Decoder(Station)
_evse = msgspec.json.Decoder(Evse)
_location = msgspec.json.Decoder(Location)
replace = msgspec.structs.replace


class Holding:
    """A station with its EVSEs and its running sessions, each with the version that was read."""

    def __init__(
        self, stored: Stored, station: Station, evses: Sequence[tuple[Stored, Evse]], running: Sequence[Running]
    ) -> None:
        self.ref = stored.ref
        self.owner = stored.ref.owner
        self.version = stored.version
        self.station = station
        self.evses = {evse.uid: evse for _, evse in evses}
        self.versions = {evse.uid: stored.version for stored, evse in evses}
        self.evse_of = {
            connector.connector_id: evse.uid
            for _, evse in evses
            if evse.status != Status.REMOVED
            for connector in evse.connectors
        }
        self.by_transaction = {run.started.transaction_id: run for run in running}

    @property
    def place(self) -> str:
        return self.station.location_id

    def evse_uid(self, connector_number: int) -> str:
        """The EVSE of a connector; "" for the station as a whole, or a connector that nobody declared."""
        return self.evse_of.get(connector_number, "")

    def running_on(self, connector_number: int) -> Running | None:
        """The session that runs on a connector."""
        session_id = self.station.running.get(connector_number)
        return next((run for run in self.by_transaction.values() if run.ref.key == session_id), None)

    def mend(self, draft: Draft) -> None:
        """Let go of sessions that are over although the station still has them.

        The two are written in two steps if the station has gone to another location meanwhile, and the second may fail.
        """
        if len(self.by_transaction) < len(self.station.running):
            open_ones = {run.ref.key for run in self.by_transaction.values()}
            left = {number: key for number, key in self.station.running.items() if key in open_ones}
            self.become(draft, replace(self.station, running=left))

    def become(self, draft: Draft, station: Station) -> None:
        """Write the station as it is now, and the status that its EVSEs have by that."""
        if station != self.station:
            write = Write(ref=self.ref, content=station, expect=self.version, what="state")
            draft.write(write, self._station_written)
            self.station = station
        moved = [evse for evse in self.evses.values() if self._status_of(evse) != evse.status]
        for evse in moved:
            self._become_evse(draft, replace(evse, status=self._status_of(evse)))
        if moved:
            draft.touch(Ref("location", self.owner, self.place))

    def _become_evse(self, draft: Draft, evse: Evse) -> None:
        def written(version: int) -> None:
            self.versions[evse.uid] = version

        ref = Ref("evse", self.owner, evse.uid)
        draft.write(Write(ref=ref, content=evse, expect=self.versions[evse.uid], what="status"), written)
        self.evses[evse.uid] = evse

    def _status_of(self, evse: Evse) -> Status:
        if evse.status == Status.REMOVED:
            return evse.status
        numbers = [connector.connector_id for connector in evse.connectors]
        states = self.station.connectors
        return evse_status(
            [states[number] for number in numbers if number in states],
            states.get(0),
            charging=any(number in self.station.running for number in numbers),
            online=self.station.online,
        )

    def _station_written(self, version: int) -> None:
        self.version = version


async def load_holding(journal: Journal, station_id: str) -> Holding:
    """Read a station with all that belongs to it. Raises Unknown.

    One that was removed is read too: what it still says, and above all how its sessions end, is heard as long as it is here.
    """
    stored = await journal.find("station", station_id.lower())
    if stored is None:
        raise Unknown("station", station_id)
    station = _station.decode(stored.body)
    owner = stored.ref.owner
    found = await journal.get_many([Ref("evse", owner, uid) for uid in station.evse_uids])
    evses = [(found[ref], _evse.decode(found[ref].body)) for ref in found if not found[ref].deleted]
    loaded = [await load_running(journal, session_ref(session_id)) for session_id in station.running.values()]
    running = [run for run in loaded if run is not None]
    return Holding(stored, station, evses, running)


async def place_of(journal: Journal, holding: Holding, connector_number: int) -> tuple[Location, Evse, Connector] | None:
    """Location, EVSE and connector as they are in the journal now; None if nobody declared such a connector."""
    uid = holding.evse_uid(connector_number)
    evse_ref, location_ref = Ref("evse", holding.owner, uid), Ref("location", holding.owner, holding.place)
    found = await journal.get_many([evse_ref, location_ref]) if uid else {}
    if evse_ref not in found or location_ref not in found:
        return None
    evse = _evse.decode(found[evse_ref].body)
    connector = next((each for each in evse.connectors if each.connector_id == connector_number), None)
    location = _location.decode(found[location_ref].body)
    return (location, evse, connector) if connector else None
