"""Energy from registers that cannot be trusted."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Session
from chargewire.charging.tally import as_known
from charging.sessions import NOON, energy, full, started, stopped

LIFETIME = 7_654_000  # Wh


def sampled(minutes: float, *samples: Sample) -> Reading:
    return Reading(NOON + timedelta(minutes=minutes), samples)


def flags(session: Session) -> set[str]:
    return set(session.flags) - {"implausible-power"}


def test_kwh_wh_and_a_missing_unit_are_the_same_energy() -> None:
    readings = [
        sampled(10, Sample("1.25", unit="kWh")),
        sampled(20, Sample("2500", unit="Wh")),
        sampled(30, Sample("3750", unit="")),
    ]
    session = as_known(started(0), readings, None)
    assert session.energy_wh == 3_750
    assert flags(session) == set()


def test_parts_of_a_wh_are_kept_until_the_end() -> None:
    session = as_known(started(None), [energy(m, m * 0.4) for m in range(11)], None)
    assert session.energy_wh == 4


def test_phases_are_summed_where_there_is_no_total() -> None:
    def reading(minutes: float, *wh: int) -> Reading:
        return sampled(minutes, *(Sample(str(w), phase=phase) for w, phase in zip(wh, ("L1", "L2", "L3"), strict=True)))

    assert as_known(started(300), [reading(10, 200, 150, 50), reading(20, 300, 250, 150)], None).energy_wh == 400


def test_a_total_is_not_added_to_its_phases() -> None:
    reading = sampled(10, Sample("600"), Sample("200", phase="L1"), Sample("200", phase="L2"), Sample("200", phase="L3"))
    assert as_known(started(0), [reading], None).energy_wh == 600


def test_what_is_sold_is_measured_at_the_outlet_and_at_the_inlet_only_if_nothing_else_is() -> None:
    inlet = Sample("1100", location="Inlet")
    assert as_known(started(0), [sampled(10, inlet, Sample("1000"))], None).energy_wh == 1_000
    assert as_known(started(0), [sampled(10, inlet)], None).energy_wh == 1_100


def test_energy_per_interval_is_added_up_where_there_is_no_register() -> None:
    interval = "Energy.Active.Import.Interval"
    readings = [sampled(15, Sample("500", interval)), sampled(30, Sample("0.7", interval, "kWh"))]
    assert as_known(started(None), readings, None).energy_wh == 1_200


def test_habit_11_a_register_that_falls_starts_a_new_segment_and_keeps_what_was_counted() -> None:
    readings = [energy(10, 12_000), energy(20, 0), energy(30, 1_500)]
    session = as_known(started(10_000), readings, stopped(40, 2_000))
    assert session.energy_wh == 4_000
    assert flags(session) == {"register-fell"}


def test_a_single_reading_of_zero_does_not_count_the_register_twice() -> None:
    readings = [energy(10, 30_000), energy(11, 0), energy(12, 30_300)]
    session = as_known(started(28_000), readings, stopped(13, 30_500))
    assert session.energy_wh == 2_500
    assert "register-dipped" in flags(session)


def test_a_single_reading_that_is_far_too_high_does_not_count_what_cannot_have_flowed() -> None:
    readings = [energy(10, 6_000), energy(11, 90_000), energy(12, 6_300)]
    session = as_known(started(5_000), readings, stopped(20, 7_000))
    assert session.energy_wh == 2_000
    assert {"register-fell", "readings-other-base"} <= flags(session)


@pytest.mark.parametrize("stop", [LIFETIME + 2_000, None])
def test_habit_11_a_start_at_zero_before_lifetime_readings_never_bills_the_lifetime_register(stop: int | None) -> None:
    readings = [energy(15 * n, LIFETIME + 500 * n) for n in range(1, 5)]
    session = as_known(started(0), readings, stopped(60, stop))
    assert session.energy_wh == 1_500
    assert flags(session) == {"start-register-other-base"}


def test_habit_11_lifetime_registers_at_start_and_stop_win_over_readings_that_begin_at_zero() -> None:
    readings = [energy(15 * n, 490 * n) for n in range(1, 4)]
    session = as_known(started(LIFETIME), readings, stopped(60, LIFETIME + 2_000))
    assert session.energy_wh == 2_000
    assert sum(period.energy_wh for period in session.periods) == 2_000
    assert flags(session) == {"readings-other-base"}


def test_habit_11_registers_of_start_and_stop_that_begin_at_zero_win_over_lifetime_readings() -> None:
    readings = [energy(15 * n, LIFETIME + 500 * n) for n in range(4)]
    assert as_known(started(0), readings, stopped(60, 2_000)).energy_wh == 2_000


def test_habit_11_a_lifetime_start_register_before_readings_and_a_stop_that_begin_at_zero_is_left_out() -> None:
    readings = [energy(0, 0), energy(15, 500), energy(30, 1_000)]
    session = as_known(started(LIFETIME), readings, stopped(40, 1_200))
    assert session.energy_wh == 1_200
    assert flags(session) == {"start-register-other-base"}


def test_habit_11_a_register_that_jumps_to_its_lifetime_value_in_the_middle_does_not_bill_it() -> None:
    readings = [energy(0, 0), energy(10, 1_000), energy(20, LIFETIME), energy(30, LIFETIME + 500)]
    session = as_known(started(0), readings, stopped(40, LIFETIME + 700))
    assert session.energy_wh == 1_700
    assert flags(session) == {"register-jumped"}


def test_habit_12_a_first_reading_below_the_start_register_never_gives_negative_energy() -> None:
    session = as_known(started(5_000), [energy(10, 4_000), energy(20, 4_300)], None)
    assert session.energy_wh == 300
    assert flags(session) == {"start-register-other-base"}


def test_habit_12_a_stop_register_below_the_start_gives_none_and_is_flagged() -> None:
    session = as_known(started(5_000), [], stopped(10, 4_999))
    assert session.energy_wh == 0
    assert flags(session) == {"negative-energy"}


def test_a_stop_register_a_little_below_the_last_reading_wins() -> None:
    session = as_known(started(5_000), [energy(10, 6_000), energy(20, 7_000)], stopped(21, 6_990))
    assert session.energy_wh == 1_990
    assert sum(period.energy_wh for period in session.periods) == 1_990
    assert flags(session) == {"stop-register-below-reading"}


def test_a_stop_register_that_never_moved_does_not_undo_what_the_readings_saw() -> None:
    session = as_known(started(0), [energy(10, 1_000), energy(20, 2_000)], stopped(21, 0))
    assert session.energy_wh == 2_000
    assert flags(session) == {"stop-register-other-base"}


def test_a_start_register_rounded_up_is_on_the_same_base() -> None:
    session = as_known(started(1_235), [energy(10, 1_234.6), energy(20, 2_000.4)], stopped(21, 2_000))
    assert session.energy_wh == 765
    assert flags(session) == set()


def test_habit_13_kwh_labelled_wh_does_not_change_what_start_and_stop_say_and_is_flagged() -> None:
    readings = [energy(15 * n, (LIFETIME + 2_000 * n) / 1000) for n in range(4)]
    session = as_known(started(LIFETIME), readings, stopped(60, LIFETIME + 8_000))
    assert session.energy_wh == 8_000
    assert "unit-suspect" in flags(session)


def test_habit_13_energy_that_disagrees_with_power_a_thousandfold_is_flagged_and_not_corrected() -> None:
    session = as_known(started(0), [full(10, 1, 6_000), full(20, 2, 6_000)], None)
    assert session.energy_wh == 2
    assert flags(session) == {"unit-suspect"}


def test_habit_14_a_value_that_is_not_a_number_is_left_out_and_flagged() -> None:
    session = as_known(started(0), [energy(10, 1_000), sampled(15, Sample("NaN")), sampled(16, Sample("n/a"))], None)
    assert session.energy_wh == 1_000
    assert flags(session) == {"unreadable-value"}


def test_signed_data_is_not_a_number_and_that_is_no_fault() -> None:
    session = as_known(started(0), [sampled(15, Sample("AEF0", format="SignedData"), Sample("1000"))], None)
    assert session.energy_wh == 1_000
    assert flags(session) == set()


def test_habit_15_a_unit_that_fits_nothing_is_left_out_and_flagged() -> None:
    session = as_known(started(0), [energy(10, 1_000), sampled(15, Sample("50", unit="Hz"))], None)
    assert session.energy_wh == 1_000
    assert flags(session) == {"unknown-unit"}


def test_habit_16_a_begin_sample_repeated_with_every_message_does_not_stand_for_a_live_one() -> None:
    """evcc #33256 (Growatt)."""
    begin = Sample("1000", context="Transaction.Begin")
    readings = [sampled(10, Sample("2000"), begin), sampled(20, begin, Sample("3000"))]
    assert as_known(started(1_000), readings, None).energy_wh == 2_000


