"""What an operator may say of a location, its stations, EVSEs and connectors (OCPI 2.1.1 mod_locations, Platform API)."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from chargewire.charging.errors import Refused
from chargewire.charging.location import (
    AdditionalGeoLocation,
    AuthRule,
    BusinessDetails,
    DisplayText,
    EnergyMix,
    GeoLocation,
    Hours,
    Image,
    Location,
    StatusSchedule,
)
from chargewire.csms.clocks import check_time_zone

Text = Annotated[str, Meta(min_length=1, max_length=255)]
Key = Annotated[str, Meta(min_length=1, max_length=39, pattern=r"^[!-~]([ -~]*[!-~])?$")]
StationId = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[!-~]([ -~]*[!-~])?$")]

LocationType = Literal["ON_STREET", "PARKING_GARAGE", "UNDERGROUND_GARAGE", "PARKING_LOT", "OTHER", "UNKNOWN"]
AccessType = Literal["PUBLIC", "RESTRICTED", "PRIVATE"]
Facility = Literal[
    "HOTEL", "RESTAURANT", "CAFE", "MALL", "SUPERMARKET", "SPORT", "RECREATION_AREA", "NATURE", "MUSEUM", "BUS_STOP",
    "TAXI_STAND", "TRAIN_STATION", "AIRPORT", "CARPOOL_PARKING", "FUEL_STATION", "WIFI",
    "BUSINESS", "EDUCATION", "FINANCE", "HEALTH", "OTHER", "SERVICE", "STORE",
]  # fmt: skip
Capability = Literal[
    "CHARGING_PROFILE_CAPABLE", "CREDIT_CARD_PAYABLE", "REMOTE_START_STOP_CAPABLE",
    "RESERVABLE", "RFID_READER", "UNLOCK_CAPABLE",
]  # fmt: skip
ParkingRestriction = Literal["EV_ONLY", "PLUGGED", "DISABLED", "CUSTOMERS", "MOTORCYCLES"]
ChargingBehavior = Literal[
    "URBAN_CHARGING", "FAST_CHARGING", "MIXED_CHARGING", "NOISE_CHARGING", "OVERNIGHT_CHARGING", "OFFICE_CHARGING"
]
Standard = Literal[
    "CHADEMO", "DOMESTIC_A", "DOMESTIC_B", "DOMESTIC_C", "DOMESTIC_D", "DOMESTIC_E", "DOMESTIC_F", "DOMESTIC_G", "DOMESTIC_H",
    "DOMESTIC_I", "DOMESTIC_J", "DOMESTIC_K", "DOMESTIC_L", "IEC_60309_2_single_16", "IEC_60309_2_three_16",
    "IEC_60309_2_three_32", "IEC_60309_2_three_64", "IEC_62196_T1", "IEC_62196_T1_COMBO", "IEC_62196_T2",
    "IEC_62196_T2_COMBO", "IEC_62196_T3A", "IEC_62196_T3C", "TESLA_R", "TESLA_S",
]  # fmt: skip


class ConnectorInput(Struct, frozen=True, kw_only=True):
    """One plug or socket. `id` counts within the EVSE if left out, `connector_id` (OCPP) through the station's EVSEs."""

    standard: Standard
    format: Literal["SOCKET", "CABLE"]
    power_type: Literal["AC_1_PHASE", "AC_3_PHASE", "DC"]
    voltage: Annotated[int, Meta(ge=0, le=10_000, description="V, line to neutral for AC_3_PHASE")]
    amperage: Annotated[int, Meta(ge=0, le=10_000, description="A")]
    id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    connector_id: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_electric_power: Annotated[int, Meta(ge=0, description="W")] | None = None
    tariff_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    reimbursement_tariff_id: Annotated[str, Meta(min_length=1, max_length=36)] | None = None
    terms_and_conditions: Text | None = None


