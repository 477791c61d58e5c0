"""Why a CDR costs what it costs: the lines of its price with their reasons, and the meter readings that they rest on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from chargewire.charging.cdr import Cdr, Cost, LineItem
from chargewire.charging.checks import group_of
from chargewire.charging.errors import Refused, Unknown
from chargewire.charging.flags import FLAGS
from chargewire.charging.measured import measured
from chargewire.charging.pricing.explain import Explained, explained
from chargewire.charging.reading import Reading
from chargewire.charging.session import Period, Session
from chargewire.charging.tariff import Tariff
from chargewire.csms.corrections import find_cdr
from chargewire.csms.directory import Directory
from chargewire.csms.ids import session_ref
from chargewire.csms.running import readings_of
from chargewire.journal.memory import Journal, ReadingRow

MOST_READINGS = 5000
LATE = "readings-late"  # heard when the session was over
ONE_UNIT_US = 100  # the readings of a stop have stamps a little after the session that they end: they are of one unit
UNITS = {"ENERGY": "kWh", "TIME": "h", "PARKING_TIME": "h", "FLAT": "session"}
BOUNDED = {"BOUNDARY_BELOW": "up to the least price", "BOUNDARY_ABOVE": "down to the highest price"}
MEANING = {"ENERGY": "energy", "TIME": "time charging", "PARKING_TIME": "time parked", "FLAT": "once a session"}
_cdr = msgspec.json.Decoder(Cdr)
_session = msgspec.json.Decoder(Session)
_readings = msgspec.json.Decoder(tuple[Reading, ...])


class PartTold(Struct, frozen=True, kw_only=True):
    """A stretch of time that a line prices; `volume` in the unit of the line."""

    start: datetime
    end: datetime
    volume: Decimal


class LineTold(Struct, frozen=True, kw_only=True):
    """One line of the price. `element`: its place in the tariff, from 0; −1: the tariff's least or highest price."""

    type: str
    meaning: str
    element: int
    why: tuple[str, ...]
    unit: str
    volume: Decimal
    price: Decimal
    cost: Decimal  # its share of the rounded total, excluding VAT
    exact: Decimal  # before it was rounded
    vat_percent: Decimal | None
    step_size: int
    step_added: Decimal
    parts: tuple[PartTold, ...]


class ReadingTold(Struct, frozen=True, kw_only=True):
    """One meter reading of the session, as it counts."""

    at: datetime
    register_wh: float | None
    power_w: float | None
    flags: tuple[str, ...] = ()


class FlagTold(Struct, frozen=True):
    """`group`: configuration, feasibility, billing rules, final cost, or measurement."""

    flag: str
    group: str
    meaning: str


class Explanation(Struct, frozen=True, kw_only=True):
    """`price`: wholesale, retail or reimbursement. Energy in kWh, times in hours, money excluding VAT unless it says so."""

    id: str
    session_id: str
    price: str
    tariff_id: str
    currency: str
    time_zone: str
    start: datetime
    stop: datetime
    energy_kwh: Decimal
    charging_h: Decimal
    parking_h: Decimal
    excl_vat: Decimal
    vat: Decimal | None
    incl_vat: Decimal | None
    lines: tuple[LineTold, ...]
    start_register_wh: int | None
    stop_register_wh: int | None
    readings: tuple[ReadingTold, ...]
    readings_in_all: int
    periods: tuple[Period, ...]
    flags: tuple[FlagTold, ...]
    credit_of: str | None = None
    replaces: str | None = None
    reason: str | None = None


async def explain(journal: Journal, directory: Directory, cdr_id: str, which: str = "wholesale") -> Explanation:
    """The explanation of a CDR, whatever its state. Raises Unknown, Refused (it has no such price)."""
    stored = await find_cdr(journal, directory, cdr_id)
    cdr = _cdr.decode(stored.body)
    cost, tariff = _price(cdr, which)
    session, readings, count = await _session_of(journal, cdr.session_id)
    reasons = await asyncio.to_thread(explained, tariff, cdr.periods, cdr.stop, cdr.location.time_zone)
    return Explanation(
        id=cdr.id,
        session_id=cdr.session_id,
        price=which,
        tariff_id=tariff.id,
        currency=cost.currency,
        time_zone=cdr.location.time_zone,
        start=cdr.start,
        stop=cdr.stop,
        energy_kwh=Decimal(cdr.energy_wh) / 1000,
        charging_h=_hours(cdr.total_time_s - cdr.parking_time_s),
        parking_h=_hours(cdr.parking_time_s),
        excl_vat=cost.excl_vat,
        vat=cost.vat,
        incl_vat=cost.incl_vat,
        lines=_told(cost, reasons),
        start_register_wh=session.started.register_wh if session else None,
        stop_register_wh=session.stopped.register_wh if session and session.stopped else None,
        readings=readings,
        readings_in_all=count,
        periods=cdr.periods,
        flags=_flags(cdr.flags),
        credit_of=cdr.credit_of,
        replaces=cdr.replaces,
        reason=cdr.reason,
    )


