"""Charge detail records: the only object that money hangs on. Written once, never changed."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from chargewire.charging.location import Connector, Evse, Location
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff
from chargewire.charging.token import TokenRef


class LineItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the price. `volume` in kWh, hours or pieces. The costs of all lines add up to the total exactly."""

    tariff_id: str
    start: datetime
    type: str  # ENERGY | FLAT | PARKING_TIME | TIME
    volume: Decimal
    price: Decimal
    cost: Decimal  # excluding VAT, its share of the rounded total
    element: int  # index of the tariff element that priced it; -1: the tariff's least or highest price did
    exact: Decimal | None = None  # excluding VAT, before it was rounded; None: it is `cost`
    details: str = "METER"  # METER | FIXED | BOUNDARY_BELOW | BOUNDARY_ABOVE, as in the Platform API
    vat_percent: Decimal | None = None
    reservation: bool = False  # of the reservation, not of the session


class Cost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session costs. Totals are rounded once, half up, to the currency's smallest unit; VAT only if there is a rate."""

    currency: str
    excl_vat: Decimal
    incl_vat: Decimal | None = None
    vat: Decimal | None = None
    vat_percent: Decimal | None = None  # the rate, if there is just one
    lines: tuple[LineItem, ...] = ()


class Cdr(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Journal kind `cdr`, owner = the CPO, key = `id`, counterparty = the eMSP. `id` follows from the session id."""

    id: str
    session_id: str
    start: datetime
    stop: datetime
    station_id: str
    location: Location
    evse: Evse
    connector: Connector
    token: TokenRef
    auth_method: str
    currency: str
    energy_wh: int
    total_time_s: int
    parking_time_s: int
    periods: tuple[Period, ...]
    cost: Cost  # wholesale
    tariff: Tariff | None = None
    retail: Cost | None = None
    retail_tariff: Tariff | None = None
    reimbursement: Cost | None = None
    reimbursement_tariff: Tariff | None = None
    credit: bool = False  # takes `credit_of` back: repeats it with negated costs
    credit_of: str | None = None  # the CDR that a credit takes back
    replaces: str | None = None  # the CDR that this one stands for, after that was taken back
    reason: str | None = None  # of a credit or a correction, as the operator gave it
    meter_id: str | None = None
    remark: str | None = None
    max_power_w: int | None = None
    flags: tuple[str, ...] = ()