class EvseInput(Struct, frozen=True, kw_only=True):
    """One EVSE. `uid` is `{country}-{party}-E{station}-{n}` if left out, `evse_id` the same with `*`."""

    connectors: Annotated[tuple[ConnectorInput, ...], Meta(min_length=1)]
    uid: Key | None = None
    evse_id: Annotated[str, Meta(min_length=1, max_length=48)] | None = None
    evse_sequence_number: int | None = None
    status_schedule: tuple[StatusSchedule, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    floor_level: Annotated[str, Meta(max_length=4)] | None = None
    coordinates: GeoLocation | None = None
    physical_reference: Annotated[str, Meta(max_length=16)] | None = None
    directions: tuple[DisplayText, ...] = ()
    parking_restrictions: tuple[ParkingRestriction, ...] = ()
    images: tuple[Image, ...] = ()
    charging_behavior: ChargingBehavior | None = None


class StationDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of the Platform API's charge station that are kept as given."""

    name: str | None = None
    deploy_state: Literal["Stock", "Production", "Deprecated"] | None = None
    installation_date: str | None = None
    default_charge_station_tariff_id: str | None = None
    default_charge_station_reimbursement_tariff_id: str | None = None
    default_charge_station_directions: tuple[DisplayText, ...] = ()
    default_charge_station_floor_level: str | None = None
    driver_id: str | None = None
    customer_id: str | None = None
    maintenance_info: str | None = None
    remarks: str | None = None
    contactless_type: str | None = None
    contactless_terminal_serial_number: str | None = None
    contactless_terminal_auth_amount: float | None = None
    tap_to_stop: bool | None = None
    stop_on_parking: bool | None = None
    status_schedule: tuple[StatusSchedule, ...] = ()
    auth_rules: tuple[AuthRule, ...] = ()
    grid_connection_id: str | None = None
    dynamic_time_based_tariffs: Any = None
    time_of_use_tariffs: Any = None
    exclude_vat: bool | None = None
    charger_type: Literal["Public", "Home", "Business"] | None = None
    charge_station_template_id: str | None = None
    created_by: str | None = None
    modified_by: str | None = None


class StationInput(StationDetails, frozen=True, kw_only=True):
    """One charge station, `id` is its WebSocket identity. `password`: null for none, left out to keep what is set."""

    id: StationId
    evses: tuple[EvseInput, ...] = ()
    password: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType | None = UNSET

    def details(self) -> dict[str, Any]:
        """What is kept as given, without what was left out."""
        given = msgspec.to_builtins(self)
        return {name: given[name] for name in StationDetails.__struct_fields__ if name in given}


class LocationInput(Struct, frozen=True, kw_only=True):
    """One location with all that stands there; an EVSE or a station that is left out is REMOVED."""

    cpo: str
    address: Text
    city: Text
    postal_code: Annotated[str, Meta(min_length=1, max_length=10)]
    country: Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 3166-1 alpha-3")]
    coordinates: GeoLocation
    type: LocationType = "UNKNOWN"
    id: str | None = None
    name: Text | None = None
    time_zone: str | None = None
    publish: bool = True
    access_type: AccessType | None = None
    related_locations: tuple[AdditionalGeoLocation, ...] = ()
    directions: tuple[DisplayText, ...] = ()
    operator: BusinessDetails | None = None
    suboperator: BusinessDetails | None = None
    owner: BusinessDetails | None = None
    auth_rules: tuple[AuthRule, ...] = ()
    facilities: tuple[Facility, ...] = ()
    opening_times: Hours | None = None
    charging_when_closed: bool | None = None
    images: tuple[Image, ...] = ()
    energy_mix: EnergyMix | None = None
    stations: tuple[StationInput, ...] = ()

    def location(self, location_id: str, default_time_zone: str) -> Location:
        """The location without what stands there. Raises Refused."""
        given = {name: getattr(self, name) for name in Location.__struct_fields__ if name in LocationInput.__struct_fields__}
        given |= {"id": location_id, "time_zone": self.time_zone or default_time_zone}
        location = Location(**given)
        check_time_zone(location.time_zone, "time_zone")
        _check_coordinates(self.coordinates, "coordinates")
        for index, related in enumerate(self.related_locations):
            _check_coordinates(related, f"related_locations[{index}]")
        return location


def _check_coordinates(place: GeoLocation | AdditionalGeoLocation, field: str) -> None:
    for name, text, most in (("latitude", place.latitude, 90), ("longitude", place.longitude, 180)):
        whole, _, decimals = text.lstrip("-").partition(".")
        digits = whole.isascii() and whole.isdigit() and (not decimals or (decimals.isascii() and decimals.isdigit()))
        if not digits or len(text) > 16 or abs(float(text)) > most:
            raise Refused(f"must be decimal degrees up to {most}, as text", f"{field}.{name}")
