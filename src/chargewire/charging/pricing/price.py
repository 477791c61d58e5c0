"""The price of a session.

Of the elements the first that matches *and has a component of the dimension* prices it, for each dimension by itself: so
OCPI 2.2.1 makes clear what 2.1.1 words per tariff, and the complex example of 2.1.1 needs it (its FLAT element comes first
and has no restrictions). Where elements begin or cease to match inside a period, the period is cut there.

- ENERGY is priced per kWh, TIME per hour in which energy flows, PARKING_TIME per hour in which none does. A tariff without
  PARKING_TIME does not price parking: OCPI's TIME is time charging, whatever some back offices make of it.
- FLAT is charged once a session, by the first FLAT component that matches, at the first moment that one does.
- min_kwh and min_duration hold from the value on, max_kwh and max_duration until just before it; so do the powers, of which
  a period has its average while charging, and parking none.
- step_size rounds up once a session: the total energy to the step of the last energy priced; and of the two kinds of time
  the one that was priced last, in total, to the step of its last part (OCPI 2.2.1 mod_tariffs, step_size). What is added
  costs what the last part costs. Time and energy that nothing prices do not count. 0 means no steps.
- Money is rounded half up, once, at the end, to cents.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from chargewire.charging.cdr import Cost, LineItem
from chargewire.charging.pricing.local_time import EPOCH, LocalClock
from chargewire.charging.pricing.rules import Moment, Offer, Rules, rules_of
from chargewire.charging.pricing.stretches import US, cut_stretches, micros
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff

CENT = Decimal("0.01")
FINE = Decimal("0.000000001")
GRAIN = Decimal("0.000001")  # cuts between µWh and µs leave less than this; it must not decide over half a cent
UNITS = {"ENERGY": 1000 * US, "TIME": 3600 * US, "PARKING_TIME": 3600 * US, "FLAT": 1}  # of an amount, per unit of the price
STEPS = {"ENERGY": US, "TIME": US, "PARKING_TIME": US}  # of an amount, per unit of step_size: µWh, µs
TIMES = ("TIME", "PARKING_TIME")
DUST = 1_000  # mWh, ms: what cuts may leave over a full step


class Amount(Struct):
    """How much of a dimension one offer prices: µWh, µs, or 1 for FLAT; `begin` and `last` are in µs of the epoch."""

    offer: Offer
    begin: int
    last: int
    amount: int = 0


Bill = dict[tuple[str, int], Amount]  # by dimension and element


def price(tariff: Tariff, periods: Sequence[Period], ended_at: datetime, time_zone: str) -> Cost:
    """What the periods of a session that ended at `ended_at` cost at a place in `time_zone`. Raises Refused (check_tariff).

    Without a period nothing began, and it costs nothing.
    """
    rules = rules_of(tariff.elements)
    bill: Bill = {}
    if periods:
        (_sum_up if rules.plain else _walk)(bill, rules, periods, ended_at, time_zone)
        _round_up(bill, ("ENERGY",))
        _round_up(bill, TIMES)
    return _cost(tariff, sorted(bill.items(), key=lambda item: (item[1].begin, item[0][1])))


def _sum_up(bill: Bill, rules: Rules, periods: Sequence[Period], ended_at: datetime, time_zone: str) -> None:
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
            _add(bill, dimension, rules.offers[dimension][0], micros(periods[first].start), amount * US)
            # within one period charging comes before parking
            bill[dimension, rules.offers[dimension][0].element].last = 2 * last + (dimension == "PARKING_TIME")


def _walk(bill: Bill, rules: Rules, periods: Sequence[Period], ended_at: datetime, time_zone: str) -> None:
    """With restrictions each stretch is matched."""
    begin = micros(periods[0].start)
    end = max(micros(ended_at), micros(periods[-1].start))
    clock = LocalClock(time_zone, begin // US, end // US) if rules.needs_clock else None
    used, flat = 0, False
    for stretch in cut_stretches(periods, ended_at, rules, clock):
        local_s = clock.local_s(stretch.begin // US) if clock else 0
        now = Moment(local_s, used, stretch.begin - begin, stretch.power_mw)
        if not flat:
            flat = _match(bill, "FLAT", rules, now, stretch.begin, 1)
        if stretch.energy:
            _match(bill, "ENERGY", rules, now, stretch.begin, stretch.energy)
        if stretch.time_us:
            _match(bill, TIMES[stretch.parking], rules, now, stretch.begin, stretch.time_us)
        used += stretch.energy


def _match(bill: Bill, dimension: str, rules: Rules, now: Moment, begin: int, amount: int) -> bool:
    """Let the first offer that matches price an amount; whether one does."""
    for offer in rules.offers[dimension]:
        if offer.rule is None or offer.rule.matches(now):
            _add(bill, dimension, offer, begin, amount)
            return True
    return False


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
    bill[last].amount += _stepped(total, bill[last].offer.component.step_size * STEPS[last[0]]) - total


def _stepped(amount: int, step: int) -> int:
    """The amount in whole steps, rounded up; 0: no steps."""
    return max(-((DUST - amount) // step) * step, amount) if step > 0 else amount


def _cost(tariff: Tariff, amounts: Iterable[tuple[tuple[str, int], Amount]]) -> Cost:
    lines = []
    exact = Decimal(0)
    for (dimension, element), line in amounts:
        unit, rate = UNITS[dimension], line.offer.component.price
        cost = (rate * line.amount / unit).quantize(FINE)
        exact += cost
        lines.append(
            LineItem(
                tariff_id=tariff.id,
                start=EPOCH + timedelta(microseconds=line.begin),
                type=dimension,
                volume=_tidy((Decimal(line.amount) / unit).quantize(FINE)),
                price=rate,
                cost=_tidy(cost),
                element=element,
            )
        )
    excl = _cents(exact)
    if tariff.vat_percent is None:
        return Cost(currency=tariff.currency, excl_vat=excl, lines=tuple(lines))
    incl = _cents(exact + exact * tariff.vat_percent / 100)
    return Cost(currency=tariff.currency, excl_vat=excl, incl_vat=incl, vat=incl - excl, lines=tuple(lines))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(GRAIN, ROUND_HALF_UP).quantize(CENT, ROUND_HALF_UP)


def _tidy(number: Decimal) -> Decimal:
    """Without trailing zeros, and without an exponent."""
    whole = number.to_integral_value()
    return whole if whole == number else number.normalize()
