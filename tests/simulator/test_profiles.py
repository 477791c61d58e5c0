"""Charging profiles: the rules, and what an independent implementation makes of the same profiles."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chargewire.protocols.ocpp.v16.profiles import ChargingProfile, ClearChargingProfile
from chargewire.simulator.profiles import Limit, Profiles, Running, composite

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RUNNING = Running(NOON, 7)
NO_LIMIT = Limit(48.0, "A")


def profile(number: int = 1, **changes: Any) -> ChargingProfile:
    schedule = {
        "chargingRateUnit": changes.pop("unit", "A"),
        "startSchedule": "2026-06-01T12:00:00Z",
        "chargingSchedulePeriod": changes.pop("periods", [{"startPeriod": 0, "limit": changes.pop("limit", 16)}]),
    } | changes.pop("schedule", {})
    whole = {
        "chargingProfileId": number,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    } | changes
    return msgspec.convert(whole, ChargingProfile)


def limit_a(profiles: Profiles, at: datetime = NOON, running: Running | None = RUNNING, connector: int = 1) -> float | None:
    limit = profiles.connector_limit(connector, at, running)
    return limit.amps() if limit else None


def test_without_profiles_nothing_is_limited() -> None:
    assert limit_a(Profiles()) is None


def test_the_highest_stack_level_that_runs_now_leads_and_the_lower_shows_through_its_gaps() -> None:
    profiles = Profiles()
    assert profiles.install(1, profile(1, limit=10), None)
    assert profiles.install(1, profile(2, limit=20, stackLevel=3, schedule={"duration": 600}), None)
    assert limit_a(profiles) == 20
    assert limit_a(profiles, NOON + timedelta(seconds=600)) == 10


def test_a_tx_profile_hides_the_default_and_dies_with_its_transaction() -> None:
    profiles = Profiles()
    profiles.install(0, profile(1, limit=10), None)
    assert profiles.install(1, profile(2, limit=20, chargingProfilePurpose="TxProfile", transactionId=7), RUNNING)
    assert limit_a(profiles) == 20
    assert limit_a(profiles, running=None) == 10
    profiles.transaction_over(1)
    assert limit_a(profiles) == 10


def test_a_default_of_the_connector_hides_that_of_the_station() -> None:
    profiles = Profiles()
    profiles.install(0, profile(1, limit=10, stackLevel=5), None)
    profiles.install(1, profile(2, limit=20), None)
    assert limit_a(profiles, connector=1) == 20
    assert limit_a(profiles, connector=2) == 10


def test_the_same_id_and_the_same_place_are_replaced() -> None:
    profiles = Profiles()
    profiles.install(1, profile(1, limit=10), None)
    profiles.install(1, profile(2, limit=12), None)
    profiles.install(2, profile(2, limit=14), None)
    assert limit_a(profiles, connector=1) is None
    assert limit_a(profiles, connector=2) == 14


def test_a_relative_profile_counts_from_the_start_of_the_transaction() -> None:
    profiles = Profiles()
    periods = [{"startPeriod": 0, "limit": 8}, {"startPeriod": 60, "limit": 16}]
    profiles.install(1, profile(chargingProfileKind="Relative", periods=periods), None)
    assert limit_a(profiles, NOON + timedelta(seconds=59)) == 8
    assert limit_a(profiles, NOON + timedelta(seconds=60)) == 16


def test_a_daily_profile_comes_back_and_waits_for_the_day_from_which_it_is_valid() -> None:
    profiles = Profiles()
    daily = profile(
        chargingProfileKind="Recurring", recurrencyKind="Daily", validFrom="2026-06-01T00:00:00Z", schedule={"duration": 3600}
    )
    profiles.install(1, daily, None)
    assert limit_a(profiles, NOON - timedelta(hours=23, minutes=30)) is None
    assert limit_a(profiles, NOON + timedelta(days=3, minutes=59)) == 16
    assert limit_a(profiles, NOON + timedelta(days=3, minutes=61)) is None


@pytest.mark.parametrize(
    ("connector", "wrong"),
    [
        (1, profile(chargingProfilePurpose="ChargePointMaxProfile")),
        (0, profile(chargingProfilePurpose="TxProfile")),
        (1, profile(chargingProfilePurpose="TxProfile", transactionId=8)),
        (1, profile(periods=[{"startPeriod": 5, "limit": 1}])),
        (1, profile(periods=[{"startPeriod": 0, "limit": 1}, {"startPeriod": 0, "limit": 2}])),
        (1, profile(chargingProfileKind="Recurring")),
        (1, profile(stackLevel=99)),
    ],
)
def test_a_profile_that_breaks_a_rule_is_not_taken(connector: int, wrong: ChargingProfile) -> None:
    assert not Profiles().install(connector, wrong, RUNNING)


def test_a_tx_profile_needs_a_transaction() -> None:
    assert not Profiles().install(1, profile(chargingProfilePurpose="TxProfile"), None)


def test_clear_takes_the_id_alone_or_all_that_match_every_field() -> None:
    profiles = Profiles()
    profiles.install(1, profile(1, stackLevel=1), None)
    profiles.install(1, profile(2, stackLevel=2), None)
    assert not profiles.clear(ClearChargingProfile(connector_id=2))
    assert profiles.clear(ClearChargingProfile(id=1, connector_id=2))
    assert not profiles.clear(ClearChargingProfile(connector_id=1, stack_level=1))
    assert profiles.clear(ClearChargingProfile())
    assert not profiles


def test_watts_and_amps_are_converted_by_the_phases_in_use() -> None:
    assert Limit(16, "A").watts(3) == 11_040
    assert Limit(16, "A").watts(1) == 3_680
    assert Limit(16, "A", 1).watts(3) == 3_680
    assert Limit(11_040, "W").amps(3) == 16


def cases() -> list[Any]:
    """Composite schedules that libocpp's own tests assert, for the questions that we answer: one connector, OCPP 1.6."""
    folder = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "ocpp-smart-charging-libocpp"
    if not folder.exists():
        return []
    found = json.loads((folder / "expected_composites.json").read_text())["cases"]
    mine = [case for case in found if case["ver"] == "v16" and case.get("evse_count", 1) == 1 and "note" not in case]
    return [pytest.param(folder / "v16", case, id=f"{case['test']}-{case['case']}") for case in mine]


