"""Tariffs of OCPI 2.2.1 and 2.3.0 (mod_tariffs), read into our words. What does not bear on a price is left out."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

from chargewire.charging import tariff as domain
from chargewire.charging.location import DisplayText, EnergyMix


class PriceLimit(Struct, frozen=True):
    """Price of 2.2.1 (`excl_vat`, `incl_vat`), or PriceLimit of 2.3.0 (`before_taxes`, `after_taxes`)."""

    excl_vat: Decimal | None = None
    incl_vat: Decimal | None = None
    before_taxes: Decimal | None = None
    after_taxes: Decimal | None = None


class Tariff(Struct, frozen=True, kw_only=True):
    """`tax_included` (2.3.0): YES, NO, or N/A where no taxes are due."""

    id: str
    currency: str
    elements: tuple[domain.Element, ...]
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: str | None = None
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None
    energy_mix: EnergyMix | None = None
    tax_included: str = "NO"


_read = msgspec.json.Decoder(Tariff)


def tariff(body: bytes) -> domain.Tariff:
    """A tariff of either version. Raises msgspec.ValidationError for what cannot be read."""
    given = _read.decode(body)
    return domain.Tariff(
        id=given.id,
        currency=given.currency,
        elements=given.elements,
        tariff_alt_text=given.tariff_alt_text,
        tariff_alt_url=given.tariff_alt_url,
        energy_mix=given.energy_mix,
        valid_from=_moment(given.start_date_time),
        valid_until=_moment(given.end_date_time),
        min_price=_limit(given.min_price),
        max_price=_limit(given.max_price),
        tax_included=given.tax_included == "YES",
    )


def _limit(given: PriceLimit | None) -> domain.PriceLimit | None:
    if given is None:
        return None
    excl = given.excl_vat if given.before_taxes is None else given.before_taxes
    if excl is None:
        raise msgspec.ValidationError("a price limit needs `excl_vat` (2.2.1) or `before_taxes` (2.3.0)")
    return domain.PriceLimit(excl, given.incl_vat if given.after_taxes is None else given.after_taxes)


def _moment(at: datetime | None) -> datetime | None:
    """A DateTime of OCPI is UTC, with or without its Z."""
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
