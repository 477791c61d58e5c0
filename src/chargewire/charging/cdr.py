"""Charge detail records: the only object that money hangs on. Written once, never changed."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from chargewire.charging.location import Connector, Evse, Location
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff
from chargewire.charging.token import TokenRef


class LineItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the price. `volume` in kWh, hours or pieces; `cost` excluding VAT, unrounded."""

    tariff_id: str
    start: datetime
    type: str  # ENERGY | FLAT | PARKING_TIME | TIME
    volume: Decimal
    price: Decimal
    cost: Decimal
    element: int  # index of the tariff element that priced it


class Cost(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session costs. Totals are rounded once, half up, to cents; VAT only if the tariff has a rate."""

    currency: str
    excl_vat: Decimal
    incl_vat: Decimal | None = None
    vat: Decimal | None = None
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
    cost: Cost
    tariff: Tariff | None = None
    meter_id: str | None = None
    remark: str | None = None
    max_power_w: int | None = None
    flags: tuple[str, ...] = ()
