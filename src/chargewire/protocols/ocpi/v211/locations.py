"""Locations, EVSEs and connectors of OCPI 2.1.1 (mod_locations): the objects, and how ours are written as such."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from chargewire.charging import location as domain
from chargewire.charging.location import Status
from chargewire.protocols.ocpi.moments import Stamp, moment, stamped
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.parts import (
    AdditionalGeoLocation,
    BusinessDetails,
    DisplayText,
    EnergyMix,
    GeoLocation,
    Hours,
    Image,
    business,
    display_texts,
    energy_mix,
    further_point,
    images,
    known,
    opening_times,
    point,
)
from chargewire.protocols.ocpi.v211.texts import clipped, filled, website

_encode = msgspec.json.Encoder().encode

STATUS: dict[Status, words.Status] = {
    Status.AVAILABLE: "AVAILABLE",
    Status.OCCUPIED: "CHARGING",
    Status.PREPARING: "CHARGING",
    Status.CHARGING: "CHARGING",
    Status.SUSPENDED_EV: "CHARGING",
    Status.SUSPENDED_EVSE: "CHARGING",
    Status.FINISHING: "CHARGING",
    Status.RESERVED: "RESERVED",
    Status.UNAVAILABLE: "INOPERATIVE",
    Status.FAULTED: "OUTOFORDER",
    Status.UNKNOWN: "UNKNOWN",
    Status.REMOVED: "REMOVED",
}
"""OCPI's CHARGING means "in use"; its INOPERATIVE "not yet active, or no longer available"."""


class StatusSchedule(Struct, frozen=True, omit_defaults=True):
    period_begin: words.DateTime
    status: words.Status
    period_end: words.DateTime | None = None


class Connector(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`voltage` is line to neutral for AC_3_PHASE; `amperage` the highest."""

    id: words.Id36
    standard: words.ConnectorType
    format: words.ConnectorFormat
    power_type: words.PowerType
    voltage: int
    amperage: int
    tariff_id: words.Id36 | None = None
    terms_and_conditions: words.Url | None = None
    last_updated: words.DateTime


class Evse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    uid: words.Id39
    evse_id: words.EvseId | None = None
    status: words.Status
    status_schedule: tuple[StatusSchedule, ...] = ()
    capabilities: tuple[words.Capability, ...] = ()
    connectors: Annotated[tuple[Connector, ...], Meta(min_length=1)]
    floor_level: words.Text4 | None = None
    coordinates: GeoLocation | None = None
    physical_reference: words.Text16 | None = None
    directions: tuple[DisplayText, ...] = ()
    parking_restrictions: tuple[words.ParkingRestriction, ...] = ()
    images: tuple[Image, ...] = ()
    last_updated: words.DateTime


class Location(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: words.Id39
    type: words.LocationType
    name: words.Text255 | None = None
    address: words.Text45
    city: words.Text45
    postal_code: words.Text10
    country: words.Country3
    coordinates: GeoLocation
    related_locations: tuple[AdditionalGeoLocation, ...] = ()
    evses: tuple[Evse, ...] = ()
    directions: tuple[DisplayText, ...] = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    facilities: tuple[words.Facility, ...] = ()
    time_zone: words.Text255 | None = None
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None
    images: tuple[Image, ...] = ()
    energy_mix: EnergyMix | None = None
    last_updated: words.DateTime


class EvsePatch(Struct, frozen=True):
    status: words.Status
    last_updated: words.DateTime


class StampedEvse(NamedTuple):
    """An EVSE of ours with the time of its last change."""

    evse: domain.Evse
    last_updated: Stamp


def location_json(given: domain.Location, evses: Iterable[StampedEvse], last_updated: Stamp) -> bytes:
    """A location as it is listed and pushed. What 2.1.1 has no word for is left out."""
    return _encode(location(given, evses, last_updated))


def evse_json(given: domain.Evse, last_updated: Stamp, *, status: Status | None = None) -> bytes:
    """An EVSE, with its own status or another one."""
    return _encode(evse(given, last_updated, status=status))


def connector_json(given: domain.Connector, last_updated: Stamp) -> bytes:
    """A connector as it is read alone."""
    return _encode(connector(given, stamped(last_updated)))


def evse_patch(given: domain.Evse, last_updated: Stamp, *, status: Status | None = None) -> bytes:
    """What is pushed when only the status of an EVSE changes."""
    return _encode(EvsePatch(STATUS[status or given.status], stamped(last_updated)))


def location(given: domain.Location, evses: Iterable[StampedEvse], last_updated: Stamp) -> Location:
    """A location with its EVSEs. One that has gone to another location is REMOVED here."""
    return Location(
        id=given.id,
        type=given.type if given.type in get_args(words.LocationType) else "UNKNOWN",  # type: ignore[arg-type]
        name=clipped(given.name, 255),
        address=filled(given.address, 45),
        city=filled(given.city, 45),
        postal_code=filled(given.postal_code, 10),
        country=given.country,
        coordinates=point(given.coordinates),
        related_locations=tuple(further_point(each) for each in given.related_locations),
        evses=tuple(evse(each, at, status=None if each.location_id == given.id else Status.REMOVED) for each, at in evses),
        directions=display_texts(given.directions),
        operator=business(given.operator),
        suboperator=business(given.suboperator),
        owner=business(given.owner),
        facilities=known(given.facilities, words.Facility),
        time_zone=given.time_zone,
        opening_times=opening_times(given.opening_times) if given.opening_times else None,
        charging_when_closed=given.charging_when_closed,
        images=images(given.images),
        energy_mix=energy_mix(given.energy_mix),
        last_updated=stamped(last_updated),
    )


def evse(given: domain.Evse, last_updated: Stamp, *, status: Status | None = None) -> Evse:
    """An EVSE of ours."""
    at = stamped(last_updated)
    return Evse(
        uid=given.uid,
        evse_id=given.evse_id,
        status=STATUS[status or given.status],
        status_schedule=tuple(
            StatusSchedule(
                period_begin=moment(each.period_begin),
                status=each.status,  # type: ignore[arg-type]
                period_end=moment(each.period_end) if each.period_end else None,
            )
            for each in given.status_schedule
            if each.status in get_args(words.Status)
        ),
        capabilities=known(given.capabilities, words.Capability),
        connectors=tuple(connector(each, at) for each in given.connectors),
        floor_level=clipped(given.floor_level, 4),
        coordinates=point(given.coordinates) if given.coordinates else None,
        physical_reference=clipped(given.physical_reference, 16),
        directions=display_texts(given.directions),
        parking_restrictions=known(given.parking_restrictions, words.ParkingRestriction),
        images=images(given.images),
        last_updated=at,
    )


def connector(given: domain.Connector, last_updated: str) -> Connector:
    """A connector of ours; it changes with its EVSE."""
    return Connector(
        id=given.id,
        standard=given.standard,  # type: ignore[arg-type]
        format=given.format,  # type: ignore[arg-type]
        power_type=given.power_type,  # type: ignore[arg-type]
        voltage=given.voltage,
        amperage=given.amperage,
        tariff_id=given.tariff_id,
        terms_and_conditions=website(given.terms_and_conditions),
        last_updated=last_updated,
    )


def place_used(place: domain.Location, used: domain.Evse, plug: domain.Connector, status: Status, at: Stamp) -> Location:
    """A location cut down to the EVSE and the connector of a session (2.1.1 mod_sessions, Session.location)."""
    only = msgspec.structs.replace(used, connectors=(plug,), status=status, location_id=place.id)
    return location(place, (StampedEvse(only, at),), at)
