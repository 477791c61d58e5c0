"""A charging session: what follows from its start, its readings and its stop, in whatever order they came."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from chargewire.charging.location import Connector, Evse, Location
from chargewire.charging.tariff import Tariff
from chargewire.charging.token import TokenRef


class SessionStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"


class Started(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a session began, with what was true of its place, token and price at that moment (frozen for the CDR)."""

    session_id: str
    station_id: str
    connector_number: int  # OCPP connectorId
    transaction_id: str  # unique per station; OCPP 1.6: a positive int32 of ours
    at: datetime  # the station's clock, corrected
    register_wh: int | None
    token: TokenRef
    token_accepted: bool
    auth_method: str  # AUTH_REQUEST (its eMSP said so, or asked for it by command) | WHITELIST
    location: Location
    evse: Evse
    connector: Connector
    currency: str
    meter_id: str | None = None
    tariff: Tariff | None = None  # wholesale, as valid at the start
    retail_tariff: Tariff | None = None  # what the driver pays, likewise
    reimbursement_tariff: Tariff | None = None  # what the owner of the connector gets, likewise


class Stopped(Struct, frozen=True, kw_only=True, omit_defaults=True):
    at: datetime
    register_wh: int | None
    reason: str = "Local"
    token_uid: str | None = None
    abnormal: bool = False  # closed by us, from the last reading


class Period(Struct, frozen=True, omit_defaults=True):
    """A stretch of a session within one clock quarter of an hour (UTC): charging, or parking; it ends where the next begins."""

    start: datetime
    energy_wh: int = 0
    charging_s: int = 0
    parking_s: int = 0
    min_current_a: Decimal | None = None
    max_current_a: Decimal | None = None
    max_power_w: int | None = None


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session as known. Journal kind `session`, owner = the CPO, key = `id`, state = `status`."""

    id: str
    status: SessionStatus
    started: Started
    energy_wh: int = 0
    periods: tuple[Period, ...] = ()
    stopped: Stopped | None = None
    parked_since: datetime | None = None  # now parking (energy stopped flowing) since then
    last_reading_at: datetime | None = None
    state_of_charge: int | None = None  # percent, DC only
    vid: str | None = None
    total_cost: Decimal | None = None  # excluding VAT
    flags: tuple[str, ...] = ()  # what people should look at: "register-fell", "late-reading", "no-tariff" …
