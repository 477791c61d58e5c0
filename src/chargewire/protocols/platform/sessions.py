"""Sessions as the Platform API writes them, and the patches by which a running one is told."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from chargewire.charging.location import Connector, Status
from chargewire.charging.location import Evse as DomainEvse
from chargewire.charging.location import Location as DomainLocation
from chargewire.charging.session import Period
from chargewire.charging.session import Session as DomainSession
from chargewire.protocols.platform.moments import Stamp, hours, kwh, moment, number, stamped
from chargewire.protocols.platform.places import Location, StampedEvse, location

_encode = msgspec.json.Encoder().encode
PatchKind = Literal["compact", "full", "parking", "end"]


class Dimension(Struct, frozen=True):
    """`volume` in kWh (ENERGY), hours (TIME, PARKING_TIME) or A (MAX_CURRENT, MIN_CURRENT)."""

    type: str
    volume: float


class ChargingPeriod(Struct, frozen=True):
    """A stretch of a session; it ends where the next one begins."""

    start_date_time: str
    dimensions: tuple[Dimension, ...]


class Session(Struct, frozen=True, kw_only=True):
    """A charging session. `location` is cut down to the EVSE and the connector that are used."""

    id: str
    start_datetime: str
    end_datetime: str | None
    kwh: float
    auth_id: str
    auth_method: str
    location: Location
    meter_id: str | None
    currency: str
    charging_periods: tuple[ChargingPeriod, ...] | None
    total_cost: float | None
    status: str
    authorization_id: str | None = None
    vid: str | None
    state_of_charge: int | None
    last_updated: str


class CompactPatch(Struct, frozen=True, kw_only=True):
    id: str
    start_datetime: str
    kwh: float
    status: str
    last_updated: str


class FullPatch(CompactPatch, frozen=True, kw_only=True):
    charging_periods: tuple[ChargingPeriod, ...]


class EndPatch(FullPatch, frozen=True, kw_only=True):
    end_datetime: str | None
    total_cost: float | None


def charging_periods(periods: Sequence[Period]) -> tuple[ChargingPeriod, ...]:
    """Periods by start; ENERGY and TIME where it charges, PARKING_TIME where it does not."""
    return tuple(ChargingPeriod(moment(period.start), tuple(_dimensions(period))) for period in periods)


def place_used(place: DomainLocation, evse: DomainEvse, connector: Connector, status: Status, at: Stamp) -> Location:
    """A location cut down to what a session uses, as it was when the session began."""
    used = msgspec.structs.replace(evse, connectors=(connector,), status=status, location_id=place.id)
    return location(place, (StampedEvse(used, at),), at)


def session(given: DomainSession, last_updated: Stamp, *, periods: bool = True) -> Session:
    """A session; without `periods` it has its totals only."""
    started, stopped = given.started, given.stopped
    began = moment(started.at)
    return Session(
        id=given.id,
        start_datetime=began,
        end_datetime=moment(stopped.at) if stopped else None,
        kwh=kwh(given.energy_wh),
        auth_id=started.token.auth_id,
        auth_method=started.auth_method,
        location=place_used(started.location, started.evse, started.connector, Status.CHARGING, began),
        meter_id=started.meter_id,
        currency=started.currency,
        charging_periods=(charging_periods(given.periods) or None) if periods else None,
        total_cost=number(given.total_cost),
        status=given.status.value,
        vid=given.vid,
        state_of_charge=given.state_of_charge,
        last_updated=stamped(last_updated),
    )


def session_json(given: DomainSession, last_updated: Stamp, *, periods: bool = True) -> bytes:
    """A session as it is listed and pushed."""
    return _encode(session(given, last_updated, periods=periods))


def session_patch(given: DomainSession, kind: PatchKind, last_updated: Stamp) -> bytes:
    """What is told of a session that the receiver has: only totals, or with all periods so far, or its end.

    `kwh` is cumulative and in each of them; periods are always all of them, so that a lost patch leaves no gap.
    """
    known = {
        "id": given.id,
        "start_datetime": moment(given.started.at),
        "kwh": kwh(given.energy_wh),
        "status": given.status.value,
        "last_updated": stamped(last_updated),
    }
    if kind == "compact":
        return _encode(CompactPatch(**known))  # type: ignore[arg-type]
    periods = charging_periods(given.periods)
    if kind == "end":
        end = moment(given.stopped.at) if given.stopped else None
        cost = number(given.total_cost)
        return _encode(EndPatch(**known, charging_periods=periods, end_datetime=end, total_cost=cost))  # type: ignore[arg-type]
    return _encode(FullPatch(**known, charging_periods=periods))  # type: ignore[arg-type]


def _dimensions(period: Period) -> list[Dimension]:
    found = []
    if period.energy_wh or period.charging_s or not period.parking_s:
        found += [Dimension("ENERGY", kwh(period.energy_wh)), Dimension("TIME", hours(period.charging_s))]
    if period.parking_s:
        found.append(Dimension("PARKING_TIME", hours(period.parking_s)))
    if period.max_current_a is not None:
        found.append(Dimension("MAX_CURRENT", float(round(period.max_current_a, 4))))
    if period.min_current_a is not None:
        found.append(Dimension("MIN_CURRENT", float(round(period.min_current_a, 4))))
    return found
