"""Settling a CDR that a partner sent: whether its sums are its totals, and its cost is what its own tariff gives.

A difference is a flag with its amounts, for people to look at. It never refuses a CDR: what it costs is between two companies.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from chargewire.charging import flags
from chargewire.charging.errors import Refused
from chargewire.charging.pricing import check_tariff, price
from chargewire.charging.pricing.currency import smallest_unit
from chargewire.charging.pricing.rules import rules_of
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff

WRITTEN = Decimal("0.0001")  # numbers have four decimals (OCPI 2.1.1 types), rounded or cut off
CLOCK_SLACK = timedelta(minutes=5)  # of a partner's clock
LONGEST = timedelta(days=366)  # a CDR that spans more is a slip of its times, not a session
WHOLE_SECOND_H = Decimal("0.001")  # times are whole seconds: both ends of a session may be off by one
MOST_EFFORT = 5_000_000  # less than a second; a month by a price for each hour of the week needs 4 million


class Amounts(Struct, frozen=True, kw_only=True):
    """Energy in kWh, times in hours, cost excluding VAT. None: not said, or not known."""

    energy: Decimal | None = None
    time: Decimal | None = None  # charging and not charging
    parking_time: Decimal | None = None
    cost: Decimal | None = None


class Stated(Struct, frozen=True, kw_only=True):
    """What a partner's CDR says, in our words. `sums`: what its periods add up to; None where none of them says anything."""

    id: str
    auth_id: str
    location_id: str
    evse_uid: str  # "" if it is not said which
    time_zone: str | None
    start: datetime
    stop: datetime
    currency: str
    totals: Amounts
    sums: Amounts
    periods: tuple[Period, ...]
    tariffs: tuple[Tariff, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that does not fit, in words and numbers as text. `recomputed` is what we would have expected in the field."""

    flag: str
    meaning: str
    field: str
    stated: str
    recomputed: str | None


class Settlement(Struct, frozen=True, kw_only=True):
    """What a CDR states, what we make of it, and how they differ. `not_recomputed`: why there is no cost to compare with."""

    stated: Amounts
    recomputed: Amounts
    differences: tuple[Difference, ...]
    not_recomputed: str | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.flag for each in self.differences))


class NotRecomputed(Exception):
    """Why a cost cannot be worked out."""


def settled(stated: Stated, heard_at: datetime) -> Settlement:
    """The check of a CDR that was heard at a moment by what it says itself."""
    cost, why = None, None
    try:
        cost = recomputed_cost(stated)
    except NotRecomputed as error:
        why = str(error)
    found = [*_wrong_times(stated, heard_at), *_wrong_sums(stated), *_wrong_currency(stated), *_wrong_cost(stated, cost)]
    return Settlement(
        stated=stated.totals,
        recomputed=Amounts(energy=stated.sums.energy, time=stated.sums.time, parking_time=stated.sums.parking_time, cost=cost),
        differences=tuple(found),
        not_recomputed=why,
    )


def effort(stated: Stated) -> int:
    """At most how many offers are looked at to work a cost out: a partner may send any tariff, and a session of any length."""
    elements = [element for tariff in stated.tariffs for element in tariff.elements]
    cuts = 2 * len(elements) * (_span(stated).days + 2)  # where the times of day of each begin and end
    return (len(stated.periods) + cuts) * (10 + sum(1 + len(each.price_components) for each in elements))


def recomputed_cost(stated: Stated) -> Decimal:
    """What the session costs by its tariff, excluding VAT. Raises NotRecomputed."""
    if len(stated.tariffs) != 1:
        raise NotRecomputed("it names no tariff" if not stated.tariffs else "it names several tariffs")
    tariff = stated.tariffs[0]
    if tariff.currency != stated.currency:
        raise NotRecomputed("its tariff is in another currency")
    if stated.stop < stated.start or _span(stated) > LONGEST:
        raise NotRecomputed("its times make no sense")
    if effort(stated) > MOST_EFFORT:
        raise NotRecomputed("its tariff has too many elements for a session that long")
    try:
        check_tariff(tariff)
        if stated.time_zone is None and rules_of(tariff.elements).needs_clock:
            raise NotRecomputed("its tariff is about local time, and the time zone of the location is not known")
        return price(tariff, stated.periods, stated.stop, stated.time_zone or "UTC").excl_vat
    except (Refused, ArithmeticError) as error:
        raise NotRecomputed(f"its tariff cannot be priced by: {error}") from error


def difference(flag: str, field: str, stated: Decimal | str, recomputed: Decimal | str | None = None) -> Difference:
    """A difference, with what its flag means."""
    return Difference(
        flag=flag,
        meaning=flags.SETTLEMENT[flag],
        field=field,
        stated=str(stated),
        recomputed=None if recomputed is None else str(recomputed),
    )


def _span(stated: Stated) -> timedelta:
    """From the first to the last moment that it names."""
    moments = [stated.start, stated.stop, *(period.start for period in stated.periods)]
    return max(moments) - min(moments)


def _wrong_times(stated: Stated, heard_at: datetime) -> list[Difference]:
    begin, end = stated.start, stated.stop
    if end < begin or end - begin > LONGEST or end > heard_at + CLOCK_SLACK:
        return [difference(flags.SETTLE_TIMES, "stop_date_time", end.isoformat())]
    outside = next((period.start for period in stated.periods if not begin <= period.start <= end), None)
    if outside is not None:
        return [difference(flags.SETTLE_TIMES, "charging_periods.start_date_time", outside.isoformat())]
    lasted = Decimal((end - begin) // timedelta(seconds=1)) / 3600
    if stated.totals.time is not None and stated.totals.time > lasted + WHOLE_SECOND_H:
        return [difference(flags.SETTLE_TIMES, "total_time", stated.totals.time, round(lasted, 4))]
    return []


def _wrong_sums(stated: Stated) -> list[Difference]:
    """Sums are off by what each number may have lost when it was written."""
    slack = WRITTEN * (len(stated.periods) + 1)
    totals, sums = stated.totals, stated.sums
    compared = (
        (flags.SETTLE_ENERGY, "total_energy", totals.energy, sums.energy),
        (flags.SETTLE_TIME, "total_time", totals.time, sums.time),
        (flags.SETTLE_PARKING, "total_parking_time", totals.parking_time, sums.parking_time),
    )
    return [
        difference(flag, field, total, added)
        for flag, field, total, added in compared
        if total is not None and added is not None and abs(total - added) > slack
    ]


def _wrong_currency(stated: Stated) -> list[Difference]:
    others = [tariff.currency for tariff in stated.tariffs if tariff.currency != stated.currency]
    return [difference(flags.SETTLE_CURRENCY, "currency", stated.currency, others[0])] if others else []


def _wrong_cost(stated: Stated, cost: Decimal | None) -> list[Difference]:
    """By more than the smallest unit of the currency: partners round each line, or the total, as they like."""
    total = stated.totals.cost
    if cost is None or total is None or abs(total - cost) <= smallest_unit(stated.currency):
        return []
    return [difference(flags.SETTLE_COST, "total_cost", total, cost)]
