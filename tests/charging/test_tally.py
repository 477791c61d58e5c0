"""A session is a function of the set of its facts."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chargewire.charging.flags import IMPLAUSIBLE_DURATION, READING_AFTER_STOP, STOP_BEFORE_START
from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Session, SessionStatus, Stopped
from chargewire.charging.tally import Tally, as_known, closed_from_last
from charging.sessions import CONNECTOR, NOON, energy, full, started, stopped

SAMPLES = st.one_of(
    st.builds(Sample, st.integers(0, 30_000).map(str)),
    st.builds(
        Sample,
        st.integers(0, 30_000).map(str),
        context=st.sampled_from(["Sample.Clock", "Transaction.Begin", "Transaction.End"]),
    ),
    st.builds(Sample, st.integers(0, 9_000).map(str), phase=st.sampled_from(["L1", "L2", "L3", "L1-N"])),
    st.builds(Sample, st.floats(0, 30).map(str), unit=st.just("kWh"), location=st.sampled_from(["Outlet", "Inlet"])),
    st.builds(Sample, st.integers(0, 500).map(str), st.just("Energy.Active.Import.Interval")),
    st.builds(Sample, st.integers(0, 22_000).map(str), st.just("Power.Active.Import"), st.just("W")),
    st.builds(
        Sample, st.integers(0, 32).map(str), st.just("Current.Import"), st.just("A"), phase=st.sampled_from(["L1", "L2", None])
    ),
    st.builds(Sample, st.integers(0, 100).map(str), st.just("SoC"), st.just("Percent")),
    st.just(Sample("NaN")),
)
READINGS = st.lists(
    st.builds(
        lambda at, samples: Reading(NOON + timedelta(seconds=at), tuple(samples)),
        st.one_of(st.integers(-60, 9_000), st.integers(0, 20).map(lambda quarter: quarter * 450)),
        st.lists(SAMPLES, min_size=1, max_size=3),
    ),
    max_size=25,
)
STOPS = st.one_of(st.none(), st.builds(stopped, st.integers(-5, 160), st.one_of(st.none(), st.integers(0, 40_000))))
REGISTERS = st.one_of(st.none(), st.just(0), st.integers(0, 20_000))


def told_in_order(session: Session) -> None:
    """What is true of every session, however odd its readings."""
    starts = [period.start for period in session.periods]
    assert starts == sorted(starts)
    assert all(period.energy_wh >= 0 and period.charging_s >= 0 and period.parking_s >= 0 for period in session.periods)
    assert sum(period.energy_wh for period in session.periods) == session.energy_wh
    if session.periods:
        assert starts[0] == session.started.at
        end = session.stopped.at if session.stopped else max(session.started.at, session.last_reading_at or session.started.at)
        seconds = sum(period.charging_s + period.parking_s for period in session.periods)
        assert abs(seconds - (end - session.started.at).total_seconds()) <= 5  # a reading just before a quarter counts as on it


@given(register=REGISTERS, readings=READINGS, stop=STOPS, data=st.data())
@settings(max_examples=400, deadline=None)
def test_order_and_repetition_of_readings_make_no_difference(
    register: int | None, readings: list[Reading], stop: Stopped | None, data: st.DataObject
) -> None:
    expected = as_known(started(register), readings, stop)
    told_in_order(expected)
    again = data.draw(st.lists(st.sampled_from(readings), max_size=8)) if readings else []
    tally = Tally(started(register))
    for number, reading in enumerate(data.draw(st.permutations([*readings, *again]))):
        tally.add(reading)
        if number % 3 == 0:
            told_in_order(tally.session())
        if number % 7 == 0:
            tally.session(stop)
    assert tally.session(stop) == expected
    assert tally.session() == as_known(started(register), readings, None)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_running_session_is_at_each_moment_what_is_known_so_far(data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.sampled_from([0, 0, 1, 50, 400]), min_size=1, max_size=80))
    readings, wh = [], 0
    for number, step in enumerate(steps):
        wh += step
        readings.append(full(number + 1, wh, step * 60))
    tally = Tally(started(0))
    for number, reading in enumerate(readings):
        tally.add(reading)
        assert tally.session() == as_known(started(0), readings[: number + 1], None)
    assert tally.session().energy_wh == wh


def test_energy_of_a_clean_session_is_stop_minus_start_to_the_wh() -> None:
    session = as_known(started(1_234_567), [energy(15, 1_236_000), energy(30, 1_239_111)], stopped(33, 1_239_500))
    assert session.energy_wh == 1_239_500 - 1_234_567
    assert session.status is SessionStatus.COMPLETED
    assert session.flags == ()


def test_periods_are_clock_aligned_quarters_from_start_to_stop() -> None:
    session = as_known(started(0, NOON + timedelta(minutes=7)), [energy(20, 2_000), energy(50, 8_000)], stopped(52, 8_400))
    assert [period.start - NOON for period in session.periods] == [timedelta(minutes=m) for m in (7, 15, 30, 45)]
    assert [period.charging_s for period in session.periods] == [480, 900, 900, 420]


def test_energy_between_two_readings_is_spread_evenly() -> None:
    session = as_known(started(0), [energy(60, 10_001)], stopped(60, 10_001))
    assert [period.energy_wh for period in session.periods] == [2_500, 2_501, 2_500, 2_500]


def test_a_session_without_readings_is_spread_evenly_over_its_time() -> None:
    session = as_known(started(500), [], stopped(30, 5_500))
    assert [period.energy_wh for period in session.periods] == [2_500, 2_500]


def test_a_session_may_stop_when_it_starts() -> None:
    session = as_known(started(0), [], stopped(0, 0))
    assert session.energy_wh == 0
    assert [period.start for period in session.periods] == [NOON]


def test_energy_of_a_session_that_takes_no_time_is_kept_and_flagged() -> None:
    session = as_known(started(1_000), [], stopped(0, 13_000))
    assert session.energy_wh == 12_000
    assert [period.energy_wh for period in session.periods] == [12_000]
    assert "implausible-power" in session.flags


def test_a_stop_before_the_start_ends_the_session_where_it_began() -> None:
    session = as_known(started(0), [], stopped(-10, 0))
    assert session.stopped is not None
    assert session.stopped.at == NOON
    assert STOP_BEFORE_START in session.flags


def test_a_reading_after_the_stop_is_flagged_and_the_session_still_ends_at_its_stop() -> None:
    session = as_known(started(0), [energy(10, 1_000), energy(25, 2_500)], stopped(20, 2_500))
    assert session.energy_wh == 2_500
    assert READING_AFTER_STOP in session.flags
    assert sum(period.charging_s for period in session.periods) == 1_200


def test_a_refused_token_makes_an_invalid_session_running_or_over() -> None:
    assert as_known(started(0, accepted=False), [], None).status is SessionStatus.INVALID
    assert as_known(started(0, accepted=False), [], stopped(5, 0)).status is SessionStatus.INVALID


def test_a_session_that_runs_is_active_and_as_far_as_its_last_reading() -> None:
    session = as_known(started(0), [energy(20, 4_000)], None)
    assert session.status is SessionStatus.ACTIVE
    assert session.last_reading_at == NOON + timedelta(minutes=20)
    assert [period.charging_s for period in session.periods] == [900, 300]


def test_a_session_without_a_reading_yet_has_no_periods() -> None:
    session = as_known(started(0), [], None)
    assert session.periods == ()
    assert session.energy_wh == 0


def test_current_power_and_state_of_charge_are_taken_per_period() -> None:
    soc = Reading(NOON + timedelta(minutes=16), (Sample("81.4", "SoC", "Percent", location="EV"),))
    readings = [full(5, 900, 11_000, 16), full(10, 1_700, 9_500, 13.9), full(16, 2_300, 4_000, 6), soc]
    session = as_known(started(0), readings, None)
    assert [(str(p.min_current_a), str(p.max_current_a), p.max_power_w) for p in session.periods] == [
        ("13.9", "16", 11_000),
        ("6", "6", 4_000),
    ]
    assert session.state_of_charge == 81


def test_a_clock_aligned_sample_a_few_seconds_off_counts_as_on_the_quarter() -> None:
    """Habit 29 (libocpp #445)."""
    late = energy(15 + 4 / 60, 3_000, context="Sample.Clock")
    early = energy(30 - 3 / 60, 6_000, context="Sample.Clock")
    session = as_known(started(0), [late, early], stopped(45, 9_100))
    assert [period.energy_wh for period in session.periods] == [3_000, 3_000, 3_100]


def test_a_session_closed_from_its_last_reading_ends_there() -> None:
    readings = [energy(10, 1_000), energy(20, 2_000)]
    stop = closed_from_last(started(0), reversed_(readings))
    assert stop.at == NOON + timedelta(minutes=20)
    assert stop.abnormal
    assert as_known(started(0), readings, stop).energy_wh == 2_000
    tally = Tally(started(0))
    for reading in readings:
        tally.add(reading)
    assert tally.closed_from_last() == stop


def test_a_session_closed_without_any_reading_ends_where_it_began() -> None:
    assert closed_from_last(started(0), []).at == NOON


def test_a_week_is_long() -> None:
    assert IMPLAUSIBLE_DURATION in as_known(started(0), [], stopped(7 * 24 * 60 + 1, 50_000)).flags
    assert IMPLAUSIBLE_DURATION not in as_known(started(0), [], stopped(7 * 24 * 60, 50_000)).flags


def test_ten_thousand_readings_give_the_same_as_all_at_once() -> None:
    readings = [energy(minute, minute * 7) for minute in range(1, 10_001)]
    tally = Tally(started(0, connector=CONNECTOR))
    for number, reading in enumerate(readings):
        tally.add(reading)
        if number % 100 == 0:
            tally.session()
    session = tally.session(stopped(10_000, 70_000))
    assert session == as_known(started(0), readings, stopped(10_000, 70_000))
    assert all(later.start > earlier.start for earlier, later in pairwise(session.periods))


def reversed_(readings: list[Reading]) -> list[Reading]:
    return readings[::-1]


def test_years_between_start_and_stop_make_days_of_periods_and_no_half_million_quarters() -> None:
    years = 13 * 365 * 24 * 60
    readings = [energy(minutes, minutes / 60) for minutes in (10, 40 * 1440 + 7, years // 2)]
    session = as_known(started(0), readings, stopped(years, 120_000))
    assert len(session.periods) < 31 * 96 + 13 * 366
    assert sum(period.energy_wh for period in session.periods) == session.energy_wh
    assert sum(period.charging_s + period.parking_s for period in session.periods) == years * 60
    tally = Tally(started(0))
    for reading in readings[::-1]:
        tally.add(reading)
        tally.session()
    assert tally.session(stopped(years, 120_000)) == session
