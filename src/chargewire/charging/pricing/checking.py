"""Whether a tariff can be priced by: what an operator, or another version of the specification, may have got wrong."""

from decimal import Decimal

from chargewire.charging.errors import Refused
from chargewire.charging.pricing.rules import EXPIRED, RESERVED, SESSION, rules_of
from chargewire.charging.tariff import PriceLimit, Restrictions, Tariff

LARGEST = 1_000_000_000  # of any number in a tariff
LIMITS = ("min_kwh", "max_kwh", "min_power", "max_power", "min_current", "max_current", "min_duration", "max_duration")


def check_tariff(tariff: Tariff) -> None:
    """Raises Refused, naming the field, if the tariff has an element that cannot be read or a number that is none."""
    _percent(tariff.vat_percent, "vat_percent")
    for number, element in enumerate(tariff.elements):
        for place, component in enumerate(element.price_components):
            where = f"elements[{number}].price_components[{place}]"
            _number(component.price, f"{where}.price")
            _number(component.step_size, f"{where}.step_size")
            _percent(component.vat, f"{where}.vat")
        restrictions = element.restrictions or Restrictions()
        for name in LIMITS:
            _number(getattr(restrictions, name), f"elements[{number}].restrictions.{name}")
        if restrictions.reservation not in (None, RESERVED, EXPIRED):
            raise Refused(f"unknown {restrictions.reservation!r}", f"elements[{number}].restrictions.reservation")
    _limit(tariff.min_price, "min_price")
    _limit(tariff.max_price, "max_price")
    if tariff.min_price and tariff.max_price and tariff.min_price.excl_vat > tariff.max_price.excl_vat:
        raise Refused("must not be less than min_price", "max_price.excl_vat")
    if tariff.valid_from and tariff.valid_until and tariff.valid_from >= tariff.valid_until:
        raise Refused("must be later than valid_from", "valid_until")
    for subject in (SESSION, RESERVED, EXPIRED):
        rules_of(tariff.elements, subject)


def _limit(limit: PriceLimit | None, field: str) -> None:
    """Not negative, and with VAT not less than without."""
    if limit is None:
        return
    _number(limit.excl_vat, f"{field}.excl_vat")
    _number(limit.incl_vat, f"{field}.incl_vat")
    if limit.excl_vat < 0:
        raise Refused("must not be negative", f"{field}.excl_vat")
    if limit.incl_vat is not None and limit.incl_vat < limit.excl_vat:
        raise Refused("must not be less than excl_vat", f"{field}.incl_vat")


def _percent(value: Decimal | None, field: str) -> None:
    _number(value, field)
    if value is not None and not 0 <= value <= 100:
        raise Refused("must be from 0 to 100", field)


def _number(value: Decimal | int | None, field: str) -> None:
    """Neither NaN nor so large that no sum of money can hold it."""
    number = Decimal(value or 0)
    if not (number.is_finite() and abs(number) <= LARGEST):
        raise Refused(f"must be a number of at most {LARGEST}", field)
