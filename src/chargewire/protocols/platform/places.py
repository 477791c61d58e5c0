"""Locations, EVSEs and connectors as the Platform API v1 writes them: absent single fields are null, absent lists empty."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from chargewire.charging import location as domain
from chargewire.charging.location import (
    AdditionalGeoLocation,
    AuthRule,
    BusinessDetails,
    DisplayText,
    EnergyMix,
    GeoLocation,
    Hours,
    Image,
    Status,
)
from chargewire.protocols.platform.moments import Stamp, moment, stamped
from chargewire.protocols.platform.status import STATUS

_encode = msgspec.json.Encoder().encode


class Connector(Struct, frozen=True, kw_only=True):
    """One plug or socket. `voltage` is line to neutral for AC_3_PHASE."""

    id: str
    standard: str
    format: str
    power_type: str
    voltage: int
    amperage: int
    max_electric_power: int | None
    tariff_id: str | None
    terms_and_conditions: str | None
    last_updated: str


class StatusPeriod(Struct, frozen=True, kw_only=True):
    """A status that is planned."""

    period_begin: str
    period_end: str | None
    status: str
    status_message: str | None


class Evse(Struct, frozen=True, kw_only=True):
    """One EVSE with its status."""

    uid: str
    evse_id: str | None
    status: str
    status_schedule: tuple[StatusPeriod, ...]
    capabilities: tuple[str, ...]
    connectors: tuple[Connector, ...]
    floor_level: str | None
    coordinates: GeoLocation | None
    physical_reference: str | None
    directions: tuple[DisplayText, ...]
    parking_restrictions: tuple[str, ...]
    images: tuple[Image, ...]
    charging_behavior: str | None
    last_updated: str


class Location(Struct, frozen=True, kw_only=True):
    """A place to charge with its EVSEs."""

    id: str
    type: str
    access_type: str
    publish: bool
    name: str | None
    address: str
    city: str
    postal_code: str
    country: str
    coordinates: GeoLocation
    related_locations: tuple[AdditionalGeoLocation, ...]
    evses: tuple[Evse, ...]
    directions: tuple[DisplayText, ...]
    operator: BusinessDetails | None
    suboperator: BusinessDetails | None
    owner: BusinessDetails | None
    auth_rules: tuple[AuthRule, ...]
    facilities: tuple[str, ...]
    time_zone: str
    opening_times: Hours | None
    charging_when_closed: bool | None
    images: tuple[Image, ...]
    energy_mix: EnergyMix | None
    last_updated: str


class EvsePatch(Struct, frozen=True):
    status: str
    last_updated: str


class StampedEvse(NamedTuple):
    """An EVSE with the time of its last change."""

    evse: domain.Evse
    last_updated: Stamp


def connector(given: domain.Connector, last_updated: str) -> Connector:
    """A connector; it changes with its EVSE."""
    return Connector(
        id=given.id,
        standard=given.standard,
        format=given.format,
        power_type=given.power_type,
        voltage=given.voltage,
        amperage=given.amperage,
        max_electric_power=given.max_electric_power,
        tariff_id=given.tariff_id,
        terms_and_conditions=given.terms_and_conditions,
        last_updated=last_updated,
    )


def evse(given: domain.Evse, last_updated: Stamp, *, status: Status | None = None) -> Evse:
    """An EVSE with its own status, or another one."""
    at = stamped(last_updated)
    return Evse(
        uid=given.uid,
        evse_id=given.evse_id,
        status=STATUS[status or given.status],
        status_schedule=tuple(_planned(each) for each in given.status_schedule),
        capabilities=given.capabilities,
        connectors=tuple(connector(each, at) for each in given.connectors),
        floor_level=given.floor_level,
        coordinates=given.coordinates,
        physical_reference=given.physical_reference,
        directions=given.directions,
        parking_restrictions=given.parking_restrictions,
        images=given.images,
        charging_behavior=given.charging_behavior,
        last_updated=at,
    )


def location(given: domain.Location, evses: Iterable[StampedEvse], last_updated: Stamp) -> Location:
    """A location with its EVSEs. One that has gone to another location is shown as REMOVED here."""
    return Location(
        id=given.id,
        type=given.type,
        access_type=given.access_type or ("PUBLIC" if given.publish and not given.auth_rules else "PRIVATE"),
        publish=given.publish,
        name=given.name,
        address=given.address,
        city=given.city,
        postal_code=given.postal_code,
        country=given.country,
        coordinates=given.coordinates,
        related_locations=given.related_locations,
        evses=tuple(evse(each, at, status=None if each.location_id == given.id else Status.REMOVED) for each, at in evses),
        directions=given.directions,
        operator=given.operator,
        suboperator=given.suboperator,
        owner=given.owner,
        auth_rules=given.auth_rules,
        facilities=given.facilities,
        time_zone=given.time_zone,
        opening_times=given.opening_times,
        charging_when_closed=given.charging_when_closed,
        images=given.images,
        energy_mix=given.energy_mix,
        last_updated=stamped(last_updated),
    )


def location_json(given: domain.Location, evses: Iterable[StampedEvse], last_updated: Stamp) -> bytes:
    """A location as it is listed and pushed."""
    return _encode(location(given, evses, last_updated))


def evse_json(given: domain.Evse, last_updated: Stamp, *, status: Status | None = None) -> bytes:
    """An EVSE as it is read alone and pushed; with its own status, or another one."""
    return _encode(evse(given, last_updated, status=status))


def connector_json(given: domain.Connector, last_updated: Stamp) -> bytes:
    """A connector as it is read alone."""
    return _encode(connector(given, stamped(last_updated)))


def evse_patch(given: domain.Evse, last_updated: Stamp) -> bytes:
    """What is pushed when an EVSE's status changes."""
    return _encode(EvsePatch(STATUS[given.status], stamped(last_updated)))


def _planned(given: domain.StatusSchedule) -> StatusPeriod:
    return StatusPeriod(
        period_begin=moment(given.period_begin),
        period_end=moment(given.period_end) if given.period_end else None,
        status=given.status,
        status_message=given.status_message,
    )
