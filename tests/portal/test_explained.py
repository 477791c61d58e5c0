"""Explanations: their numbers are those of the CDR, whatever its tariff; and what people see of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chargewire.charging.cdr import Cdr
from chargewire.charging.correcting import credit_for
from chargewire.charging.errors import Refused
from chargewire.charging.facts import Metered, SessionEnded
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Period
from chargewire.charging.tariff import Tariff
from chargewire.csms.explaining import Explanation, ReadingTold, explain, explain_session
from chargewire.csms.tariff_input import put_tariff
from chargewire.journal import open_journal
from chargewire.journal.memory import Journal, Ref, Unit, Write
from chargewire.portal.course import MOST_STEPS, Step, averages, course_of
from chargewire.portal.explained_picture import as_svg
from chargewire.portal.explained_text import as_text
from charging.test_correcting import made
from charging.test_pricing import TARIFFS, stays
from csms.floor import CPO, Floor

T0 = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
minute = timedelta(minutes=1)
DAY_AND_NIGHT = b"""{"currency": "EUR", "vat_percent": 21, "elements": [
  {"price_components": [{"type": "ENERGY", "price": 0.25, "step_size": 1}],
   "restrictions": {"start_time": "10:00", "end_time": "12:00"}},
  {"price_components": [{"type": "ENERGY", "price": 0.45, "step_size": 1}]}]}"""


async def explained_as_it_is_kept(cdrs: list[Cdr], which: str) -> list[Explanation]:
    """The explanations of CDRs that are in the journal without their sessions."""
    journal = await open_journal("sqlite://:memory:")
    try:
        floor = Floor(journal)
        await floor.furnish()
        writes = [Write(ref=Ref("cdr", CPO, cdr.id), content=cdr, expect=0, what="new") for cdr in cdrs]
        await journal.append(Unit(place="LOC1", writes=writes))
        return [await explain(journal, floor.directory, cdr.id, which) for cdr in cdrs]
    finally:
        await journal.close()


@given(some=TARIFFS, retail=TARIFFS, stay=stays(), which=st.sampled_from(["wholesale", "retail"]))
@settings(max_examples=40, deadline=None)
def test_the_numbers_of_an_explanation_are_those_of_the_cdr(
    some: Tariff, retail: Tariff, stay: tuple[list[Period], datetime], which: str
) -> None:
    cdr = replace(made(some, stay, retail, retail), retail_tariff=retail)
    told, taken_back = asyncio.run(explained_as_it_is_kept([cdr, credit_for(cdr, "wrong")], which))
    cost = cdr.cost if which == "wholesale" else cdr.retail
    assert cost is not None
    assert (told.excl_vat, told.incl_vat, told.vat, told.currency) == (cost.excl_vat, cost.incl_vat, cost.vat, cost.currency)
    assert sum((line.cost for line in told.lines), Decimal(0)) == told.excl_vat
    assert [line.cost for line in told.lines] == [line.cost for line in cost.lines]
    for line in told.lines:
        if line.element >= 0:
            parts = sum((part.volume for part in line.parts), Decimal(0)) + line.step_added
            assert abs(parts - line.volume) <= Decimal("1e-8") * (len(line.parts) + 1)
    assert [line.why for line in taken_back.lines] == [line.why for line in told.lines]
    assert sum((line.cost for line in taken_back.lines), Decimal(0)) == taken_back.excl_vat == -told.excl_vat
    for each in (told, taken_back):
        assert f"{each.excl_vat} {each.currency}" in as_text(each)
        ElementTree.fromstring(as_svg(each))


async def test_a_line_that_is_priced_otherwise_today_is_told_as_it_was_charged(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 7000, T0 + 60 * minute)
    (cdr,) = await floor.cdrs()
    [line] = cdr.cost.lines
    other = replace(cdr, id="older", cost=replace(cdr.cost, lines=(replace(line, volume=Decimal("7.5")),)))
    await floor.journal.append(
        Unit(place="LOC1", writes=[Write(ref=Ref("cdr", CPO, "older"), content=other, expect=0, what="new")])
    )
    assert [bool(each.parts) for each in (await explain(floor.journal, floor.directory, cdr.id)).lines] == [True]
    [told] = (await explain(floor.journal, floor.directory, "older")).lines
    assert (told.volume, told.cost, told.parts) == (Decimal("7.5"), line.cost, ())


@pytest.fixture
async def floor(journal: Journal) -> Floor:
    floor = Floor(journal)
    await floor.furnish()
    await put_tariff(floor.registry, CPO, "T1", DAY_AND_NIGHT)
    return floor


async def test_a_running_session_is_explained_as_far_as_it_went(floor: Floor) -> None:
    begun = await floor.starts(register_wh=1000, at=T0)
    for count in range(1, 9):
        await floor.meters(begun.transaction_id, 1000 + 2000 * count, T0 + 15 * minute * count)
    await floor.flush()
    (session,) = await floor.sessions()
    told = await explain_session(floor.journal, session.id)
    assert (told["status"], told["energy_kwh"], told["start_register_wh"]) == ("ACTIVE", Decimal(16), 1000)
    assert sum(line.cost for line in told["lines"]) == told["excl_vat"] == Decimal("5.60")
    assert [(line.volume, line.why) for line in told["lines"]] == [
        (Decimal(8), ()),  # from 9 to 10, local time
        (Decimal(8), ("10:00 to 12:00 local time",)),
    ]


async def test_a_session_whose_energy_is_beyond_all_money_is_refused_in_words(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 10**24, T0 + 60 * minute)
    (session,) = await floor.sessions()
    assert session.flags == ("implausible-energy", "implausible-power", "unpriceable")
    with pytest.raises(Refused, match="beyond any sum of money"):
        await explain_session(floor.journal, session.id)


async def test_flagged_readings_and_late_ones_are_shown_with_the_others(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.meters(begun.transaction_id, 5000, T0 + 30 * minute)
    odd = Reading(T0 + 40 * minute, (Sample("6000"), Sample("much", "Power.Active.Import", "W")))
    await floor.tell(Metered(connector_number=1, transaction_id=begun.transaction_id, readings=(odd,)), "MeterValues")
    last = Reading(T0 + 59 * minute, (Sample("6990"),))
    ended = SessionEnded(transaction_id=begun.transaction_id, register_wh=7000, at=T0 + 60 * minute, readings=(last,))
    await floor.tell(ended, "StopTransaction")
    await floor.meters(begun.transaction_id, 9900, T0 + 50 * minute)  # late: kept, and changes nothing
    (cdr,) = await floor.cdrs()
    told = await explain(floor.journal, floor.directory, cdr.id)
    assert [(each.register_wh, each.flags) for each in told.readings] == [
        (5000, ()),
        (6000, ("unreadable-value",)),
        (9900, ("readings-late",)),
        (6990, ()),
    ]
    assert max(step.kw for step in course_of(told)) == 10
    assert told.energy_kwh == 7
    assert [(flag.flag, flag.group) for flag in told.flags] == [("unreadable-value", "measurement")]
    text = as_text(told)
    assert "! unreadable-value (measurement): " in text
    assert "09:50:00  9900 Wh  ! readings-late" in text


def test_the_text_shows_the_first_and_last_readings_and_odd_ones_between() -> None:
    readings = [at(count, 100.0 * count) for count in range(1, 31)]
    readings[14] = ReadingTold(at=readings[14].at, register_wh=None, power_w=7200, flags=("unknown-unit",))
    lines = as_text(explanation(tuple(readings))).splitlines()
    meter = [
        line.split("  ")[2:] if "Wh" in line or "!" in line else line
        for line in lines
        if line.startswith("  2026") or line == "  …"
    ]
    assert meter == [
        ["100 Wh"],
        ["200 Wh"],
        ["300 Wh"],
        ["400 Wh"],
        "  …",
        ["7.2 kW", "! unknown-unit"],
        "  …",
        ["2700 Wh"],
        ["2800 Wh"],
        ["2900 Wh"],
        ["3000 Wh"],
    ]


async def test_of_very_many_readings_some_are_shown_and_all_are_counted(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chargewire.csms.explaining.MOST_READINGS", 10)
    begun = await floor.starts(register_wh=0, at=T0)
    for count in range(1, 36):
        await floor.meters(begun.transaction_id, 100 * count, T0 + count * minute)
    await floor.stops(begun.transaction_id, 3600, T0 + 36 * minute)
    (cdr,) = await floor.cdrs()
    told = await explain(floor.journal, floor.directory, cdr.id)
    assert told.readings_in_all == 35
    assert [each.register_wh for each in told.readings] == [*range(100, 3500, 400), 3500]


def explanation(readings: tuple[ReadingTold, ...], hours: int = 1, **more: object) -> Explanation:
    known = {"id": "c", "session_id": "s", "price": "wholesale", "tariff_id": "T<&>", "currency": "EUR", "time_zone": "UTC"}
    zeros = dict.fromkeys(["energy_kwh", "charging_h", "parking_h", "excl_vat"], "0")
    empty = {"vat": None, "incl_vat": None, "lines": [], "periods": [], "flags": [], "readings_in_all": len(readings)}
    registers = {"start_register_wh": None, "stop_register_wh": None}
    times = {"start": T0, "stop": T0 + timedelta(hours=hours), "readings": msgspec.to_builtins(readings)}
    return msgspec.convert(known | zeros | empty | registers | times | more, Explanation, strict=False)


def at(minutes: float, register_wh: float | None = None, power_w: float | None = None) -> ReadingTold:
    return ReadingTold(at=T0 + minutes * minute, register_wh=register_wh, power_w=power_w)


def test_power_is_what_the_register_rose_by_and_readings_of_something_else_do_not_count() -> None:
    told = explanation((at(15, 2500), at(20), at(30, 5000, 9000), at(45, 5000)), start_register_wh=0, stop_register_wh=5000)
    assert [step.kw for step in course_of(told)] == [10, 10, 0, 0]


def test_without_a_register_power_is_as_it_was_measured() -> None:
    told = explanation((at(15, power_w=7000), at(30, power_w=3000)))
    assert [step.kw for step in course_of(told)] == [7, 7, 3]


def test_without_readings_power_is_that_of_the_periods() -> None:
    periods = [{"start": T0, "energy_wh": 2500}, {"start": T0 + 15 * minute, "energy_wh": 0}]
    assert [step.kw for step in course_of(explanation((), periods=periods))] == [10, 0]


@given(
    kws=st.lists(st.tuples(st.integers(1, 100), st.floats(0, 350)), min_size=1, max_size=50),
    count=st.integers(1, 100),
)
def test_averaging_keeps_the_energy(kws: list[tuple[int, float]], count: int) -> None:
    steps, begin = [], T0
    for minutes, kw in kws:
        steps.append(Step(begin, begin + minutes * minute, kw))
        begin += minutes * minute
    energy = sum(minutes * kw for minutes, kw in kws)
    whole = (begin - T0) / minute
    assert sum(averages(steps, T0, begin, count)) * whole / count == pytest.approx(energy, rel=1e-6, abs=1e-6)


def test_a_course_of_many_readings_is_drawn_with_no_more_steps_than_can_be_seen() -> None:
    told = explanation(tuple(at(count / 10, 100 * count) for count in range(1, 600)), start_register_wh=0)
    assert len(course_of(told)) == MOST_STEPS


def test_names_cannot_break_out_of_a_picture() -> None:
    assert "T&lt;&amp;&gt;" in as_svg(explanation(()))


def test_a_session_of_no_time_has_a_text_and_a_picture() -> None:
    told = explanation((), hours=0)
    assert "0 kWh" in as_text(told)
    ElementTree.fromstring(as_svg(told))
