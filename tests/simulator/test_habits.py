"""Bad habits: what comes out of them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chargewire.charging.facts import Metered, SessionEnded, SessionStarted
from chargewire.charging.reading import Reading, Sample
from chargewire.protocols.ocpp.v16.station import write_call
from chargewire.simulator.car import Car
from chargewire.simulator.habits import HABITS, Habits
from simulator.conftest import living
from simulator.foreign_csms import ForeignCsms, call, until

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
START = SessionStarted(connector_number=1, token_uid="T", register_wh=1500, at=AT)
METER = Metered(connector_number=1, readings=(Reading(AT, (Sample("1500"),)),), transaction_id="7")
STOP = SessionEnded(transaction_id="7", register_wh=2500, at=AT)


def written(habit: str, fact: Any) -> list[dict[str, Any]]:
    """The messages that a station with a habit makes of a fact."""
    habits = Habits([habit], switched_on=AT)
    return [json.loads(habits.written(*write_call(told))) for told in habits.told(fact)]


def test_a_station_without_habits_writes_what_is() -> None:
    habits = Habits()
    action, payload = write_call(METER)
    assert habits.told(METER) == (METER,)
    assert habits.written(action, payload) is payload
    assert not any(habits.loses_answer() for _ in range(9))


@pytest.mark.parametrize(
    ("habit", "fact", "changes"),
    [
        ("unset-clock", START, {"timestamp": "1970-01-01T00:00:00Z"}),
        ("local-time", START, {"timestamp": "2026-11-24T10:00:00Z"}),
        ("numbers", START, {"meterStart": 1500.4}),
        ("numbers", METER, {"meterValue": [{"timestamp": "2026-11-24T08:00:00Z", "sampledValue": [{"value": 1500.0}]}]}),
        ("minus-one", STOP, {"transactionId": -1}),
        ("zero-id", METER, {"transactionId": 0}),
        ("huge-id", METER, {"transactionId": 9223372036854775807}),
    ],
)
def test_a_habit_changes_what_it_says(habit: str, fact: Any, changes: dict[str, Any]) -> None:
    [message] = written(habit, fact)
    plain = json.loads(write_call(fact)[1])
    assert message == plain | changes


def test_no_id_leaves_the_id_out() -> None:
    assert "transactionId" not in written("no-id", METER)[0]


@pytest.mark.parametrize(("habit", "fact"), [("resend-start", START), ("double-meter", METER)])
def test_what_is_sent_twice_is_the_same_twice(habit: str, fact: Any) -> None:
    first, second = written(habit, fact)
    assert first == second


def test_a_stop_comes_again_with_another_register() -> None:
    assert [message["meterStop"] for message in written("resend-stop", STOP)] == [2500, 2507]


def test_every_third_answer_is_lost() -> None:
    habits = Habits(["lost-answers"])
    assert [habits.loses_answer() for _ in range(6)] == [False, False, True] * 2


def test_a_habit_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such habit: nonsense"):
        Habits(["nonsense"])


def test_every_habit_says_where_it_was_seen() -> None:
    assert all("#" in about for about in HABITS.values())


async def test_a_deaf_station_lets_the_central_system_wait(csms: ForeignCsms) -> None:
    async with living(csms, habits=("deaf",)):
        csms.peers["CS-1"]._response_timeout = 0.3
        with pytest.raises(TimeoutError):
            await csms.ask("CS-1", call.ClearCache())


async def test_lost_answers_are_made_up_for_by_repetition(csms: ForeignCsms) -> None:
    async with living(csms, habits=("lost-answers",), answer_s=0.3) as station:
        station.charger.arrive(1, Car())
        station.begin(1, "T")
        await until(lambda: len(csms.of("MeterValues")) >= 2, "two readings")
        station.charger.leave(1)
        await until(lambda: not len(station.outbox), "an empty outbox")
    assert len({str(start) for start in csms.of("StartTransaction")}) == 1
    assert len({stop["meter_stop"] for stop in csms.of("StopTransaction")}) == 1


async def test_a_forgetful_register_begins_at_zero_for_each_session(csms: ForeignCsms) -> None:
    async with living(csms, habits=("register-reset",), speed=6000) as station:
        for count in (1, 2):
            station.charger.arrive(1, Car(stored_wh=1000))
            station.begin(1, "T")
            await until(lambda count=count: station.charger.plugs[1].meter.register_wh > 100 and count, "some energy")
            station.charger.leave(1)
        await until(lambda: len(csms.of("StopTransaction")) == 2, "two stops")
    assert [start["meter_start"] for start in csms.of("StartTransaction")] == [0, 0]