async def explain_session(journal: Journal, session_id: str) -> dict[str, Any]:
    """What a session costs so far, running or over, and why. Raises Unknown, Refused (it has no tariff, or no sum of money is
    enough)."""
    session, readings, count = await _session_of(journal, session_id)
    if session is None:
        raise Unknown("session", session_id)
    tariff = session.started.tariff
    if tariff is None:
        raise Refused("has no tariff", "session")
    until = session.stopped.at if session.stopped else session.last_reading_at or session.started.at
    try:
        told = await asyncio.to_thread(explained, tariff, session.periods, until, session.started.location.time_zone)
    except ArithmeticError as error:
        raise Refused("is beyond any sum of money", "session") from error
    return {
        "session_id": session.id,
        "status": session.status,
        "currency": tariff.currency,
        "energy_kwh": Decimal(session.energy_wh) / 1000,
        "excl_vat": sum((each.line.cost for each in told), Decimal(0)),
        "lines": [_line(each, each.line.cost, each.line.exact) for each in told],
        "start_register_wh": session.started.register_wh,
        "readings": readings,
        "readings_in_all": count,
        "flags": _flags(session.flags),
    }


def _price(cdr: Cdr, which: str) -> tuple[Cost, Tariff]:
    costs = {
        "wholesale": (cdr.cost, cdr.tariff),
        "retail": (cdr.retail, cdr.retail_tariff),
        "reimbursement": (cdr.reimbursement, cdr.reimbursement_tariff),
    }
    cost, tariff = costs[which]
    if cost is None or tariff is None:
        raise Refused(f"the CDR has no {which} price", "price")
    return cost, tariff


def _told(cost: Cost, reasons: Sequence[Explained]) -> tuple[LineTold, ...]:
    """The lines as they were charged (of a credit negated), each with the reasons of the same line.

    What an older version priced may have other lines than today: then they are told without reasons.
    """
    same = [_priced(each.line) for each in reasons] == [_priced(line) for line in cost.lines]
    told = reasons if same else [Explained(line=line) for line in cost.lines]
    return tuple(_line(each, line.cost, line.exact) for each, line in zip(told, cost.lines, strict=True))


def _priced(line: LineItem) -> tuple[str, int, Decimal, Decimal]:
    return line.type, line.element, line.volume, line.price


def _line(each: Explained, cost: Decimal, exact: Decimal | None) -> LineTold:
    line = each.line
    return LineTold(
        type=line.type,
        meaning=MEANING[line.type] if line.element >= 0 else BOUNDED[line.details],
        element=line.element,
        why=each.why,
        unit=UNITS[line.type],
        volume=line.volume,
        price=line.price,
        cost=cost,
        exact=cost if exact is None else exact,
        vat_percent=line.vat_percent,
        step_size=each.step_size,
        step_added=each.step_added,
        parts=tuple(PartTold(start=part.start, end=part.end, volume=part.volume) for part in each.parts),
    )


async def _session_of(journal: Journal, session_id: str) -> tuple[Session | None, tuple[ReadingTold, ...], int]:
    """The session, its readings as far as they are still kept, and how many there are."""
    stored = await journal.get(session_ref(session_id))
    if stored is None:
        return None, (), 0
    session = _session.decode(stored.body)
    over_at = stored.last_updated + ONE_UNIT_US if session.stopped else None
    rows = [row async for row in readings_of(journal, stored)]
    shown, count = await asyncio.to_thread(_readings_told, rows, over_at)
    return session, shown, count


def _readings_told(rows: Sequence[ReadingRow], over_at: int | None) -> tuple[tuple[ReadingTold, ...], int]:
    """The readings in order of time, and how many they are; of more than can be shown one in so many, and all flagged ones.

    What was heard after `over_at` (µs) came too late: it is kept, and counts for nothing.
    """
    told = []
    for row in rows:
        late = (LATE,) if over_at is not None and row.heard_at > over_at else ()
        told += [_reading(each, late) for each in _readings.decode(row.samples)]
    told.sort(key=lambda each: each.at)
    every = -(-len(told) // MOST_READINGS) or 1
    last = len(told) - 1
    shown = (each for number, each in enumerate(told) if number % every == 0 or number == last or each.flags)
    return tuple(shown), len(told)


def _reading(reading: Reading, late: tuple[str, ...]) -> ReadingTold:
    point = measured(reading)
    register = next((each for each in (point.register_mwh, point.end_mwh, point.begin_mwh) if each is not None), None)
    return ReadingTold(
        at=reading.at.astimezone(UTC),
        register_wh=None if register is None else register / 1000,
        power_w=None if point.power_mw is None else point.power_mw / 1000,
        flags=point.flags + late,
    )


def _flags(flags: Sequence[str]) -> tuple[FlagTold, ...]:
    return tuple(FlagTold(flag, group_of(flag), FLAGS.get(flag, "")) for flag in flags)


def _hours(seconds: int) -> Decimal:
    return round(Decimal(seconds) / 3600, 4)
