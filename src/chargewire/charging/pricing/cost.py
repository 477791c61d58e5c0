"""What a bill costs: lines, VAT, least and highest price, and the one rounding of money.

Amounts are summed unrounded. A total is the rounded sum; the cost of a line is the difference that it makes to the rounded sum
so far, so that the lines add up to the total to the last digit, whatever their number.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from chargewire.charging.cdr import Cost, LineItem
from chargewire.charging.pricing.billing import UNITS, Amount, Bill
from chargewire.charging.pricing.currency import rounded
from chargewire.charging.pricing.local_time import EPOCH
from chargewire.charging.tariff import PriceLimit, Tariff

FINE = Decimal("0.000000001")
ZERO = Decimal(0)
BELOW, ABOVE = "BOUNDARY_BELOW", "BOUNDARY_ABOVE"
BOUNDS = {BELOW: "least price of the tariff", ABOVE: "highest price of the tariff"}


class Sum(Struct):
    """Totals on their way, with and without VAT, and the lines so far."""

    tariff: Tariff
    excl: Decimal = ZERO
    incl: Decimal = ZERO
    total: Decimal = ZERO  # `excl`, rounded
    lines: list[LineItem] = []
    rates: set[Decimal | None] = set()


def cost_of(tariff: Tariff, bills: Mapping[bool, Bill], charged: bool) -> Cost:
    """The cost of the bills of a session (False) and its reservation (True). `charged`: there was a session at all.

    `vat` is None where prices include a tax that the tariff has no rate for: what is known is what is paid, and both totals are
    that.
    """
    of = Sum(tariff, total=rounded(ZERO, tariff.currency))
    for bill in (bills[True], bills[False]):
        for key, amount in sorted(bill.items(), key=lambda item: (item[1].begin, item[0][1])):
            _add_line(of, *key, amount)
    incl = rounded(of.incl, tariff.currency)
    if charged and tariff.min_price:
        incl = _bound(of, BELOW, max, tariff.min_price, incl)
    if tariff.max_price:
        incl = _bound(of, ABOVE, min, tariff.max_price, incl)
    rates = of.rates or {tariff.vat_percent}
    if rates == {None} and not tariff.tax_included:
        return Cost(currency=tariff.currency, excl_vat=of.total, lines=tuple(of.lines))
    return Cost(
        currency=tariff.currency,
        excl_vat=of.total,
        incl_vat=incl,
        vat=None if tariff.tax_included and None in rates else incl - of.total,
        vat_percent=next(iter(rates)) if len(rates) == 1 else None,
        lines=tuple(of.lines),
    )


def tidy_volume(amount: int, dimension: str) -> Decimal:
    """An amount in kWh, hours or pieces."""
    return _tidy((Decimal(amount) / UNITS[dimension]).quantize(FINE))


def _add_line(of: Sum, dimension: str, element: int, amount: Amount) -> None:
    component = amount.offer.component
    rate = of.tariff.vat_percent if component.vat is None else component.vat
    exact = (component.price * amount.amount / UNITS[dimension]).quantize(FINE)
    if of.tariff.tax_included:
        of.incl += exact
        exact = exact if rate is None else (exact * 100 / (100 + rate)).quantize(FINE)
    else:
        of.incl += exact if rate is None else exact + exact * rate / 100
    of.excl += exact
    before, of.total = of.total, rounded(of.excl, of.tariff.currency)
    of.rates.add(rate)
    cost = of.total - before
    of.lines.append(
        LineItem(
            tariff_id=of.tariff.id,
            start=EPOCH + timedelta(microseconds=amount.begin),
            type=dimension,
            volume=tidy_volume(amount.amount, dimension),
            price=component.price,
            cost=cost,
            element=element,
            exact=None if exact == cost else _tidy(exact),
            details="FIXED" if dimension == "FLAT" else "METER",
            vat_percent=rate,
            reservation=amount.offer.reserved,
        )
    )


def _bound(of: Sum, details: str, choose: Callable[[Decimal, Decimal], Decimal], limit: PriceLimit, incl: Decimal) -> Decimal:
    """Keep the totals to a limit, each by itself (OCPI 2.2.1 mod_tariffs, min_price); the total including VAT.

    A limit without its own amount including VAT gets the VAT that the session has in proportion.
    """
    currency = of.tariff.currency
    before, of.total = of.total, choose(of.total, rounded(limit.excl_vat, currency))
    after = incl
    if limit.incl_vat is not None:
        after = choose(incl, rounded(limit.incl_vat, currency))
    elif of.total != before:
        share = incl / before if before else 1 + (of.tariff.vat_percent or ZERO) / 100
        after = rounded(of.total * share, currency)
    if of.total != before or (after != incl and of.rates != {None}):
        difference = of.total - before
        start = of.lines[0].start if of.lines else EPOCH
        line = LineItem(
            tariff_id=of.tariff.id,
            start=start,
            type="FLAT",
            volume=Decimal(1),
            price=difference,
            cost=difference,
            element=-1,
            details=details,
        )
        of.lines.append(line)
    return after


def _tidy(number: Decimal) -> Decimal:
    """Without trailing zeros, and without an exponent."""
    whole = number.to_integral_value()
    return whole if whole == number else number.normalize()
