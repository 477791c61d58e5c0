"""Tariffs of OCPI 2.1.1 (mod_tariffs). What later versions can say beyond it is left out, and nothing else changes by that:
a tariff with prices that include VAT is written without it, reservations are not priced in 2.1.1."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chargewire.charging import location as places
from chargewire.charging import tariff as domain
from chargewire.protocols.ocpi.moments import Stamp, stamped
from chargewire.protocols.ocpi.v211 import words
from chargewire.protocols.ocpi.v211.parts import DisplayText, EnergyMix, display_texts, energy_mix
from chargewire.protocols.ocpi.v211.texts import number, website

_encode = msgspec.json.Encoder().encode


class PriceComponent(Struct, frozen=True):
    """`price` excluding VAT, per kWh (ENERGY), hour (TIME, PARKING_TIME) or session (FLAT); `step_size` in Wh or s."""

    type: words.TariffDimensionType
    price: float
    step_size: words.NotNegative


class TariffRestrictions(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All AND-ed; times and dates are local to the location. Powers in kW, durations in s."""

    start_time: words.TimeOfDay | None = None
    end_time: words.TimeOfDay | None = None
    start_date: words.Day | None = None
    end_date: words.Day | None = None
    min_kwh: float | None = None
    max_kwh: float | None = None
    min_power: float | None = None
    max_power: float | None = None
    min_duration: words.NotNegative | None = None
    max_duration: words.NotNegative | None = None
    day_of_week: tuple[words.DayOfWeek, ...] = ()


class TariffElement(Struct, frozen=True, omit_defaults=True):
    price_components: Annotated[tuple[PriceComponent, ...], Meta(min_length=1)]
    restrictions: TariffRestrictions | None = None


class Tariff(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: words.Id36
    currency: words.Currency
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: words.Url | None = None
    elements: Annotated[tuple[TariffElement, ...], Meta(min_length=1)]
    energy_mix: EnergyMix | None = None
    last_updated: words.DateTime


FREE = TariffElement((PriceComponent("FLAT", 0.0, 1),))  # 2.1.1 mod_tariffs: how free of charge is said


def tariff(given: domain.Tariff, last_updated: Stamp) -> Tariff:
    """A tariff of ours."""
    elements = tuple(each for each in (_element(element, given) for element in given.elements) if each is not None)
    return Tariff(
        id=given.id,
        currency=given.currency,
        tariff_alt_text=display_texts(given.tariff_alt_text),
        tariff_alt_url=website(given.tariff_alt_url),
        elements=elements or (FREE,),
        energy_mix=energy_mix(given.energy_mix),
        last_updated=stamped(last_updated),
    )


def tariff_json(given: domain.Tariff, last_updated: Stamp) -> bytes:
    """A tariff as it is listed and pushed."""
    return _encode(tariff(given, last_updated))


def tariff_of(given: Tariff) -> domain.Tariff:
    """What a tariff says, in our words. Money is taken as the decimal number that it was written as."""
    return domain.Tariff(
        id=given.id,
        currency=given.currency,
        elements=tuple(_element_of(each) for each in given.elements),
        tariff_alt_text=tuple(places.DisplayText(each.language, each.text) for each in given.tariff_alt_text),
        tariff_alt_url=given.tariff_alt_url,
        energy_mix=_mix_of(given.energy_mix) if given.energy_mix else None,
    )


def _element(given: domain.Element, of: domain.Tariff) -> TariffElement | None:
    """An element; None if it is about reservations, or restricted by a current, which would price more than it should."""
    restrictions = given.restrictions
    if restrictions and (
        restrictions.reservation or restrictions.min_current is not None or restrictions.max_current is not None
    ):
        return None
    components = tuple(
        PriceComponent(each.type, number(_without_vat(each, of)), each.step_size)  # type: ignore[arg-type]
        for each in given.price_components
    )
    return TariffElement(components, _restrictions(restrictions) if restrictions else None)


def _without_vat(component: domain.PriceComponent, of: domain.Tariff) -> Decimal:
    vat = component.vat if component.vat is not None else of.vat_percent
    return component.price / (1 + vat / 100) if of.tax_included and vat else component.price


def _restrictions(given: domain.Restrictions) -> TariffRestrictions:
    return TariffRestrictions(
        start_time=_time_of_day(given.start_time),
        end_time=_time_of_day(given.end_time),
        start_date=given.start_date,
        end_date=given.end_date,
        min_kwh=_number(given.min_kwh),
        max_kwh=_number(given.max_kwh),
        min_power=_number(given.min_power),
        max_power=_number(given.max_power),
        min_duration=given.min_duration,
        max_duration=given.max_duration,
        day_of_week=given.day_of_week,  # type: ignore[arg-type]
    )


def _time_of_day(text: str | None) -> str | None:
    """24:00 is the end of the day to us; 2.1.1 has only 00:00 for it."""
    return "00:00" if text == "24:00" else text


def _number(value: Decimal | None) -> float | None:
    return None if value is None else number(value)


def _element_of(given: TariffElement) -> domain.Element:
    components = tuple(
        domain.PriceComponent(each.type, Decimal(repr(each.price)), each.step_size) for each in given.price_components
    )
    said = given.restrictions
    if said is None:
        return domain.Element(components)
    return domain.Element(
        components,
        domain.Restrictions(
            start_time=said.start_time,
            end_time=said.end_time,
            start_date=said.start_date,
            end_date=said.end_date,
            min_kwh=_decimal(said.min_kwh),
            max_kwh=_decimal(said.max_kwh),
            min_power=_decimal(said.min_power),
            max_power=_decimal(said.max_power),
            min_duration=said.min_duration,
            max_duration=said.max_duration,
            day_of_week=said.day_of_week,
        ),
    )


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value))


def _mix_of(given: EnergyMix) -> places.EnergyMix:
    return places.EnergyMix(
        is_green_energy=given.is_green_energy,
        energy_sources=tuple(places.EnergySource(each.source, each.percentage) for each in given.energy_sources),
        environ_impact=tuple(places.EnvironmentalImpact(each.source, each.amount) for each in given.environ_impact),
        supplier_name=given.supplier_name,
        energy_product_name=given.energy_product_name,
    )
