"""A car parks when energy stopped flowing, whatever its status says."""

from datetime import timedelta

from chargewire.charging.reading import Reading, Sample
from chargewire.charging.session import Session
from chargewire.charging.tally import Tally, as_known
from charging.sessions import NOON, energy, full, started, stopped

minute = timedelta(minutes=1)


def told(session: Session) -> list[tuple[int, int, int, int]]:
    """Periods as (begin in minutes, Wh, minutes charging, minutes parking)."""
    return [
        (int((period.start - NOON) / minute), period.energy_wh, period.charging_s // 60, period.parking_s // 60)
        for period in session.periods
    ]


def test_a_quarter_in_which_a_car_stops_charging_has_two_periods() -> None:
    readings = [energy(5, 1_000), energy(10, 2_000), energy(15, 2_000), energy(20, 2_000)]
    assert told(as_known(started(0), readings, stopped(20, 2_000))) == [
        (0, 2_000, 10, 0),
        (10, 0, 0, 5),
        (15, 0, 0, 5),
    ]


def test_parking_is_dated_back_to_the_last_reading_that_saw_energy() -> None:
    readings = [energy(15, 3_000), energy(30, 3_000)]
    session = as_known(started(0), readings, None)
    assert session.parked_since == NOON + 15 * minute


def test_a_register_that_stands_still_for_less_than_five_minutes_is_not_parking() -> None:
    coarse = [energy(m, m * 60 // 100 * 100) for m in range(1, 31)]  # 3.6 kW on a register in steps of 100 Wh
    session = as_known(started(0), coarse, None)
    assert all(period.parking_s == 0 for period in session.periods)


def test_a_minute_is_enough_where_the_measured_power_confirms_it() -> None:
    readings = [full(1, 100, 6_000), full(1.5, 100, 0), full(2, 100, 0)]
    assert as_known(started(0), readings, None).parked_since == NOON + minute


def test_a_register_that_stands_still_while_power_is_measured_is_not_parking() -> None:
    readings = [full(5, 1_000, 11_000), full(15, 1_000, 11_000)]
    assert as_known(started(0), readings, None).parked_since is None


def test_less_than_100_w_is_parking() -> None:
    assert as_known(started(0), [energy(15, 3_000), energy(30, 3_024)], None).parked_since == NOON + 15 * minute
    assert as_known(started(0), [energy(15, 3_000), energy(30, 3_026)], None).parked_since is None


def test_a_car_that_waits_before_it_charges_parks() -> None:
    readings = [energy(30, 0), energy(45, 3_000)]
    assert told(as_known(started(0), readings, stopped(45, 3_000))) == [(0, 0, 0, 15), (15, 0, 0, 15), (30, 3_000, 15, 0)]


def test_a_car_that_charges_again_parks_no_longer() -> None:
    readings = [energy(15, 3_000), energy(30, 3_000), energy(45, 3_000), energy(60, 5_000)]
    session = as_known(started(0), readings, None)
    assert session.parked_since is None
    assert [parking for *_, parking in told(session)] == [0, 15, 15, 0]


def test_the_stop_register_tells_whether_a_car_parked_after_the_last_reading() -> None:
    assert told(as_known(started(0), [energy(15, 3_000)], stopped(30, 3_000)))[-1] == (15, 0, 0, 15)
    assert told(as_known(started(0), [energy(15, 3_000)], stopped(30, 4_000)))[-1] == (15, 1_000, 15, 0)


def test_a_session_that_is_over_parks_no_more() -> None:
    assert as_known(started(0), [energy(15, 3_000), energy(30, 3_000)], stopped(30, 3_000)).parked_since is None


def test_a_long_session_without_readings_charges_as_long_as_it_used_energy() -> None:
    assert told(as_known(started(0), [], stopped(15, 200)))[0] == (0, 200, 15, 0)
    assert told(as_known(started(0), [], stopped(15, 0)))[0] == (0, 0, 0, 15)


def test_the_state_of_suspended_cars_is_not_asked() -> None:
    soc = Reading(NOON + 20 * minute, (Sample("80", "SoC", "Percent"),))
    assert as_known(started(0), [energy(15, 3_000), soc], None).parked_since is None


def test_beginning_and_end_of_parking_are_urgent_once() -> None:
    tally = Tally(started(0))
    seen = []
    for reading in (energy(15, 3_000), energy(30, 3_000), energy(45, 3_000), energy(60, 6_000), energy(75, 9_000)):
        tally.add(reading)
        seen.append(tally.urgent())
    assert seen == [False, True, False, True, False]
    assert not tally.urgent()
