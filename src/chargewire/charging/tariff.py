"""Tariffs as OCPI 2.1.1 says them (mod_tariffs): elements with price components and restrictions. Money is Decimal."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from chargewire.charging.location import DisplayText, EnergyMix


class PriceComponent(Struct, frozen=True, omit_defaults=True):
    type: str  # ENERGY (per kWh) | FLAT | PARKING_TIME (per hour) | TIME (per hour)
    price: Decimal  # excluding VAT, unless the tariff says that taxes are included
    step_size: int  # Wh for ENERGY, s for the times; 0 = no rounding
    vat: Decimal | None = None  # percent of this component (OCPI 2.2.1); None: the tariff's `vat_percent`


class Restrictions(Struct, frozen=True, omit_defaults=True):
    """All AND-ed; times and dates are local to the location."""

    start_time: str | None = None  # HH:MM
    end_time: str | None = None
    start_date: str | None = None  # YYYY-MM-DD, inclusive
    end_date: str | None = None  # exclusive
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_power: Decimal | None = None  # kW
    max_power: Decimal | None = None
    min_duration: int | None = None  # s
    max_duration: int | None = None
    day_of_week: tuple[str, ...] = ()
    min_current: Decimal | None = None  # A, sum over the phases (OCPI 2.2.1)
    max_current: Decimal | None = None
    reservation: str | None = None  # RESERVATION | RESERVATION_EXPIRES (OCPI 2.2.1): prices reservations, not sessions


class PriceLimit(Struct, frozen=True, omit_defaults=True):
    """The least or the most that a session costs. Amounts with and without VAT are limited each by itself."""

    excl_vat: Decimal
    incl_vat: Decimal | None = None


class Element(Struct, frozen=True, omit_defaults=True):
    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions | None = None


class Tariff(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Journal kind `tariff`, owner = the CPO, key = `id`."""

    id: str
    currency: str
    elements: tuple[Element, ...]
    tariff_alt_text: tuple[DisplayText, ...] = ()
    tariff_alt_url: str | None = None
    energy_mix: EnergyMix | None = None
    vat_percent: Decimal | None = None
    kind: str = "wholesale"  # wholesale | retail | reimbursement
    valid_from: datetime | None = None  # inclusive; of several versions of a tariff the newest that has begun holds
    valid_until: datetime | None = None  # exclusive
    min_price: PriceLimit | None = None  # OCPI 2.2.1
    max_price: PriceLimit | None = None
    tax_included: bool = False  # prices include VAT (OCPI 2.3.0)
