"""What time a station means."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargewire.charging.clock import sensible, sensible_readings
from chargewire.charging.flags import CLOCK_AHEAD, CLOCK_LOCAL, CLOCK_UNSET, NO_TIME
from charging.sessions import NOON, energy

minute, hour = timedelta(minutes=1), timedelta(hours=1)


def test_a_missing_time_is_the_time_of_arrival() -> None:
    assert sensible(None, NOON) == (NOON, NO_TIME)


@pytest.mark.parametrize("year", [1970, 2000, 2010])
def test_habit_1_a_clock_that_was_never_set_is_replaced_by_the_time_of_arrival(year: int) -> None:
    assert sensible(datetime(year, 1, 1, 0, 5, tzinfo=UTC), NOON) == (NOON, CLOCK_UNSET)


@pytest.mark.parametrize("ahead", [1 * hour, 2 * hour - 2 * minute, 5.5 * hour + minute, 14 * hour])
def test_habit_1_local_time_marked_z_is_taken_back_by_its_hours(ahead: timedelta) -> None:
    at, flag = sensible(NOON + ahead, NOON)
    assert flag == CLOCK_LOCAL
    assert abs(at - NOON) <= 2 * minute


@pytest.mark.parametrize("ahead", [20 * minute, 15 * hour, timedelta(days=400)])
def test_a_clock_that_is_far_ahead_is_replaced_by_the_time_of_arrival(ahead: timedelta) -> None:
    assert sensible(NOON + ahead, NOON) == (NOON, CLOCK_AHEAD)


@given(st.timedeltas(timedelta(days=-4000), 5 * minute))
def test_times_that_are_old_or_a_little_ahead_are_kept(behind: timedelta) -> None:
    assert sensible(NOON + behind, NOON) == (NOON + behind, None)


@given(st.datetimes(), st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1)))
def test_a_sensible_time_is_never_ahead_of_arrival_by_more_than_the_tolerance(at: datetime, heard_at: datetime) -> None:
    heard_at = heard_at.replace(tzinfo=UTC)
    assert sensible(at, heard_at)[0] <= heard_at + 5 * minute


def test_habit_2_a_time_without_zone_is_utc_and_an_offset_is_respected() -> None:
    assert sensible(NOON.replace(tzinfo=None), NOON) == (NOON, None)
    assert sensible(NOON.astimezone(timezone(2 * hour)), NOON) == (NOON, None)


def test_sessions_of_years_ago_keep_their_own_times() -> None:
    at = datetime(2019, 5, 1, 8, 18, 45, tzinfo=UTC)
    assert sensible(at, NOON) == (at, None)


def test_readings_of_a_clock_that_counts_from_boot_keep_their_distances() -> None:
    boot = datetime(1970, 1, 1, tzinfo=UTC)
    readings = [energy(1, 100, at=boot), energy(3, 300, at=boot)]
    settled, flag = sensible_readings(readings, NOON)
    assert [reading.at for reading in settled] == [NOON - 2 * minute, NOON]
    assert flag == CLOCK_UNSET


def test_readings_of_two_different_wrong_clocks_stay_near_the_time_of_arrival() -> None:
    readings = [energy(1, 100, at=datetime(1970, 1, 1, tzinfo=UTC)), energy(3, 300, at=datetime(2001, 1, 1, tzinfo=UTC))]
    settled, _ = sensible_readings(readings, NOON)
    assert [reading.at for reading in settled] == [NOON, NOON]


@pytest.mark.parametrize("edge", [datetime.min, datetime.max])
@pytest.mark.parametrize("hours", [-14, 0, 14])
def test_the_ends_of_the_calendar_are_times_like_others(edge: datetime, hours: int) -> None:
    at = edge.replace(tzinfo=timezone(hours * hour))
    assert sensible(at, NOON)[0] == NOON
    assert sensible_readings([energy(0, 1, at=at)], NOON)[0][0].at == NOON


def test_good_readings_stay_as_they_are() -> None:
    readings = (energy(1, 100), energy(3, 300))
    assert sensible_readings(readings, NOON + hour) == (readings, None)
