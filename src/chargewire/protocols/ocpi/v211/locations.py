"""Locations, EVSEs and connectors of OCPI 2.1.1 (mod_locations): the objects, and how ours are written as such."""

from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, get_args

import msgspec
from msgspec import Meta, Struct

from chargewire.charging import location as domain
from chargewire.charging.location import Status
from chargewire.protocols.ocpi.moments import Stamp, moment, stamped
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.texts import clipped, degrees, filled, language, time_of_day, website

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


class DisplayText(Struct, frozen=True):
    language: words.Language
    text: words.Text512


class GeoLocation(Struct, frozen=True):
    latitude: words.Latitude
    longitude: words.Longitude


class AdditionalGeoLocation(Struct, frozen=True, omit_defaults=True):
    latitude: words.Latitude
    longitude: words.Longitude
    name: DisplayText | None = None


class Image(Struct, frozen=True, omit_defaults=True):
    url: words.Url
    category: words.ImageCategory
    type: words.Text4
    thumbnail: words.Url | None = None
    width: Annotated[int, Meta(ge=0, le=99999)] | None = None
    height: Annotated[int, Meta(ge=0, le=99999)] | None = None


class BusinessDetails(Struct, frozen=True, omit_defaults=True):
    name: words.Text100
    website: words.Url | None = None
    logo: Image | None = None


class RegularHours(Struct, frozen=True):
    weekday: words.Weekday
    period_begin: words.TimeOfDay
    period_end: words.TimeOfDay


class ExceptionalPeriod(Struct, frozen=True):
    period_begin: words.DateTime
    period_end: words.DateTime


class Hours(Struct, frozen=True, omit_defaults=True):
    twentyfourseven: bool | None = None
    regular_hours: tuple[RegularHours, ...] = ()
    exceptional_openings: tuple[ExceptionalPeriod, ...] = ()
    exceptional_closings: tuple[ExceptionalPeriod, ...] = ()


class StatusSchedule(Struct, frozen=True, omit_defaults=True):
    period_begin: words.DateTime
    status: words.Status
    period_end: words.DateTime | None = None


class EnergySource(Struct, frozen=True):
    source: words.EnergySourceCategory
    percentage: float


class EnvironmentalImpact(Struct, frozen=True):
    source: words.EnvironmentalImpactCategory
    amount: float  # g/kWh


class EnergyMix(Struct, frozen=True, omit_defaults=True):
    is_green_energy: bool
    energy_sources: tuple[EnergySource, ...] = ()
    environ_impact: tuple[EnvironmentalImpact, ...] = ()
    supplier_name: words.Text64 | None = None
    energy_product_name: words.Text64 | None = None


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
        coordinates=_point(given.coordinates),
        related_locations=tuple(_further_point(each) for each in given.related_locations),
        evses=tuple(evse(each, at, status=None if each.location_id == given.id else Status.REMOVED) for each, at in evses),
        directions=display_texts(given.directions),
        operator=business(given.operator),
        suboperator=business(given.suboperator),
        owner=business(given.owner),
        facilities=_known(given.facilities, words.Facility),
        time_zone=given.time_zone,
        opening_times=_hours(given.opening_times) if given.opening_times else None,
        charging_when_closed=given.charging_when_closed,
        images=_images(given.images),
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
        capabilities=_known(given.capabilities, words.Capability),
        connectors=tuple(connector(each, at) for each in given.connectors),
        floor_level=clipped(given.floor_level, 4),
        coordinates=_point(given.coordinates) if given.coordinates else None,
        physical_reference=clipped(given.physical_reference, 16),
        directions=display_texts(given.directions),
        parking_restrictions=_known(given.parking_restrictions, words.ParkingRestriction),
        images=_images(given.images),
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


def business(given: domain.BusinessDetails | None) -> BusinessDetails | None:
    """Who somebody is."""
    if given is None:
        return None
    logo = _images((given.logo,)) if given.logo else ()
    return BusinessDetails(name=filled(given.name, 100), website=website(given.website), logo=logo[0] if logo else None)


def energy_mix(given: domain.EnergyMix | None) -> EnergyMix | None:
    """Where the energy comes from; sources that 2.1.1 does not know are left out."""
    if given is None:
        return None
    sources, impacts = get_args(words.EnergySourceCategory), get_args(words.EnvironmentalImpactCategory)
    return EnergyMix(
        is_green_energy=given.is_green_energy,
        energy_sources=tuple(
            EnergySource(each.source, round(each.percentage, 4))  # type: ignore[arg-type]
            for each in given.energy_sources
            if each.source in sources
        ),
        environ_impact=tuple(
            EnvironmentalImpact(each.source, round(each.amount, 4))  # type: ignore[arg-type]
            for each in given.environ_impact
            if each.source in impacts
        ),
        supplier_name=clipped(given.supplier_name, 64),
        energy_product_name=clipped(given.energy_product_name, 64),
    )


def _known(given: Iterable[str], vocabulary: object) -> tuple[Any, ...]:
    return tuple(each for each in given if each in get_args(vocabulary))


def _point(given: domain.GeoLocation) -> GeoLocation:
    return GeoLocation(degrees(given.latitude), degrees(given.longitude))


def _further_point(given: domain.AdditionalGeoLocation) -> AdditionalGeoLocation:
    name = next(iter(display_texts((given.name,))), None) if given.name else None
    return AdditionalGeoLocation(degrees(given.latitude), degrees(given.longitude), name)


def display_texts(given: Iterable[domain.DisplayText]) -> tuple[DisplayText, ...]:
    """Texts of which 2.1.1 can say the language."""
    return tuple(DisplayText(known, filled(each.text, 512)) for each in given if (known := language(each.language)) is not None)


def _images(given: Iterable[domain.Image]) -> tuple[Image, ...]:
    """Images with a category and an address that 2.1.1 can say."""
    return tuple(
        Image(
            url=each.url,
            category=each.category,  # type: ignore[arg-type]
            type=each.type[:4],
            thumbnail=website(each.thumbnail),
            width=each.width if each.width is None or 0 <= each.width <= 99999 else None,
            height=each.height if each.height is None or 0 <= each.height <= 99999 else None,
        )
        for each in given
        if each.category in get_args(words.ImageCategory) and website(each.url)
    )


def _hours(given: domain.Hours) -> Hours | None:
    """Opening times; a 24/7 place has no regular list (2.1.1 mod_locations, Hours). None if nothing is said."""
    regular = () if given.twentyfourseven else given.regular_hours
    hours = Hours(
        twentyfourseven=given.twentyfourseven or None,
        regular_hours=tuple(row for each in regular if (row := _regular(each)) is not None),
        exceptional_openings=_exceptions(given.exceptional_openings),
        exceptional_closings=_exceptions(given.exceptional_closings),
    )
    return None if hours == Hours() else hours


def _regular(given: domain.RegularHours) -> RegularHours | None:
    """Hours of a weekday. A period ends later than it begins and at 23:59 at the latest; None for what is no time."""
    begin = time_of_day(given.period_begin)
    end = "23:59" if given.period_end in ("24:00", "00:00") else time_of_day(given.period_end)
    if begin is None or end is None or not 1 <= given.weekday <= 7:
        return None
    return RegularHours(given.weekday, begin, end)


def _exceptions(given: Iterable[domain.ExceptionalPeriod]) -> tuple[ExceptionalPeriod, ...]:
    return tuple(ExceptionalPeriod(moment(each.period_begin), moment(each.period_end)) for each in given)
