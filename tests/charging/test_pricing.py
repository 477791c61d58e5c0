"""What sessions cost by the elements of OCPI 2.1.1 tariffs."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chargewire.charging.cdr import Cost
from chargewire.charging.errors import Refused
from chargewire.charging.pricing import Reservation, check_tariff, explained, price
from chargewire.charging.pricing.currency import rounded
from chargewire.charging.pricing.rules import WEEKDAYS
from chargewire.charging.session import Period
from chargewire.charging.tariff import Element, PriceComponent, PriceLimit, Restrictions, Tariff
from charging.sessions import NOON

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
D = Decimal
minute = timedelta(minutes=1)


def element(kind: str, rate: str, step: int = 0, restrictions: Restrictions | None = None) -> Element:
    return Element((PriceComponent(kind, D(rate), step),), restrictions)


def tariff(*elements: Element, vat: str | None = None) -> Tariff:
    return Tariff(id="T", currency="EUR", elements=elements, vat_percent=None if vat is None else D(vat))


def charged(begin: datetime, minutes: int, wh: int = 0) -> tuple[list[Period], datetime]:
    """One long period that charges, and its end."""
    return [Period(begin, wh, minutes * 60)], begin + minutes * minute


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).astimezone(UTC)


def cost(some: Tariff, begin: datetime, minutes: int, wh: int = 0, time_zone: str = "Europe/Amsterdam") -> Decimal:
    periods, end = charged(begin, minutes, wh)
    return price(some, periods, end, time_zone).excl_vat


def night_and_day(kind: str = "TIME") -> Tariff:
    """1 an hour from 22:00 to 06:00, else 2."""
    return tariff(element(kind, "1", 0, Restrictions(start_time="22:00", end_time="06:00")), element(kind, "2"))


def test_each_line_names_its_element_and_they_add_up() -> None:
    some = tariff(element("FLAT", "0.5"), element("ENERGY", "0.35"), element("PARKING_TIME", "2"))
    periods = [Period(NOON, 10_000, 3_600), Period(NOON + 60 * minute, 0, 0, 1_800)]
    told = price(some, periods, NOON + 90 * minute, "UTC")
    assert [(line.type, line.element, line.volume, line.cost) for line in told.lines] == [
        ("FLAT", 0, D(1), D("0.5")),
        ("ENERGY", 1, D(10), D("3.5")),
        ("PARKING_TIME", 2, D("0.5"), D(1)),
    ]
    assert told.excl_vat == D("5.00")
    assert told.incl_vat is None


def test_vat_is_on_the_whole_price_and_rounded_by_itself() -> None:
    told = price(tariff(element("ENERGY", "0.25"), vat="21"), *charged(NOON, 60, 20_450), "UTC")
    assert (told.excl_vat, told.incl_vat, told.vat) == (D("5.11"), D("6.19"), D("1.08"))


def test_half_a_cent_is_rounded_up() -> None:
    assert cost(tariff(element("ENERGY", "0.25")), NOON, 60, 22_500) == D("5.63")


def test_a_discount_of_less_than_half_a_cent_is_nothing_and_not_less_than_nothing() -> None:
    assert str(rounded(Decimal("-0.004"), "EUR")) == "0.00"
    assert str(rounded(Decimal("-0.005"), "EUR")) == "-0.01"


def test_a_session_that_takes_no_time_pays_its_start_fee() -> None:
    assert cost(tariff(element("FLAT", "0.50"), element("ENERGY", "0.35")), NOON, 0) == D("0.50")


def test_nothing_costs_nothing() -> None:
    assert price(tariff(element("FLAT", "0.50")), [], NOON, "UTC") == Cost(currency="EUR", excl_vat=D("0.00"))


def test_a_tariff_without_parking_does_not_price_parking() -> None:
    periods = [Period(NOON, 10_000, 3_600), Period(NOON + 60 * minute, 0, 0, 7_200)]
    assert price(tariff(element("TIME", "2")), periods, NOON + 180 * minute, "UTC").excl_vat == D("2.00")


@pytest.mark.parametrize(
    ("begin", "minutes", "expected"),
    [
        ("2026-03-02T20:00", 240, "6.00"),  # two hours by day, two by night
        ("2026-03-02T22:00", 480, "8.00"),
        ("2026-03-02T05:30", 60, "1.50"),
        ("2026-03-28T22:00", 420, "7.00"),  # the clock jumps ahead: 22:00 to 06:00 takes seven hours
        ("2026-03-28T22:00", 480, "9.00"),
        ("2026-10-24T22:00", 540, "9.00"),  # and back: nine hours
        ("2026-10-24T22:00", 600, "11.00"),
    ],
)
def test_times_of_day_are_local_and_wrap_over_midnight(begin: str, minutes: int, expected: str) -> None:
    assert cost(night_and_day(), local(begin), minutes) == D(expected)


def test_an_hour_that_comes_twice_is_priced_twice() -> None:
    some = tariff(element("TIME", "6", 0, Restrictions(start_time="02:00", end_time="02:30")))
    assert cost(some, local("2026-10-25T00:00"), 300) == D("6.00")


def test_an_hour_that_never_comes_is_not_priced() -> None:
    some = tariff(element("TIME", "6", 0, Restrictions(start_time="02:00", end_time="03:00")))
    assert cost(some, local("2026-03-29T00:00"), 300) == D("0.00")


@pytest.mark.parametrize(("start", "end"), [("17:00", "00:00"), ("17:00", "24:00"), ("17:00", None)])
def test_midnight_as_an_end_is_the_end_of_the_day(start: str, end: str | None) -> None:
    some = tariff(element("TIME", "1", 0, Restrictions(start_time=start, end_time=end)))
    assert cost(some, local("2026-03-02T16:00"), 720) == D("7.00")


@pytest.mark.parametrize("both", ["00:00", "09:30"])
def test_from_a_time_of_day_to_the_same_is_all_day(both: str) -> None:
    some = tariff(element("TIME", "1", 0, Restrictions(start_time=both, end_time=both)))
    assert cost(some, local("2026-03-02T16:00"), 24 * 60) == D("24.00")


def test_days_of_the_week_are_local_days() -> None:
    some = tariff(element("TIME", "1", 0, Restrictions(day_of_week=("SATURDAY", "SUNDAY"))))
    assert cost(some, local("2026-03-06T23:00"), 120) == D("1.00")  # a Friday
    assert cost(some, local("2026-03-08T23:00"), 120) == D("1.00")


def test_dates_are_local_from_the_first_inclusive_to_the_last_exclusive() -> None:
    some = tariff(element("TIME", "1", 0, Restrictions(start_date="2026-03-02", end_date="2026-03-03")))
    assert cost(some, local("2026-03-01T12:00"), 48 * 60) == D("24.00")


def test_a_place_in_a_time_zone_that_nobody_knows_is_priced_by_utc() -> None:
    assert cost(night_and_day(), datetime(2026, 3, 2, 21, tzinfo=UTC), 120, time_zone="Nowhere/Land") == D("3.00")


def test_energy_thresholds_are_split_exactly() -> None:
    some = tariff(
        element("ENERGY", "0", 1, Restrictions(max_kwh=D(1))), element("ENERGY", "0.20", 1, Restrictions(min_kwh=D(1)))
    )
    assert cost(some, NOON, 60, 11_000) == D("2.00")


def test_duration_thresholds_are_split_exactly() -> None:
    some = tariff(element("TIME", "0", 0, Restrictions(max_duration=1_800)), element("TIME", "6"))
    assert cost(some, NOON, 50) == D("2.00")


def test_energy_thresholds_split_time_where_the_energy_had_flowed() -> None:
    some = tariff(element("TIME", "6", 0, Restrictions(min_kwh=D(5))))
    assert cost(some, NOON, 60, 10_000) == D("3.00")


def test_energy_thresholds_are_split_exactly_after_a_time_of_day_that_splits_the_same_period() -> None:
    some = tariff(
        element("ENERGY", "0.20", 0, Restrictions(max_kwh=D(6))),
        element("ENERGY", "0.40", 0, Restrictions(start_time="13:00", end_time="23:00")),
        element("ENERGY", "0.30"),
    )
    assert cost(some, local("2026-03-02T12:00"), 120, 10_000) == D("2.80")  # 6 kWh, five of them before one o'clock, and 4 kWh
    assert cost(some, local("2026-03-02T11:00"), 120, 10_000) == D("2.40")


def test_a_power_of_exactly_the_limit_is_at_least_it_and_not_below_it() -> None:
    above = tariff(element("ENERGY", "1", 0, Restrictions(min_power=D(11))), element("ENERGY", "2"))
    below = tariff(element("ENERGY", "1", 0, Restrictions(max_power=D(11))), element("ENERGY", "2"))
    assert cost(above, NOON, 60, 11_000) == D("11.00")
    assert cost(below, NOON, 60, 11_000) == D("22.00")


def test_the_complex_example_of_2_1_1_is_priced_per_dimension() -> None:
    """OCPI 2.1.1 mod_tariffs, complex example; its limit of 32 is in kW as the field is defined."""
    weekdays = WEEKDAYS[:5]
    some = tariff(
        element("FLAT", "2.50", 1),
        element("TIME", "1.00", 900, Restrictions(max_power=D(32))),
        element("TIME", "2.00", 600, Restrictions(min_power=D(32), day_of_week=weekdays)),
        element("TIME", "1.25", 600, Restrictions(min_power=D(32), day_of_week=("SATURDAY", "SUNDAY"))),
        element("PARKING_TIME", "5.00", 300, Restrictions(start_time="09:00", end_time="18:00", day_of_week=weekdays)),
        element("PARKING_TIME", "6.00", 300, Restrictions(start_time="10:00", end_time="17:00", day_of_week=("SATURDAY",))),
    )
    begin = local("2019-06-03T09:30")
    periods = [Period(begin, 30_000, 165 * 60), Period(begin + 165 * minute, 0, 0, 42 * 60)]
    assert price(some, periods, begin + 207 * minute, "Europe/Amsterdam").excl_vat == D("9.00")
    begin = local("2019-06-08T13:30")
    periods = [Period(begin, 80_000, 114 * 60), Period(begin + 114 * minute, 0, 0, 71 * 60)]
    assert price(some, periods, begin + 185 * minute, "Europe/Amsterdam").excl_vat == D("12.38")


def test_a_start_fee_that_depends_on_use_is_charged_once_it_applies() -> None:
    some = tariff(element("FLAT", "1", 0, Restrictions(min_kwh=D(5))))
    assert cost(some, NOON, 60, 4_000) == D("0.00")
    assert cost(some, NOON, 60, 10_000) == D("1.00")


def test_steps_round_up_once_and_what_they_add_costs_what_the_last_part_costs() -> None:
    some = tariff(element("ENERGY", "0.20", 500, Restrictions(max_kwh=D("4.3"))), element("ENERGY", "0.27", 500))
    told = price(some, *charged(NOON, 60, 5_400), "UTC")
    assert [line.volume for line in told.lines] == [D("4.3"), D("1.2")]


def test_charging_time_is_not_rounded_when_parking_follows() -> None:
    some = tariff(Element((PriceComponent("TIME", D(1), 600), PriceComponent("PARKING_TIME", D(2), 600))))
    periods = [Period(NOON, 0, 21 * 60), Period(NOON + 21 * minute, 0, 0, 16 * 60)]
    told = price(some, periods, NOON + 37 * minute, "UTC")
    assert [(line.type, round(line.volume * 60)) for line in told.lines] == [("TIME", 21), ("PARKING_TIME", 20)]


def test_a_period_that_holds_both_charges_first() -> None:
    some = tariff(element("TIME", "6", 0, Restrictions(max_duration=600)), element("PARKING_TIME", "6"))
    assert price(some, [Period(NOON, 0, 600, 300)], NOON + 15 * minute, "UTC").excl_vat == D("1.50")


@pytest.mark.parametrize(
    ("restrictions", "field"),
    [
        (Restrictions(start_time="9:00"), "elements[0].restrictions.start_time"),
        (Restrictions(end_time="25:00"), "elements[0].restrictions.end_time"),
        (Restrictions(start_date="tomorrow"), "elements[0].restrictions.start_date"),
        (Restrictions(day_of_week=("SOMEDAY",)), "elements[0].restrictions.day_of_week"),
    ],
)
def test_a_tariff_that_cannot_be_read_is_refused_by_the_name_of_the_field(restrictions: Restrictions, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_tariff(tariff(element("TIME", "1", 0, restrictions)))
    assert refused.value.field == field


def test_a_component_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(Refused, match=r"elements\[0\]\.price_components\[0\]\.type"):
        check_tariff(tariff(element("LUCK", "1")))


@pytest.mark.parametrize(
    ("currency", "expected"), [("EUR", "7.58"), ("JPY", "8"), ("KWD", "7.576"), ("CLF", "7.5758"), ("XYZ", "7.58")]
)
def test_money_is_rounded_to_the_smallest_unit_of_its_currency(currency: str, expected: str) -> None:
    some = replace(tariff(element("ENERGY", "0.75758")), currency=currency)
    told = price(some, *charged(NOON, 60, 10_000), "UTC")
    assert str(told.excl_vat) == expected
    assert told.lines[0].exact == (None if currency == "CLF" else D("7.5758"))


def test_what_rounding_gives_and_takes_goes_to_the_lines_so_that_they_add_up() -> None:
    thirds = tariff(element("FLAT", "0.333"), element("ENERGY", "0.333"), element("TIME", "0.333"))
    told = price(thirds, *charged(NOON, 60, 1_000), "UTC")
    assert told.excl_vat == D("1.00")
    assert [(line.cost, line.exact) for line in told.lines] == [
        (D("0.33"), D("0.333")),
        (D("0.34"), D("0.333")),
        (D("0.33"), D("0.333")),
    ]


def test_each_component_has_its_own_vat_and_without_one_that_of_the_tariff() -> None:
    parts = (PriceComponent("FLAT", D(1), 0, D(10)), PriceComponent("ENERGY", D(1), 0), PriceComponent("TIME", D(1), 0, D(0)))
    told = price(tariff(Element(parts), vat="21"), *charged(NOON, 60, 1_000), "UTC")
    assert [line.vat_percent for line in told.lines] == [D(10), D(21), D(0)]
    assert (told.excl_vat, told.incl_vat, told.vat, told.vat_percent) == (D(3), D("3.31"), D("0.31"), None)


def test_no_vat_is_something_else_than_a_vat_of_zero() -> None:
    assert price(tariff(element("FLAT", "1")), *charged(NOON, 1), "UTC").incl_vat is None
    told = price(tariff(element("FLAT", "1"), vat="0"), *charged(NOON, 1), "UTC")
    assert (told.incl_vat, told.vat, told.vat_percent) == (D(1), D(0), D(0))


def test_prices_that_include_vat_are_taken_apart() -> None:
    told = price(replace(tariff(element("ENERGY", "0.121"), vat="21"), tax_included=True), *charged(NOON, 60, 10_000), "UTC")
    assert (told.excl_vat, told.incl_vat, told.vat) == (D("1.00"), D("1.21"), D("0.21"))


def test_prices_that_include_a_tax_of_unknown_rate_say_what_is_paid_and_no_more() -> None:
    told = price(replace(tariff(element("ENERGY", "0.121")), tax_included=True), *charged(NOON, 60, 10_000), "UTC")
    assert (told.excl_vat, told.incl_vat, told.vat) == (D("1.21"), D("1.21"), None)


def test_the_least_price_is_a_line_of_its_own() -> None:
    some = replace(tariff(element("ENERGY", "0.30"), vat="10"), min_price=PriceLimit(D("0.50")))
    told = price(some, *charged(NOON, 10, 1_000), "UTC")
    assert [(line.details, line.element, line.cost) for line in told.lines] == [
        ("METER", 0, D("0.30")),
        ("BOUNDARY_BELOW", -1, D("0.20")),
    ]
    assert (told.excl_vat, told.incl_vat, told.vat) == (D("0.50"), D("0.55"), D("0.05"))


def test_a_session_without_energy_pays_the_least_price_and_no_session_does_not() -> None:
    some = replace(tariff(element("ENERGY", "0.30"), vat="10"), min_price=PriceLimit(D("0.50"), D("0.55")))
    assert price(some, *charged(NOON, 10, 0), "UTC").incl_vat == D("0.55")
    assert price(some, [], NOON, "UTC").excl_vat == 0


def test_amounts_with_and_without_vat_are_limited_each_by_itself() -> None:
    some = replace(tariff(element("ENERGY", "1"), vat="20"), max_price=PriceLimit(D(10), D("11.50")))
    told = price(some, *charged(NOON, 60, 9_800), "UTC")
    assert (told.excl_vat, told.incl_vat) == (D("9.80"), D("11.50"))
    assert [(line.details, line.cost) for line in told.lines] == [("METER", D("9.80")), ("BOUNDARY_ABOVE", D(0))]


RESERVABLE = tariff(
    element("FLAT", "4", 0, Restrictions(reservation="RESERVATION_EXPIRES")),
    element("TIME", "2", 600, Restrictions(reservation="RESERVATION")),
    element("FLAT", "0.5"),
    element("ENERGY", "0.25"),
)


def test_a_reservation_is_priced_beside_the_session_by_its_own_elements() -> None:
    reserved = Reservation(NOON - 22 * minute, NOON)
    told = price(RESERVABLE, *charged(NOON, 60, 20_000), "UTC", reserved)
    assert [(line.type, line.reservation, line.element, line.cost) for line in told.lines] == [
        ("TIME", True, 1, D(1)),
        ("FLAT", False, 2, D("0.5")),
        ("ENERGY", False, 3, D(5)),
    ]
    assert price(RESERVABLE, *charged(NOON, 60, 20_000), "UTC").excl_vat == D("5.50")


def test_a_reservation_that_expired_is_priced_without_a_session() -> None:
    told = price(RESERVABLE, [], NOON, "UTC", Reservation(NOON - 60 * minute, NOON, expired=True))
    assert [(line.type, line.element, line.cost) for line in told.lines] == [("FLAT", 0, D(4)), ("TIME", 1, D(2))]


def test_an_unknown_current_counts_as_none() -> None:
    some = tariff(element("ENERGY", "1", 0, Restrictions(min_current=D(16))), element("ENERGY", "2"))
    for currents, expected in (((None, None), 2), ((D(10), D(16)), 1), ((D(16), None), 1), ((D(10), D("15.9")), 2)):
        periods = [Period(NOON, 1_000, 3_600, 0, *currents)]
        assert price(some, periods, NOON + 60 * minute, "UTC").excl_vat == expected


def test_an_explanation_says_what_held_when_and_what_rounding_up_added() -> None:
    some = tariff(
        element("ENERGY", "0.40", 0, Restrictions(start_time="13:30", end_time="20:00", day_of_week=("MONDAY",))),
        element("ENERGY", "0.20", 0),
        element("PARKING_TIME", "6", 900, Restrictions(min_duration=5_400)),
    )
    periods = [Period(NOON, 10_000, 3_600), Period(NOON + 60 * minute, 0, 0, 2_400)]
    told = explained(replace(some, min_price=PriceLimit(D(50))), periods, NOON + 100 * minute, "Europe/Amsterdam")
    day, night, parked, least = told
    assert [each.line.cost for each in told] == [D(1), D(2), D("1.50"), D("45.50")]
    assert day.why == ()
    assert night.why == ("13:30 to 20:00 local time", "on Monday")
    assert [(part.start, part.end, part.volume) for part in night.parts] == [(NOON + 30 * minute, NOON + 60 * minute, D(5))]
    assert parked.why == ("from 1:30:00 after the start",)
    assert [(part.start, round(part.volume * 60)) for part in parked.parts] == [(NOON + 90 * minute, 10)]
    assert (parked.step_size, round(parked.step_added * 60)) == (900, 5)
    assert least.why == ("least price of the tariff",)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"min_price": PriceLimit(D(-1))}, "min_price.excl_vat"),
        ({"max_price": PriceLimit(D(2), D(1))}, "max_price.incl_vat"),
        ({"min_price": PriceLimit(D(2)), "max_price": PriceLimit(D(1))}, "max_price.excl_vat"),
        ({"vat_percent": D(101)}, "vat_percent"),
        ({"valid_from": NOON, "valid_until": NOON}, "valid_until"),
        (
            {"elements": (element("TIME", "1", 0, Restrictions(reservation="MAYBE")),)},
            "elements[0].restrictions.reservation",
        ),
        ({"elements": (Element((PriceComponent("TIME", D(1), 0, D(-1)),)),)}, "elements[0].price_components[0].vat"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_the_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_tariff(replace(tariff(element("TIME", "1")), **wrong))
    assert refused.value.field == field


HOURS = st.sampled_from(["00:00", "06:00", "12:10", "12:30", "13:00", "22:00"])
MAYBE_HOURS = st.one_of(st.none(), HOURS)


def maybe(values: Iterable[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), st.sampled_from(list(values)))


RESTRICTIONS = st.one_of(
    st.none(),
    st.builds(
        Restrictions,
        start_time=MAYBE_HOURS,
        end_time=MAYBE_HOURS,
        start_date=maybe(["2026-03-02", "2026-03-03"]),
        end_date=maybe(["2026-03-03", "2026-03-04"]),
        min_kwh=maybe([D(1), D("2.5")]),
        max_kwh=maybe([D(2), D("7.25")]),
        min_power=maybe([D(4), D(7)]),
        max_power=maybe([D(6), D(11)]),
        min_duration=maybe([0, 600, 3_000]),
        max_duration=maybe([900, 5_000]),
        day_of_week=st.one_of(st.just(()), st.sampled_from([("MONDAY",), ("TUESDAY", "SUNDAY")])),
        min_current=maybe([D(6), D(16)]),
        max_current=maybe([D(16), D(32)]),
    ),
)
COMPONENTS = st.builds(
    PriceComponent,
    st.sampled_from(["FLAT", "ENERGY", "TIME", "PARKING_TIME"]),
    st.integers(0, 900).map(lambda cents: D(cents) / 100),
    st.sampled_from([0, 1, 60, 300, 900]),
    maybe([D(0), D("5.2"), D(20)]),
)
LIMITS = st.one_of(
    st.none(),
    st.builds(
        lambda cents, tax: PriceLimit(D(cents) / 100, None if tax is None else D(cents + tax) / 100),
        st.integers(0, 3000),
        maybe([0, 17, 300]),
    ),
)
TARIFFS = st.builds(
    lambda elements, vat, currency, least, most, taxed: Tariff(
        id="T",
        currency=currency,
        elements=tuple(elements),
        vat_percent=vat,
        min_price=least,
        max_price=most,
        tax_included=taxed,
    ),
    st.lists(st.builds(Element, st.lists(COMPONENTS, min_size=1, max_size=3).map(tuple), RESTRICTIONS), min_size=1, max_size=5),
    maybe([D(0), D(21)]),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    LIMITS,
    LIMITS,
    st.booleans(),
)


@st.composite
def stays(draw: st.DrawFn) -> tuple[list[Period], datetime]:
    """Periods of whole minutes, each charging or parking, and their end. Energy comes in whole Wh per second."""
    at = NOON + draw(st.integers(-600, 900)) * minute
    periods = []
    for minutes, watt_hours_per_second in draw(
        st.lists(st.tuples(st.integers(1, 200), st.sampled_from([0, 1, 2, 3])), min_size=1, max_size=8)
    ):
        seconds = minutes * 60
        parking = watt_hours_per_second == 0
        periods.append(Period(at, watt_hours_per_second * seconds, 0 if parking else seconds, seconds if parking else 0))
        at += timedelta(seconds=seconds)
    return periods, at


def with_parking_in_each(stay: tuple[list[Period], datetime]) -> tuple[list[Period], datetime]:
    """Periods that charge and park, as some partners write them."""
    periods, end = stay
    return [replace(each, charging_s=each.charging_s // 3, parking_s=each.charging_s // 2) for each in periods], end


@given(some=TARIFFS, stay=stays())
@settings(max_examples=300, deadline=None)
def test_a_price_is_never_negative_and_its_lines_add_up_exactly(some: Tariff, stay: tuple[list[Period], datetime]) -> None:
    told = price(some, *stay, "Europe/Amsterdam")
    assert told.excl_vat >= 0
    assert sum((line.cost for line in told.lines), D(0)) == told.excl_vat
    for line in told.lines:
        if line.element < 0:
            assert line.cost >= 0 if line.details == "BOUNDARY_BELOW" else line.cost <= 0
            continue
        assert line.cost >= 0
        assert line.volume >= 0
        component = next(c for c in some.elements[line.element].price_components if c.type == line.type)
        assert component.price == line.price
        assert abs((line.cost if line.exact is None else line.exact) - line.cost) < 1


@given(some=TARIFFS, stay=stays())
@settings(max_examples=200, deadline=None)
def test_with_vat_is_without_vat_and_the_vat(some: Tariff, stay: tuple[list[Period], datetime]) -> None:
    told = price(some, *stay, "Europe/Amsterdam")
    if told.vat is not None:
        assert told.incl_vat == told.excl_vat + told.vat
        assert told.vat >= 0
    if told.incl_vat is None:
        assert not some.tax_included
        assert all(line.vat_percent is None for line in told.lines)


@given(some=TARIFFS, stay=stays())
@settings(max_examples=200, deadline=None)
def test_a_price_keeps_to_the_limits_of_its_tariff(some: Tariff, stay: tuple[list[Period], datetime]) -> None:
    told = price(some, *stay, "Europe/Amsterdam")
    if some.max_price:
        assert told.excl_vat <= rounded(some.max_price.excl_vat, some.currency)
        if told.incl_vat is not None and some.max_price.incl_vat is not None:
            assert told.incl_vat <= rounded(some.max_price.incl_vat, some.currency)
    elif some.min_price:
        assert told.excl_vat >= rounded(some.min_price.excl_vat, some.currency)


@given(some=TARIFFS, stay=st.one_of(stays(), stays().map(with_parking_in_each)))
@settings(max_examples=300, deadline=None)
def test_what_is_explained_is_what_is_charged(some: Tariff, stay: tuple[list[Period], datetime]) -> None:
    told = explained(some, *stay, "Europe/Amsterdam")
    assert tuple(each.line for each in told) == price(some, *stay, "Europe/Amsterdam").lines
    for each in told:
        if each.line.element >= 0:
            volume = sum((part.volume for part in each.parts), each.step_added)
            assert abs(volume - each.line.volume) < D("0.0000001")
            assert all(one.end <= other.start for one, other in pairwise(each.parts))


@given(stay=stays(), more=st.integers(1, 50_000), rate=st.integers(1, 900), step=st.sampled_from([0, 1, 500]))
@settings(max_examples=100, deadline=None)
def test_more_energy_never_costs_less(stay: tuple[list[Period], datetime], more: int, rate: int, step: int) -> None:
    some = tariff(element("ENERGY", str(D(rate) / 100), step), element("FLAT", "0.5"))
    periods, end = stay
    longer = [replace(periods[0], energy_wh=periods[0].energy_wh + more), *periods[1:]]
    assert price(some, longer, end, "UTC").excl_vat >= price(some, periods, end, "UTC").excl_vat


@given(some=TARIFFS, stay=stays())
@settings(max_examples=100, deadline=None)
def test_a_tariff_of_zeros_costs_nothing(some: Tariff, stay: tuple[list[Period], datetime]) -> None:
    free = replace(
        some,
        min_price=None,
        elements=tuple(
            replace(element, price_components=tuple(replace(c, price=D(0)) for c in element.price_components))
            for element in some.elements
        ),
    )
    assert price(free, *stay, "Europe/Amsterdam").excl_vat == 0


@given(some=TARIFFS, stay=stays(), data=st.data())
@settings(max_examples=300, deadline=None)
def test_cutting_a_period_in_two_changes_nothing(
    some: Tariff, stay: tuple[list[Period], datetime], data: st.DataObject
) -> None:
    periods, end = stay
    cut = []
    for period in periods:
        seconds = period.charging_s + period.parking_s
        first = data.draw(st.integers(0, seconds - 1))
        if first == 0:
            cut.append(period)
            continue
        wh, parking = period.energy_wh // seconds, bool(period.parking_s)
        for begin, length in ((0, first), (first, seconds - first)):
            start = period.start + timedelta(seconds=begin)
            cut.append(Period(start, wh * length, 0 if parking else length, length if parking else 0))
    whole, parts = price(some, periods, end, "Europe/Amsterdam"), price(some, cut, end, "Europe/Amsterdam")
    assert (parts.excl_vat, parts.incl_vat) == (whole.excl_vat, whole.incl_vat)
    assert [(line.element, line.type) for line in parts.lines] == [(line.element, line.type) for line in whole.lines]


@given(stay=stays(), restrictions=RESTRICTIONS)
@settings(max_examples=150, deadline=None)
def test_elements_of_one_price_cost_the_same_however_they_are_restricted(
    stay: tuple[list[Period], datetime], restrictions: Restrictions | None
) -> None:
    """The walk over the stretches of a session and the plain sum agree."""
    kinds = ("ENERGY", "TIME", "PARKING_TIME")
    plain = [element(kind, "0.37", 0) for kind in kinds]
    restricted = [element(kind, "0.37", 0, restrictions) for kind in kinds]
    walked = price(tariff(*restricted, *plain), *stay, "Europe/Amsterdam")
    assert abs(walked.excl_vat - price(tariff(*plain), *stay, "Europe/Amsterdam").excl_vat) == 0


def test_periods_of_a_whole_month_of_parking_are_priced() -> None:
    begin = local("2026-03-20T12:00")
    starts = [begin + n * 15 * minute for n in range(4 * 24 * 20)]
    assert all(later - earlier == 15 * minute for earlier, later in pairwise(starts))
    told = price(
        night_and_day("PARKING_TIME"), [Period(s, 0, 0, 900) for s in starts], starts[-1] + 15 * minute, "Europe/Amsterdam"
    )
    hours = 24 * 20
    assert told.excl_vat == D(hours * 2 - (20 * 8 - 1))  # one night hour was never there


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1E+400", "1000000001"])
def test_a_price_that_no_sum_of_money_can_hold_is_refused(price: str) -> None:
    tariff = Tariff(
        id="T", currency="EUR", elements=(Element(price_components=(PriceComponent("ENERGY", Decimal(price), 1),)),)
    )
    with pytest.raises(Refused, match="must be a number"):
        check_tariff(tariff)
