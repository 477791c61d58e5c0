"""Settling CDRs of partners, from the JSON in which they come: our own fit, and what was changed in them is found."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chargewire.charging.cdr import Cdr
from chargewire.charging.closing import cdr_of
from chargewire.charging.errors import Refused
from chargewire.charging.flags import SETTLEMENT
from chargewire.charging.pricing import price
from chargewire.charging.session import Period, Session, SessionStatus, Stopped
from chargewire.charging.settling import Settlement, settled
from chargewire.charging.tariff import Element, Restrictions, Tariff
from chargewire.protocols.ocpi.v211 import cdrs, reading
from charging.sessions import NOON, started
from charging.test_pricing import TARIFFS, stays

STAMP = "2026-03-02T13:30:01Z"
LATER = NOON + timedelta(days=400)
DATA = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data"), "ocpi/2.1.1")
CDR = {
    "id": "C1",
    "start_date_time": "2026-03-02T12:00:00Z",
    "stop_date_time": "2026-03-02T13:30:00Z",
    "auth_id": "DE-EMS-C1-X",
    "auth_method": "WHITELIST",
    "location": {
        "id": "L1",
        "type": "ON_STREET",
        "address": "Damrak 1",
        "city": "Amsterdam",
        "postal_code": "1012 LG",
        "country": "NLD",
        "coordinates": {"latitude": "52.375700", "longitude": "4.895300"},
        "time_zone": "Europe/Amsterdam",
        "last_updated": "2026-03-02T12:00:00Z",
    },
    "currency": "EUR",
    "tariffs": [
        {
            "id": "T1",
            "currency": "EUR",
            "elements": [
                {"price_components": [{"type": "ENERGY", "price": 0.3, "step_size": 1}]},
                {"price_components": [{"type": "PARKING_TIME", "price": 2.0, "step_size": 60}]},
            ],
            "last_updated": "2026-03-02T12:00:00Z",
        }
    ],
    "charging_periods": [
        {
            "start_date_time": "2026-03-02T12:00:00Z",
            "dimensions": [{"type": "ENERGY", "volume": 11.0}, {"type": "TIME", "volume": 1.0}],
        },
        {"start_date_time": "2026-03-02T13:00:00Z", "dimensions": [{"type": "PARKING_TIME", "volume": 0.5}]},
    ],
    "total_cost": 4.3,
    "total_energy": 11.0,
    "total_time": 1.5,
    "total_parking_time": 0.5,
    "last_updated": "2026-03-02T13:30:01Z",
}


def settle(content: Any, heard_at: datetime = LATER) -> Settlement:
    return settled(cdrs.stated_of(reading.read(cdrs.Cdr, msgspec.json.encode(content)).value), heard_at)


def ours(tariff: Tariff, periods: list[Period], end: datetime) -> Cdr:
    """A CDR as we make it."""
    session = Session(
        id="NLAAA0001",
        status=SessionStatus.COMPLETED,
        started=replace(started(), at=periods[0].start),
        stopped=Stopped(at=end, register_wh=None),
        periods=tuple(periods),
        energy_wh=sum(period.energy_wh for period in periods),
    )
    cdr = cdr_of(session, price(tariff, periods, end, session.started.location.time_zone))
    return replace(cdr, tariff=tariff)


def plain(tariff: Tariff) -> Tariff:
    """A tariff without what 2.1.1 cannot say."""
    elements = []
    for element in tariff.elements:
        said = element.restrictions
        some = replace(said, min_current=None, max_current=None, reservation=None) if said else None
        elements.append(Element(element.price_components, None if some == Restrictions() else some))
    return replace(tariff, elements=tuple(elements), min_price=None, max_price=None, tax_included=False)


@given(TARIFFS.map(plain), stays())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_cdr_that_we_send_settles_without_a_difference(tariff: Tariff, stay: tuple[list[Period], datetime]) -> None:
    cdr = ours(tariff, *stay)
    found = settle(json.loads(cdrs.cdr_json(cdr, STAMP)))
    assert (found.differences, found.not_recomputed) == ((), None)
    assert found.recomputed.cost == cdr.cost.excl_vat


def test_a_cdr_that_fits_is_told_with_its_amounts() -> None:
    found = settle(CDR)
    assert found.differences == ()
    assert found.recomputed.cost == Decimal("4.30")
    assert found.recomputed.energy == Decimal("11.0")


Change = Callable[[dict[str, Any]], None]
WRONG: dict[str, tuple[Change, str, Any, Any]] = {
    "two cents more": (lambda cdr: cdr.update(total_cost=4.32), "settle-total-cost", "4.32", "4.30"),
    "two cents less": (lambda cdr: cdr.update(total_cost=4.28), "settle-total-cost", "4.28", "4.30"),
    "more energy": (lambda cdr: cdr.update(total_energy=11.001), "settle-total-energy", "11.001", "11.0"),
    "less energy": (lambda cdr: cdr.update(total_energy=10), "settle-total-energy", "10", "11.0"),
    "less time": (lambda cdr: cdr.update(total_time=1.4), "settle-total-time", "1.4", "1.5"),
    "more parking": (lambda cdr: cdr.update(total_parking_time=0.6), "settle-parking-time", "0.6", "0.5"),
    "other currency": (lambda cdr: cdr.update(currency="CHF"), "settle-currency", "CHF", "EUR"),
    "ends first": (
        lambda cdr: cdr.update(stop_date_time="2026-03-02T11:00:00Z"),
        "settle-times",
        "2026-03-02T11:00:00+00:00",
        None,
    ),
    "period before": (
        lambda cdr: cdr["charging_periods"][0].update(start_date_time="2026-03-02T11:59:00Z"),
        "settle-times",
        "2026-03-02T11:59:00+00:00",
        None,
    ),
    "hours as minutes": (lambda cdr: cdr.update(total_time=90), "settle-times", "90", "1.5000"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found_with_both_amounts(name: str) -> None:
    change, flag, stated, recomputed = WRONG[name]
    content = json.loads(json.dumps(CDR))
    change(content)
    found = json.loads(msgspec.json.encode(settle(content)))["differences"]
    [difference] = [each for each in found if each["flag"] == flag]
    assert (difference["stated"], difference["recomputed"]) == (stated, recomputed)
    assert difference["meaning"] == SETTLEMENT[flag]
    assert len(found) == (2 if name == "hours as minutes" else 1)


@pytest.mark.parametrize("cost", [4.29, 4.3, 4.31, 4.3049])
def test_one_smallest_unit_is_nothing_to_talk_about(cost: float) -> None:
    assert settle({**CDR, "total_cost": cost}).differences == ()


def test_an_end_in_the_future_is_found_but_not_for_a_clock_that_is_a_little_ahead() -> None:
    end = datetime.fromisoformat("2026-03-02T13:30:00Z")
    assert settle(CDR, end - timedelta(minutes=4)).flags == ()
    assert settle(CDR, end - timedelta(minutes=6)).flags == ("settle-times",)


NIGHT = {
    "price_components": [{"type": "ENERGY", "price": 0.1, "step_size": 1}],
    "restrictions": {"start_time": "13:30", "end_time": "06:00"},
}


def with_tariffs(*tariffs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**CDR, "tariffs": list(tariffs), **more}


def test_what_cannot_be_worked_out_is_said_and_is_no_difference() -> None:
    [tariff] = CDR["tariffs"]  # type: ignore[misc]
    local = {**tariff, "elements": [NIGHT, *tariff["elements"]]}
    nowhere = {name: value for name, value in CDR["location"].items() if name != "time_zone"}  # type: ignore[attr-defined]
    for content, why in (
        (with_tariffs(), "names no tariff"),
        (with_tariffs(tariff, {**tariff, "id": "T2"}), "several tariffs"),
        (with_tariffs(local, location=nowhere), "time zone of the location is not known"),
    ):
        found = settle({**content, "total_cost": 99})
        assert found.flags == (), why
        assert why in str(found.not_recomputed)
        assert found.recomputed.cost is None
    assert settle(with_tariffs(tariff, location=nowhere)).recomputed.cost == Decimal("4.30")


def minutes_of_the_day(count: int) -> dict[str, Any]:
    """A tariff with a price of its own for each of so many minutes of the day."""
    clocks = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(count + 1)]
    restricted = [{**NIGHT, "restrictions": {"start_time": a, "end_time": b}} for a, b in pairwise(clocks)]
    return {**CDR["tariffs"][0], "elements": restricted}  # type: ignore[index]


def test_a_tariff_and_a_session_that_together_would_take_minutes_are_not_worked_out() -> None:
    year = {"start_date_time": "2025-03-10T00:00:00Z", "stop_date_time": "2026-03-02T13:30:00Z"}
    month = {"start_date_time": "2026-02-01T12:00:00Z"}
    outside = {"charging_periods": [{**CDR["charging_periods"][0], **month}]}  # type: ignore[index]
    for elements, times in ((1000, year), (1000, month), (1000, outside)):
        assert "too many elements" in str(settle(with_tariffs(minutes_of_the_day(elements), **times)).not_recomputed)
    for elements, times in ((500, {}), (168, month)):
        assert settle(with_tariffs(minutes_of_the_day(elements), **times)).not_recomputed is None


def test_prices_of_the_day_are_by_the_clock_of_the_place() -> None:
    """From 13:30 on in Amsterdam, half an hour after the session began."""
    [tariff] = CDR["tariffs"]  # type: ignore[misc]
    found = settle(with_tariffs({**tariff, "elements": [NIGHT, *tariff["elements"]]}, total_cost=3.2))
    assert found.recomputed.cost == Decimal("3.20")  # 5.5 kWh at 0.30, 5.5 at 0.10, and 1.00 for parking
    assert found.differences == ()


def test_energy_that_is_finer_than_a_watt_hour_adds_up_to_what_it_was() -> None:
    """A hundred periods of 0.1234 kWh are 12.34 kWh; each rounded by itself would be 4 cents off."""
    begin = datetime.fromisoformat("2026-03-02T12:00:00Z")
    periods = [
        {
            "start_date_time": (begin + timedelta(seconds=36 * count)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "dimensions": [{"type": "ENERGY", "volume": 0.1234}, {"type": "TIME", "volume": 0.01}],
        }
        for count in range(100)
    ]
    tariff = {**CDR["tariffs"][0], "elements": [{"price_components": [{"type": "ENERGY", "price": 1, "step_size": 1}]}]}  # type: ignore[index]
    totals = {"total_energy": 12.34, "total_time": 1.0, "total_parking_time": 0, "total_cost": 12.34}
    found = settle(with_tariffs(tariff, charging_periods=periods, **totals))
    assert (found.flags, found.recomputed.cost) == ((), Decimal("12.34"))


@pytest.mark.skipif(not DATA.is_dir(), reason="no examples of OCPI 2.1.1 here (CHARGEWIRE_TEST_DATA)")
def test_the_cdr_of_the_specification_settles_as_it_says() -> None:
    """1.973 h at 2.00 in steps of 300 s are 24 steps, that is 4.00; it lists the time only, and so says nothing of energy."""
    [path] = DATA.rglob("mod_cdrs_01_example_of_a_cdr.json")
    found = settle(json.loads(path.read_bytes()))
    assert (found.flags, found.recomputed.cost, found.recomputed.energy) == ((), Decimal("4.00"), None)


ODD = st.one_of(
    st.sampled_from([0, -1, 1e15, -1e15, 1e-9, "1,5", "NaN"]),
    st.floats(-1e6, 1e6),
)
MOMENTS = st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-02T12:00:00", "2026-03-29T01:00:00Z", "2026-10-25T00:59:59Z"]
)
RESTRICTED = st.fixed_dictionaries(
    {},
    optional={
        "start_time": st.sampled_from(["00:00", "13:30", "23:59"]),
        "end_time": st.sampled_from(["00:00", "13:30", "24:00"]),
        "min_kwh": ODD,
        "max_duration": st.integers(0, 10**12),
        "min_power": ODD,
        "start_date": st.sampled_from(["2026-03-02", "2026-02-31"]),
        "day_of_week": st.just(["MONDAY"]),
    },
)
COMPONENT = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]),
        "price": ODD,
        "step_size": st.sampled_from([0, 1, 10**12]),
    }
)
ELEMENTS = st.lists(
    st.fixed_dictionaries({"price_components": st.lists(COMPONENT, min_size=1, max_size=2), "restrictions": RESTRICTED}),
    min_size=1,
    max_size=3,
)
DIMENSION = st.fixed_dictionaries(
    {"type": st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "MAX_CURRENT", "FLAT"]), "volume": ODD}
)
PERIODS = st.lists(
    st.fixed_dictionaries({"start_date_time": MOMENTS, "dimensions": st.lists(DIMENSION, min_size=1, max_size=3)}),
    min_size=1,
    max_size=3,
)


@given(ELEMENTS, PERIODS, MOMENTS, MOMENTS, ODD)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=500)
def test_whatever_a_partner_makes_up_is_settled_in_no_time(
    elements: Any, periods: Any, start: str, stop: str, amount: Any
) -> None:
    tariff = {**CDR["tariffs"][0], "elements": elements}  # type: ignore[index]
    times = {"start_date_time": start, "stop_date_time": stop, "charging_periods": periods}
    content = {**with_tariffs(tariff), **times, "total_cost": amount, "total_energy": amount, "total_time": amount}
    try:
        found = settle(content)
    except Refused:
        assume(False)
    assert set(found.flags) <= set(SETTLEMENT)
    assert (found.recomputed.cost is None) == (found.not_recomputed is not None)


def test_what_each_flag_means_is_written_down() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "flags.md"
    assert [flag for flag in SETTLEMENT if f"`{flag}`" not in page.read_text("utf-8")] == []