def test_begin_and_end_samples_stand_in_for_registers_that_are_missing() -> None:
    readings = [
        sampled(0, Sample("1000", context="Transaction.Begin")),
        sampled(10, Sample("2000")),
        sampled(20, Sample("3000", context="Transaction.End")),
    ]
    assert as_known(started(None), readings, stopped(20, None)).energy_wh == 2_000
    assert as_known(started(None), readings[::2], stopped(20, None)).energy_wh == 2_000


def test_a_reading_from_before_the_start_does_not_put_the_start_register_on_another_base() -> None:
    session = as_known(started(5_000), [energy(-3, 4_800), energy(10, 6_000)], None)
    assert session.energy_wh == 1_000
    assert flags(session) == {"reading-before-start"}


def test_power_that_no_connector_gives_is_a_flag_and_changes_nothing() -> None:
    session = as_known(started(0), [energy(60, 60_000)], stopped(60, 60_000))
    assert session.energy_wh == 60_000
    assert session.flags == ("implausible-power",)


def test_more_than_a_mwh_without_readings_is_a_flag_and_changes_nothing() -> None:
    session = as_known(started(0), [], stopped(60, 1_000_001))
    assert session.energy_wh == 1_000_001
    assert "implausible-energy" in session.flags


@given(st.lists(st.lists(st.integers(0, 800), max_size=8), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_energy_is_the_sum_of_the_segments_between_resets(segments: list[list[int]]) -> None:
    readings: list[Reading] = []
    expected = 0
    for number, steps in enumerate(segments):
        level = 100_000 - 10_000 * number  # below what any earlier segment reached
        readings.append(energy(10 * len(readings), level))
        for step in steps:
            level, expected = level + step, expected + step
            readings.append(energy(10 * len(readings), level))
    assert as_known(started(None), readings, None).energy_wh == expected
