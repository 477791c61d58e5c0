"""Tariffs as an operator writes them: OCPI 2.1.1 mod_tariffs, and what that version has no word for."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from chargewire.charging.errors import Refused
from chargewire.charging.location import DisplayText, EnergyMix
from chargewire.charging.pricing import check_tariff
from chargewire.charging.tariff import Tariff
from chargewire.csms.intake import read
from chargewire.csms.parties import Currency, check_id, check_party
from chargewire.csms.registry import Kept, Registry
from chargewire.csms.tariff_versions import keep_version

Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-4]):[0-5][0-9]$")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


class PriceComponentInput(Struct, frozen=True, omit_defaults=True):
    """`vat`: percent, of this component; without it the tariff's `vat_percent` holds."""

    type: Literal["ENERGY", "FLAT", "PARKING_TIME", "TIME"]
    price: Decimal
    step_size: Annotated[int, Meta(ge=0)]
    vat: Decimal | None = None


class RestrictionsInput(Struct, frozen=True, omit_defaults=True):
    """All AND-ed; times and dates are local to the location."""

    start_time: Clock | None = None
    end_time: Clock | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: Annotated[int, Meta(ge=0)] | None = None
    max_duration: Annotated[int, Meta(ge=0)] | None = None
    day_of_week: tuple[Weekday, ...] = ()
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    reservation: Literal["RESERVATION", "RESERVATION_EXPIRES"] | None = None


class PriceLimitInput(Struct, frozen=True, omit_defaults=True):
    """`incl_vat`: without it the VAT of the session in proportion."""

    excl_vat: Decimal
    incl_vat: Decimal | None = None


class ElementInput(Struct, frozen=True, omit_defaults=True):
    price_components: Annotated[tuple[PriceComponentInput, ...], Meta(min_length=1)]
    restrictions: RestrictionsInput | None = None


class TariffInput(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tariff. Without `vat_percent`, and `vat` of a component, costs are given without VAT only.

    `valid_from` (inclusive) in the future leaves the version in force as it is until then; `valid_until` is exclusive.
    """

    currency: Currency
    elements: Annotated[tuple[ElementInput, ...], Meta(min_length=1)]
    id: str | None = None
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: str | None = None
    energy_mix: EnergyMix | None = None
    vat_percent: Decimal | None = None
    kind: Literal["wholesale", "retail", "reimbursement"] = "wholesale"
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    min_price: PriceLimitInput | None = None
    max_price: PriceLimitInput | None = None
    tax_included: bool = False


async def put_tariff(registry: Registry, party: str, tariff_id: str, body: bytes) -> Kept:
    """Make or change a tariff of a CPO, or a retail one of an eMSP. Sessions that have begun keep the one they began with.

    Raises Refused.
    """
    given = read(body, TariffInput)
    party = check_party(party)
    if registry.directory.cpo(party) is None:
        if registry.directory.emsp(party) is None:
            raise Refused(f"there is no CPO {party!r}", "cpo")
        if given.kind != "retail":
            raise Refused("a tariff of an eMSP is a retail one", "kind")
    tariff_id = check_id(tariff_id, given.id, "id", 36)
    for name in ("valid_from", "valid_until"):
        moment = getattr(given, name)
        if moment is not None and moment.tzinfo is None:
            raise Refused("must say its offset from UTC, or Z", name)
    content = msgspec.convert(msgspec.to_builtins(given) | {"id": tariff_id}, Tariff)
    check_tariff(content)
    return await keep_version(registry, party, content)
