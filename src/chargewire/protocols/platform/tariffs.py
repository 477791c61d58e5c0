"""Tariffs as the Platform API shows them inside CDRs (OCPI 2.1.1 mod_tariffs)."""

from decimal import Decimal

from msgspec import Struct

from chargewire.charging import tariff as domain
from chargewire.charging.location import DisplayText, EnergyMix
from chargewire.protocols.platform.moments import number


class PriceComponent(Struct, frozen=True):
    """`price` excluding VAT, per kWh (ENERGY), hour (TIME, PARKING_TIME) or session (FLAT); `step_size` in Wh or s."""

    type: str
    price: float | None
    step_size: int


class Restrictions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All AND-ed; times and dates are local to the location. `max_power`, `min_power` in kW, durations in s."""

    start_time: str | None = None
    end_time: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    min_kwh: float | None = None
    max_kwh: float | None = None
    min_power: float | None = None
    max_power: float | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: tuple[str, ...] = ()


class Element(Struct, frozen=True):
    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions | None


class Tariff(Struct, frozen=True, kw_only=True):
    """A tariff as it was when the session began."""

    id: str
    currency: str
    tariff_alt_text: tuple[DisplayText, ...]
    tariff_alt_url: str | None
    elements: tuple[Element, ...]
    energy_mix: EnergyMix | None
    last_updated: str


def tariff(given: domain.Tariff, last_updated: str) -> Tariff:
    """A tariff as known at a moment, without elements that 2.1.1 has no words for (reservations, currents)."""
    return Tariff(
        id=given.id,
        currency=given.currency,
        tariff_alt_text=given.tariff_alt_text,
        tariff_alt_url=given.tariff_alt_url,
        elements=tuple(_element(each, given) for each in given.elements if _sayable(each.restrictions)),
        energy_mix=given.energy_mix,
        last_updated=last_updated,
    )


def _sayable(given: domain.Restrictions | None) -> bool:
    return given is None or (given.reservation, given.min_current, given.max_current) == (None, None, None)


def _element(given: domain.Element, tariff: domain.Tariff) -> Element:
    components = tuple(
        PriceComponent(each.type, number(_price(each, tariff)), each.step_size) for each in given.price_components
    )
    return Element(components, _restrictions(given.restrictions) if given.restrictions else None)


def _price(given: domain.PriceComponent, tariff: domain.Tariff) -> Decimal:
    """Excluding VAT, if the rate is known."""
    rate = tariff.vat_percent if given.vat is None else given.vat
    return given.price * 100 / (100 + rate) if tariff.tax_included and rate is not None else given.price


def _restrictions(given: domain.Restrictions) -> Restrictions:
    return Restrictions(
        start_time=given.start_time,
        end_time=given.end_time,
        start_date=given.start_date,
        end_date=given.end_date,
        min_kwh=number(given.min_kwh),
        max_kwh=number(given.max_kwh),
        min_power=number(given.min_power),
        max_power=number(given.max_power),
        min_duration=given.min_duration,
        max_duration=given.max_duration,
        day_of_week=given.day_of_week,
    )
