"""Sessions of OCPI 2.1.1 (mod_sessions). Mind the spelling: `start_datetime`, but `start_date_time` in CDRs and periods."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chargewire.charging import session as domain
from chargewire.charging.location import Status
from chargewire.charging.session import Period
from chargewire.protocols.ocpi.moments import Stamp, moment, stamped
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.locations import Location, place_used
from chargewire.protocols.ocpi.v211.texts import clipped, hours, kwh, number

_encode = msgspec.json.Encoder().encode


class CdrDimension(Struct, frozen=True):
    """`volume` in kWh (ENERGY), hours (TIME, PARKING_TIME), A (MAX_CURRENT, MIN_CURRENT) or pieces (FLAT)."""

    type: words.CdrDimensionType
    volume: float


class ChargingPeriod(Struct, frozen=True):
    """A stretch of a session; it ends where the next one begins."""

    start_date_time: words.DateTime
    dimensions: Annotated[tuple[CdrDimension, ...], Meta(min_length=1)]


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`total_cost` excluding VAT; left out as long as nobody knows it."""

    id: words.Id36
    start_datetime: words.DateTime
    end_datetime: words.DateTime | None = None
    kwh: float
    auth_id: words.Id36
    auth_method: words.AuthMethod
    location: Location
    meter_id: words.Text255 | None = None
    currency: words.Currency
    charging_periods: tuple[ChargingPeriod, ...] = ()
    total_cost: float | None = None
    status: words.SessionStatus
    last_updated: words.DateTime


class SessionPatch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changes while the periods stay: a list in a PATCH would replace the whole list (2.1.1 mod_sessions)."""

    kwh: float
    total_cost: float | None = None
    end_datetime: words.DateTime | None = None
    status: words.SessionStatus
    last_updated: words.DateTime


def session(given: domain.Session, last_updated: Stamp) -> Session:
    """A session of ours, with all its periods so far."""
    started, stopped = given.started, given.stopped
    began = moment(started.at)
    return Session(
        id=given.id,
        start_datetime=began,
        end_datetime=moment(stopped.at) if stopped else None,
        kwh=kwh(given.energy_wh),
        auth_id=started.token.auth_id,
        auth_method=auth_method(started.auth_method),
        location=place_used(started.location, started.evse, started.connector, Status.CHARGING, began),
        meter_id=clipped(started.meter_id, 255),
        currency=started.currency,
        charging_periods=charging_periods(given.periods),
        total_cost=None if given.total_cost is None else number(given.total_cost),
        status=given.status.value,
        last_updated=stamped(last_updated),
    )


def session_json(given: domain.Session, last_updated: Stamp) -> bytes:
    """A session as it is listed and pushed."""
    return _encode(session(given, last_updated))


def session_patch(given: domain.Session, last_updated: Stamp) -> bytes:
    """What is told of a session that the receiver has, as long as its periods are the same."""
    return _encode(
        SessionPatch(
            kwh=kwh(given.energy_wh),
            total_cost=None if given.total_cost is None else number(given.total_cost),
            end_datetime=moment(given.stopped.at) if given.stopped else None,
            status=given.status.value,
            last_updated=stamped(last_updated),
        )
    )


def charging_periods(periods: Sequence[Period]) -> tuple[ChargingPeriod, ...]:
    """Periods by start; ENERGY and TIME where it charges, PARKING_TIME where it does not."""
    return tuple(ChargingPeriod(moment(period.start), tuple(_dimensions(period))) for period in periods)


def auth_method(ours: str) -> words.AuthMethod:
    """COMMAND came with 2.2: who started by command is known by a request."""
    return "WHITELIST" if ours == "WHITELIST" else "AUTH_REQUEST"


def _dimensions(period: Period) -> list[CdrDimension]:
    found = []
    if period.energy_wh or period.charging_s or not period.parking_s:
        found += [CdrDimension("ENERGY", kwh(period.energy_wh)), CdrDimension("TIME", hours(period.charging_s))]
    if period.parking_s:
        found.append(CdrDimension("PARKING_TIME", hours(period.parking_s)))
    if period.max_current_a is not None:
        found.append(CdrDimension("MAX_CURRENT", number(period.max_current_a)))
    if period.min_current_a is not None:
        found.append(CdrDimension("MIN_CURRENT", number(period.min_current_a)))
    return found
