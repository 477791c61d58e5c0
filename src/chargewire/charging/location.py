"""Places to charge: locations with stations, EVSEs and connectors.

A location holds what is static, a station what its box says of itself, an EVSE its own description and its status.
Field names follow OCPI 2.1.1 mod_locations where it has the field, else the Platform API.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field


class Status(StrEnum):
    """What an EVSE or a connector is doing: one neutral word, every dialect has its own table for it.

    In order of rank: the status of an EVSE is the highest of its connectors.
    """

    UNKNOWN = "Unknown"  # never heard of, or silent
    FAULTED = "Faulted"
    UNAVAILABLE = "Unavailable"
    AVAILABLE = "Available"
    RESERVED = "Reserved"
    PREPARING = "Preparing"
    FINISHING = "Finishing"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    OCCUPIED = "Occupied"
    CHARGING = "Charging"
    REMOVED = "Removed"  # administrative, never from a station


class DisplayText(Struct, frozen=True):
    language: str
    text: str


class GeoLocation(Struct, frozen=True):
    """Decimal degrees, as text (OCPI 2.1.1 types)."""

    latitude: str
    longitude: str


class AdditionalGeoLocation(Struct, frozen=True, omit_defaults=True):
    latitude: str
    longitude: str
    name: DisplayText | None = None


class Image(Struct, frozen=True, omit_defaults=True):
    url: str
    category: str
    type: str
    thumbnail: str | None = None
    width: int | None = None
    height: int | None = None


class BusinessDetails(Struct, frozen=True, omit_defaults=True):
    name: str
    website: str | None = None
    logo: Image | None = None
    phone_number: str | None = None
    email: str | None = None


class RegularHours(Struct, frozen=True):
    weekday: int  # 1 Monday … 7 Sunday
    period_begin: str  # HH:MM, local
    period_end: str


class ExceptionalPeriod(Struct, frozen=True):
    period_begin: datetime
    period_end: datetime


class Hours(Struct, frozen=True, omit_defaults=True):
    twentyfourseven: bool | None = None
    regular_hours: tuple[RegularHours, ...] = ()
    exceptional_openings: tuple[ExceptionalPeriod, ...] = ()
    exceptional_closings: tuple[ExceptionalPeriod, ...] = ()


class StatusSchedule(Struct, frozen=True, omit_defaults=True):
    period_begin: datetime
    status: str
    period_end: datetime | None = None
    status_message: str | None = None


class EnergySource(Struct, frozen=True):
    source: str
    percentage: float


class EnvironmentalImpact(Struct, frozen=True):
    source: str
    amount: float


class EnergyMix(Struct, frozen=True, omit_defaults=True):
    is_green_energy: bool
    energy_sources: tuple[EnergySource, ...] = ()
    environ_impact: tuple[EnvironmentalImpact, ...] = ()
    supplier_name: str | None = None
    energy_product_name: str | None = None


class AuthRule(Struct, frozen=True):
    type: str  # CustomerExternalId | ClosedGroups
    value: str


class Connector(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One plug or socket. `connector_id` is the OCPP number at its station, `id` the OCPI name within the EVSE."""

    id: str
    connector_id: int
    standard: str
    format: str  # SOCKET | CABLE
    power_type: str  # AC_1_PHASE | AC_3_PHASE | DC
    voltage: int  # V, line to neutral
    amperage: int  # A
    max_electric_power: int | None = None  # W
    tariff_id: str | None = None
    reimbursement_tariff_id: str | None = None
    terms_and_conditions: str | None = None


class Evse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One EVSE: its description and its status. Journal kind `evse`, key `uid`."""

    uid: str
    location_id: str
    station_id: str
    status: Status = Status.UNKNOWN
    evse_id: str | None = None
    connectors: tuple[Connector, ...] = ()
    status_schedule: tuple[StatusSchedule, ...] = ()
    capabilities: tuple[str, ...] = ()
    floor_level: str | None = None
    coordinates: GeoLocation | None = None
    physical_reference: str | None = None
    directions: tuple[DisplayText, ...] = ()
    parking_restrictions: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    charging_behavior: str | None = None


class ConnectorState(Struct, frozen=True, omit_defaults=True):
    """What a station last said of one of its connectors (0 = the station as a whole)."""

    status: Status
    at: datetime
    error_code: str = "NoError"
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


class Boot(Struct, frozen=True, omit_defaults=True):
    """What a station said of itself when it booted (OCPP BootNotification)."""

    vendor: str = ""
    model: str = ""
    serial_number: str | None = None
    box_serial_number: str | None = None
    firmware_version: str | None = None
    iccid: str | None = None
    imsi: str | None = None
    meter_type: str | None = None
    meter_serial_number: str | None = None


class Station(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One charge station: a WebSocket identity. Journal kind `station`, key `id`; ids are unique in the instance."""

    id: str
    location_id: str
    evse_uids: tuple[str, ...] = ()
    password_hash: str | None = None  # HMAC under the instance key; None = no password
    connectors: dict[int, ConnectorState] = field(default_factory=dict)
    running: dict[int, str] = field(default_factory=dict)  # OCPP connector number → id of the session that runs there
    boot: Boot | None = None
    online: bool = False
    protocol: str | None = None  # the WebSocket sub-protocol of the last connection
    removed: bool = False
    details: dict[str, Any] = field(default_factory=dict)  # further Platform API station fields, as given


class Location(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is static about a place. Journal kind `location`, key `id`; its owner is the CPO."""

    id: str
    type: str
    address: str
    city: str
    postal_code: str
    country: str  # ISO 3166-1 alpha-3
    coordinates: GeoLocation
    time_zone: str
    publish: bool = True
    name: str | None = None
    access_type: str | None = None
    related_locations: tuple[AdditionalGeoLocation, ...] = ()
    directions: tuple[DisplayText, ...] = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    auth_rules: tuple[AuthRule, ...] = ()
    facilities: tuple[str, ...] = ()
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None
    images: tuple[Image, ...] = ()
    energy_mix: EnergyMix | None = None
    station_ids: tuple[str, ...] = ()
    evse_uids: tuple[str, ...] = ()  # in the order given, removed ones last
