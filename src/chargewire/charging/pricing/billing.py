"""Which element prices how much of each dimension: a session, or a reservation, becomes a bill of amounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from chargewire.charging.pricing.local_time import LocalClock
from chargewire.charging.pricing.rules import Moment, Offer, Rules
from chargewire.charging.pricing.stretches import US, Stretch, cut_stretches, micros, parking_begins
from chargewire.charging.session import Period

UNITS = {"ENERGY": 1000 * US, "TIME": 3600 * US, "PARKING_TIME": 3600 * US, "FLAT": 1}  # of an amount, per unit of the price
TIMES = ("TIME", "PARKING_TIME")
DUST = 1_000  # mWh, ms: what cuts may leave over a full step


class Amount(Struct, gc=False):
    """How much of a dimension one offer prices: µWh, µs, or 1 for FLAT; `begin` and `last` are in µs of the epoch."""

    offer: Offer
    begin: int
    last: int
    amount: int = 0
    added: int = 0  # of it, by rounding up to whole steps


Bill = dict[tuple[str, int], Amount]  # by dimension and element


class Traced(NamedTuple):
    """A stretch that an element prices."""

    dimension: str
    element: int
    reserved: bool
    begin: int
    end: int
    amount: int


Trace = list[Traced]


def bill_of(rules: Rules, periods: Sequence[Period], ended_at: datetime, time_zone: str, trace: Trace | None = None) -> Bill:
    """The amounts that the rules price, whole steps included; none without a period. `trace` is told of each stretch."""
    bill: Bill = {}
    if periods and rules.any:
        if rules.plain and trace is None:
            _sum_up(bill, rules, periods, ended_at)
        else:
            _walk(bill, rules, periods, ended_at, time_zone, trace)
        _round_up(bill, ("ENERGY",))
        _round_up(bill, TIMES)
    return bill


def _sum_up(bill: Bill, rules: Rules, periods: Sequence[Period], ended_at: datetime) -> None:
    """Without restrictions only the sums matter."""
    if rules.offers["FLAT"]:
        _add(bill, "FLAT", rules.offers["FLAT"][0], micros(periods[0].start), 1)
    sums: dict[str, list[int]] = {}
    for number, period in enumerate(periods):
        for dimension, amount in (
            ("ENERGY", period.energy_wh),
            ("TIME", period.charging_s),
            ("PARKING_TIME", period.parking_s),
        ):
            if amount:
                total = sums.setdefault(dimension, [0, number, number])
                total[0] += amount
                total[2] = number
    for dimension, (amount, first, last) in sums.items():
        if rules.offers[dimension]:
            offer = rules.offers[dimension][0]
            until = periods[first + 1].start if first + 1 < len(periods) else ended_at
            parking = dimension == "PARKING_TIME"
            begin = parking_begins(periods[first], micros(until)) if parking else micros(periods[first].start)
            _add(bill, dimension, offer, begin, amount * US)
            # within one period charging comes before parking
            bill[dimension, offer.element].last = 2 * last + parking


def _walk(bill: Bill, rules: Rules, periods: Sequence[Period], ended_at: datetime, time_zone: str, trace: Trace | None) -> None:
    """With restrictions each stretch is matched, unless what holds cannot have changed since the one before."""
    begin = micros(periods[0].start)
    end = max(micros(ended_at), micros(periods[-1].start))
    clock = LocalClock(time_zone, begin // US, end // US) if rules.needs_clock else None
    used, flat = 0, not rules.offers["FLAT"]
    chosen: dict[str, Offer | None] = {}
    for stretch in cut_stretches(periods, ended_at, rules, clock):
        if stretch.fresh or not rules.steady:
            local_s = clock.local_s(stretch.begin // US) if clock else 0
            now = Moment(local_s, used, stretch.begin - begin, stretch.power_mw, stretch.current_ma)
            chosen = {dimension: _match(offers, now) for dimension, offers in rules.offers.items()}
            if not flat and (offer := chosen["FLAT"]):
                flat = True
                _price(bill, "FLAT", offer, stretch, 1, trace)
        if stretch.energy:
            if offer := chosen["ENERGY"]:
                _price(bill, "ENERGY", offer, stretch, stretch.energy, trace)
            used += stretch.energy
        if stretch.time_us and (offer := chosen[TIMES[stretch.parking]]):
            _price(bill, TIMES[stretch.parking], offer, stretch, stretch.time_us, trace)


def _match(offers: tuple[Offer, ...], now: Moment) -> Offer | None:
    """The first offer that matches."""
    for offer in offers:
        if offer.rule is None or offer.rule.matches(now):
            return offer
    return None


def _price(bill: Bill, dimension: str, offer: Offer, stretch: Stretch, amount: int, trace: Trace | None) -> None:
    _add(bill, dimension, offer, stretch.begin, amount)
    if trace is not None:
        end = stretch.begin if dimension == "FLAT" else stretch.end
        trace.append(Traced(dimension, offer.element, offer.reserved, stretch.begin, end, amount))


def _add(bill: Bill, dimension: str, offer: Offer, begin: int, amount: int) -> None:
    line = bill.get((dimension, offer.element))
    if line is None:
        line = bill[dimension, offer.element] = Amount(offer, begin, begin)
    line.amount += amount
    line.last = begin


def _round_up(bill: Bill, dimensions: tuple[str, ...]) -> None:
    """Round up to whole steps, once, what was priced last; what is added is priced like the last part of it."""
    keys = [key for key in bill if key[0] in dimensions]
    if not keys:
        return
    last = max(keys, key=lambda key: (bill[key].last, key[0] == "PARKING_TIME"))
    total = sum(bill[key].amount for key in keys if key[0] == last[0])
    amount = bill[last]
    amount.added = stepped(total, amount.offer.component.step_size * US) - total  # step_size is in Wh or s
    amount.amount += amount.added


def stepped(amount: int, step: int) -> int:
    """An amount in whole steps, rounded up; 0: no steps."""
    return max(-((DUST - amount) // step) * step, amount) if step > 0 else amount
