"""Charge detail records of OCPI 2.1.1 (mod_cdrs). There is no credit in this version: one that replaces another says so."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chargewire.charging import cdr as domain
from chargewire.charging.correcting import remark_of
from chargewire.charging.location import Status
from chargewire.charging.session import Period
from chargewire.charging.settling import Amounts, Stated
from chargewire.protocols.ocpi.moments import Stamp, moment, stamped
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.locations import Location, place_used
from chargewire.protocols.ocpi.v211.sessions import CdrDimension, ChargingPeriod, auth_method, charging_periods
from chargewire.protocols.ocpi.v211.tariffs import Tariff, tariff, tariff_of
from chargewire.protocols.ocpi.v211.texts import clipped, hours, kwh, number

NOTHING = Decimal(0)
_encode = msgspec.json.Encoder().encode


class Cdr(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Costs excluding VAT, energy in kWh, times in hours; `total_time` is charging and not charging."""

    id: words.Id36
    start_date_time: words.DateTime
    stop_date_time: words.DateTime
    auth_id: words.Id36
    auth_method: words.AuthMethod
    location: Location
    meter_id: words.Text255 | None = None
    currency: words.Currency
    tariffs: tuple[Tariff, ...] = ()
    charging_periods: Annotated[tuple[ChargingPeriod, ...], Meta(min_length=1)]
    total_cost: float
    total_energy: float
    total_time: float
    total_parking_time: float | None = None
    remark: words.Text255 | None = None
    last_updated: words.DateTime


def cdr(given: domain.Cdr, last_updated: Stamp) -> Cdr:
    """A CDR of ours. Raises ValueError for a credit, which 2.1.1 cannot say."""
    if given.credit:
        raise ValueError(f"{given.id} is a credit")
    began = moment(given.start)
    nothing = ChargingPeriod(began, (CdrDimension("ENERGY", kwh(given.energy_wh)), CdrDimension("TIME", 0.0)))
    return Cdr(
        id=given.id,
        start_date_time=began,
        stop_date_time=moment(given.stop),
        auth_id=given.token.auth_id,
        auth_method=auth_method(given.auth_method),
        location=place_used(given.location, given.evse, given.connector, Status.AVAILABLE, began),
        meter_id=clipped(given.meter_id, 255),
        currency=given.currency,
        tariffs=(tariff(given.tariff, began),) if given.tariff else (),
        charging_periods=charging_periods(given.periods) or (nothing,),
        total_cost=number(given.cost.excl_vat),
        total_energy=kwh(given.energy_wh),
        total_time=hours(given.total_time_s),
        total_parking_time=hours(given.parking_time_s),
        remark=_remark(given),
        last_updated=stamped(last_updated),
    )


def cdr_json(given: domain.Cdr, last_updated: Stamp) -> bytes:
    """A CDR as it is listed and pushed. Raises ValueError for a credit."""
    return _encode(cdr(given, last_updated))


def _remark(given: domain.Cdr) -> str | None:
    """If there is not room for all of it, that of the CDR itself: half an address leads nowhere."""
    said = remark_of(given)
    return clipped(said if said is None or len(said) <= 255 else given.remark, 255)


def periods_of(given: Cdr) -> tuple[tuple[Period, ...], datetime]:
    """The course of a partner's session as its CDR tells it, in order, and when it ended.

    Energy is rounded to Wh so that the sum of it stays right; each time to the second that it was written from.
    """
    ordered = sorted(given.charging_periods, key=lambda each: _at(each.start_date_time))
    volumes = [_volumes(each.dimensions) for each in ordered]
    so_far = [round(wh) for wh in accumulate((each.get("ENERGY", NOTHING) * 1000 for each in volumes), initial=NOTHING)]
    periods = tuple(
        _period_of(_at(each.start_date_time), after - before, volume)
        for each, volume, (before, after) in zip(ordered, volumes, pairwise(so_far), strict=True)
    )
    return periods, _at(given.stop_date_time)


def stated_of(given: Cdr) -> Stated:
    """What a partner's CDR says, to be settled. The place is that of its one EVSE."""
    periods, stop = periods_of(given)
    evses = given.location.evses
    return Stated(
        id=given.id,
        auth_id=given.auth_id,
        location_id=given.location.id,
        evse_uid=evses[0].uid if len(evses) == 1 else "",
        time_zone=given.location.time_zone,
        start=_at(given.start_date_time),
        stop=stop,
        currency=given.currency,
        totals=Amounts(
            energy=_decimal(given.total_energy),
            time=_decimal(given.total_time),
            parking_time=None if given.total_parking_time is None else _decimal(given.total_parking_time),
            cost=_decimal(given.total_cost),
        ),
        sums=_sums(given.charging_periods),
        periods=periods,
        tariffs=tuple(tariff_of(each) for each in given.tariffs),
    )


def _sums(periods: Sequence[ChargingPeriod]) -> Amounts:
    """What periods add up to; None for what none of them speaks of: some list only what their tariff prices."""
    volumes = [_volumes(each.dimensions) for each in periods]
    said = {dimension for each in volumes for dimension in each}

    def added(*dimensions: str) -> Decimal | None:
        amounts = [each.get(dimension, NOTHING) for each in volumes for dimension in dimensions]
        return sum(amounts, NOTHING) if said.intersection(dimensions) else None

    timed = said.intersection(("TIME", "PARKING_TIME"))
    return Amounts(
        energy=added("ENERGY"),
        time=added("TIME", "PARKING_TIME"),
        parking_time=added("PARKING_TIME") or (NOTHING if timed else None),
    )


def _period_of(start: datetime, energy_wh: int, volume: dict[str, Decimal]) -> Period:
    return Period(
        start=start,
        energy_wh=energy_wh,
        charging_s=round(volume.get("TIME", Decimal(0)) * 3600),
        parking_s=round(volume.get("PARKING_TIME", Decimal(0)) * 3600),
        min_current_a=volume.get("MIN_CURRENT"),
        max_current_a=volume.get("MAX_CURRENT"),
    )


def _volumes(dimensions: Sequence[CdrDimension]) -> dict[str, Decimal]:
    """Volumes by type; some say a dimension twice (their periods list each once more), which counts once."""
    return {each.type: _decimal(each.volume) for each in dimensions}


def _decimal(number: float) -> Decimal:
    """A number as it was written."""
    return Decimal(repr(number))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
