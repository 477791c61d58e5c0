"""A location as its operator wants it: every station, EVSE and connector with its names and numbers filled in."""

from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.errors import Refused
from chargewire.charging.location import Connector, Evse, Location, Station
from chargewire.charging.party import split_party
from chargewire.csms.place_input import ConnectorInput, EvseInput, LocationInput, StationInput
from chargewire.sharing.keys import Keys


class Plan(Struct, kw_only=True):
    """What shall stand at a location. `evses` by (station, EVSE) as they are numbered in the input."""

    owner: str
    location: Location
    stations: list[Station]
    evses: dict[tuple[int, int], Evse]
    keeps_password: set[int]  # stations, by number, of which no password was given
    live: dict[str, Station]  # as they are going to be written


def plan_of(given: LocationInput, owner: str, location: Location, keys: Keys) -> Plan:
    """Work out the names and numbers that were left out. Raises Refused for one that is used twice."""
    plan = Plan(owner=owner, location=location, stations=[], evses={}, keeps_password=set(), live={})
    seen_stations: set[str] = set()
    seen_evses: set[str] = set()
    for index, station in enumerate(given.stations):
        _once(station.id, seen_stations, f"stations[{index}].id")
        evses = _evses(index, station, owner, location.id)
        for number, evse in enumerate(evses):
            _once(evse.uid, seen_evses, f"stations[{index}].evses[{number}].uid")
            plan.evses[index, number] = evse
        if not isinstance(station.password, str | None):
            plan.keeps_password.add(index)
        plan.stations.append(
            Station(
                id=station.id,
                location_id=location.id,
                evse_uids=tuple(evse.uid for evse in evses),
                password_hash=keys.hash(station.password) if isinstance(station.password, str) else None,
                details=station.details(),
            )
        )
    plan.location = replace(location, station_ids=tuple(station.id for station in plan.stations))
    return plan


def _evses(index: int, station: StationInput, owner: str, location_id: str) -> list[Evse]:
    """The EVSEs of a station; connectors are counted through all of them, as OCPP 1.6 does (§2, connectorId)."""
    evses: list[Evse] = []
    counted, numbers = 0, set[int]()
    for place, evse in enumerate(station.evses):
        uid = evse.uid or "-".join((*split_party(owner), f"E{station.id}", str(place + 1)))
        connectors, ids = [], set[str]()
        for slot, connector in enumerate(evse.connectors):
            counted += 1
            where = f"stations[{index}].evses[{place}].connectors[{slot}]"
            made = _connector(connector, slot + 1, counted)
            _once(made.id, ids, f"{where}.id")
            if made.connector_id in numbers:
                raise Refused(f"the station has a connector {made.connector_id} already", f"{where}.connector_id")
            numbers.add(made.connector_id)
            connectors.append(made)
        evses.append(_evse(evse, uid, station.id, location_id, tuple(connectors)))
    return evses


def _evse(given: EvseInput, uid: str, station_id: str, location_id: str, connectors: tuple[Connector, ...]) -> Evse:
    return Evse(
        uid=uid,
        location_id=location_id,
        station_id=station_id,
        evse_id=given.evse_id or (None if given.uid else uid.replace("-", "*")),
        connectors=connectors,
        status_schedule=given.status_schedule,
        capabilities=given.capabilities,
        floor_level=given.floor_level,
        coordinates=given.coordinates,
        physical_reference=given.physical_reference,
        directions=given.directions,
        parking_restrictions=given.parking_restrictions,
        images=given.images,
        charging_behavior=given.charging_behavior,
    )


def _connector(given: ConnectorInput, slot: int, number: int) -> Connector:
    return Connector(
        id=given.id or str(slot),
        connector_id=given.connector_id or number,
        standard=given.standard,
        format=given.format,
        power_type=given.power_type,
        voltage=given.voltage,
        amperage=given.amperage,
        max_electric_power=given.max_electric_power,
        tariff_id=given.tariff_id,
        reimbursement_tariff_id=given.reimbursement_tariff_id,
        terms_and_conditions=given.terms_and_conditions,
    )


def _once(name: str, seen: set[str], field: str) -> None:
    if name.lower() in seen:
        raise Refused(f"{name!r} is used twice", field)
    seen.add(name.lower())