CASES = cases()


@pytest.mark.skipif(not CASES, reason="no libocpp composites in the test data")
@pytest.mark.parametrize(("folder", "case"), CASES)
def test_a_composite_schedule_is_what_libocpp_makes_of_it(folder: Path, case: dict[str, Any]) -> None:
    begin, end = (datetime.fromisoformat(case[name]) for name in ("start", "end"))
    opened = case["open_transactions"]
    since = datetime.fromisoformat(opened[0]["start"]) if opened and opened[0].get("start") else begin
    running = Running(since) if opened or case["assume_transaction"] else None
    profiles = Profiles()
    for each in case["profiles"]:
        for path in sorted((folder / each["path"]).glob("*.json")) if each["path"].endswith("/") else [folder / each["path"]]:
            assert profiles.install(each["evse"], _lenient(path), running), path
    schedule = composite(
        profiles, case["evse"] or 1, begin, int((end - begin).total_seconds()), case["unit"], running, NO_LIMIT
    )
    got = [(period.start_period, period.limit) for period in schedule.charging_schedule_period]
    assert got == [(period["startPeriod"], pytest.approx(period["limit"], abs=0.06)) for period in case["expected"]]


def _lenient(path: Path) -> ChargingProfile:
    """A profile of the test data; some carry an `id` in the schedule, which is a word of 2.x, and one has no unit."""
    raw = json.loads(path.read_text())
    raw["chargingSchedule"].pop("id", None)
    raw["chargingSchedule"].setdefault("chargingRateUnit", "A")
    raw.pop("transactionId", None)
    return msgspec.convert(raw, ChargingProfile)
