"""Charge detail records as the Platform API writes them."""

from decimal import Decimal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from chargewire.charging import cdr as domain
from chargewire.charging.correcting import remark_of
from chargewire.charging.location import Status
from chargewire.charging.party import split_party
from chargewire.charging.tariff import Tariff as DomainTariff
from chargewire.protocols.platform.moments import Stamp, hours, kwh, moment, number, stamped
from chargewire.protocols.platform.places import Location
from chargewire.protocols.platform.sessions import ChargingPeriod, charging_periods, place_used
from chargewire.protocols.platform.tariffs import Tariff, tariff

_encode = msgspec.json.Encoder().encode


class LineDimension(Struct, frozen=True, kw_only=True):
    """`dimension_details`: METER, FIXED, or BOUNDARY_BELOW and BOUNDARY_ABOVE for the tariff's least and highest price."""

    type: str
    volume: float | None
    dimension_details: str
    price: float | None
    cost: float | None


class LineItem(Struct, frozen=True, kw_only=True):
    """One line of the price, excluding VAT."""

    tariff_id: str
    start_date_time: str
    dimensions: tuple[LineDimension, ...]


class Cdr(Struct, frozen=True, kw_only=True):
    """A charge detail record. `total_energy` in kWh, `total_time` and `total_parking_time` in hours.

    Costs are wholesale, unless their name says retail (what the driver pays) or reimbursement (what the owner gets).
    `charging_periods` are those of all three, and not repeated.
    """

    id: str
    start_date_time: str
    stop_date_time: str
    session_id: str | None
    auth_id: str
    token_uid: str | None
    token_visual_number: str | None
    auth_method: str
    location: Location
    meter_id: str | None
    currency: str
    tariffs: tuple[Tariff, ...]
    charging_periods: tuple[ChargingPeriod, ...]
    charging_periods_retail: tuple[ChargingPeriod, ...] | None = None
    charging_periods_reimbursement: tuple[ChargingPeriod, ...] | None = None
    total_cost: float | None
    total_cost_incl_vat: float | None
    total_vat: float | None
    vat: float | None
    total_energy: float
    total_time: float
    total_parking_time: float
    remark: str | None
    total_retail_cost: float | None = None
    total_retail_cost_incl_vat: float | None = None
    total_retail_vat: float | None = None
    retail_vat: float | None = None
    retail_currency: str | None = None
    total_reimbursement_cost: float | None = None
    reimbursement_tariff_code: str | None = None
    retail_package_id: str | None = None
    customer_external_id: str | None
    driver_external_id: str | None = None
    authorization_id: str | None = None
    auth_host_reference: str | None = None
    emsp_party_id: str | None
    emsp_country_code: str | None
    emsp_external_id: str | None = None
    cpo_id: str | None = None
    charger_type: str | None = None
    coupon_ids: tuple[str, ...] = ()
    coupons_compensated_costs: float | None = None
    custom_groups: tuple[str, ...] = ()
    cost_breakdown: tuple[LineItem, ...]
    cost_breakdown_retail: tuple[LineItem, ...] = ()
    cost_breakdown_reimbursement: tuple[LineItem, ...] = ()
    max_power_w: int | None
    last_updated: str


class ExtendedCdr(Cdr, frozen=True, kw_only=True):
    """A CDR of the extended profile. `credit`: it takes `credit_reference_id` back (the names of OCPI 2.2.1 mod_cdrs)."""

    credit: bool
    credit_reference_id: str | None


def cdr(given: domain.Cdr, last_updated: Stamp) -> Cdr:
    """A CDR; its location is cut down to the EVSE and the connector that were used."""
    began, retail, reimbursement = moment(given.start), given.retail, given.reimbursement
    country_code, party_id = split_party(given.token.emsp) if given.token.emsp else (None, None)
    return Cdr(
        id=given.id,
        start_date_time=began,
        stop_date_time=moment(given.stop),
        session_id=given.session_id,
        auth_id=given.token.auth_id,
        token_uid=given.token.uid,
        token_visual_number=given.token.visual_number,
        auth_method=given.auth_method,
        location=place_used(given.location, given.evse, given.connector, Status.AVAILABLE, began),
        meter_id=given.meter_id,
        currency=given.currency,
        tariffs=(tariff(given.tariff, began),) if given.tariff else (),
        charging_periods=charging_periods(given.periods),
        total_cost=number(given.cost.excl_vat),
        total_cost_incl_vat=number(given.cost.incl_vat),
        total_vat=number(given.cost.vat),
        vat=number(_rate(given.cost, given.tariff)),
        total_energy=kwh(given.energy_wh),
        total_time=hours(given.total_time_s),
        total_parking_time=hours(given.parking_time_s),
        remark=remark_of(given),
        total_retail_cost=number(retail.excl_vat) if retail else None,
        total_retail_cost_incl_vat=number(retail.incl_vat) if retail else None,
        total_retail_vat=number(retail.vat) if retail else None,
        retail_vat=number(_rate(retail, given.retail_tariff)) if retail else None,
        retail_currency=retail.currency if retail else None,
        total_reimbursement_cost=number(reimbursement.excl_vat) if reimbursement else None,
        reimbursement_tariff_code=given.reimbursement_tariff.id if reimbursement and given.reimbursement_tariff else None,
        customer_external_id=given.token.customer_id,
        emsp_party_id=party_id,
        emsp_country_code=country_code,
        cost_breakdown=_lines(given.cost),
        cost_breakdown_retail=_lines(retail),
        cost_breakdown_reimbursement=_lines(reimbursement),
        max_power_w=given.max_power_w,
        last_updated=stamped(last_updated),
    )


def cdr_json(given: domain.Cdr, last_updated: Stamp) -> bytes:
    """A CDR as it is listed and pushed."""
    return _encode(cdr(given, last_updated))


def extended_cdr_json(given: domain.Cdr, last_updated: Stamp) -> bytes:
    """A CDR as it is listed and pushed for the extended profile."""
    plain = asdict(cdr(given, last_updated))
    return _encode(ExtendedCdr(**plain, credit=given.credit, credit_reference_id=given.credit_of))


def _rate(cost: domain.Cost, tariff: DomainTariff | None) -> Decimal | None:
    """The rate of VAT of all lines, if there is just one; lines of older CDRs do not say theirs, it is the tariff's."""
    if cost.vat_percent is not None or any(line.vat_percent is not None for line in cost.lines):
        return cost.vat_percent
    return tariff.vat_percent if tariff else None


def _lines(cost: domain.Cost | None) -> tuple[LineItem, ...]:
    return tuple(_line(each) for each in cost.lines) if cost else ()


def _line(given: domain.LineItem) -> LineItem:
    dimension = LineDimension(
        type=given.type,
        volume=number(given.volume),
        dimension_details="FIXED" if given.type == "FLAT" and given.details == "METER" else given.details,
        price=number(given.price),
        cost=number(given.cost),
    )
    return LineItem(tariff_id=given.tariff_id, start_date_time=moment(given.start), dimensions=(dimension,))
