"""What real stations get wrong about sessions, and what becomes of it. The numbers are those of docs/reference/ocpp.md."""

from datetime import UTC, datetime, timedelta

import pytest

from chargewire.charging.errors import ChargingError
from chargewire.charging.facts import SessionEnded, SessionStarted, Verdict
from chargewire.charging.location import Status
from chargewire.charging.session import SessionStatus
from chargewire.charging.token import Allowed
from csms.floor import Floor

T0 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
minute = timedelta(minutes=1)


async def test_habit_1_a_start_before_the_clock_was_set_begins_when_it_was_heard(floor: Floor) -> None:
    await floor.starts(at=datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC))
    [session] = await floor.sessions()
    assert session.started.at == floor.now
    assert "clock-unset" in session.flags


async def test_habit_1_local_time_marked_as_utc_does_not_put_a_session_into_the_future(floor: Floor) -> None:
    await floor.starts(at=floor.now + timedelta(hours=2))
    [session] = await floor.sessions()
    assert session.started.at == floor.now


async def test_habit_3_a_repeated_start_gets_the_same_transaction_id_and_makes_no_second_session(floor: Floor) -> None:
    first = await floor.starts(at=T0)
    again = await floor.starts(at=T0)
    await floor.stops(first.transaction_id, 5_000, at=T0 + 10 * minute)
    after_the_stop = await floor.starts(at=T0)
    assert first == again == after_the_stop
    assert first.allowed == Allowed.ACCEPTED
    assert len(await floor.sessions()) == len(await floor.cdrs()) == 1


async def test_habit_4_a_second_start_closes_the_open_session_from_its_last_reading(floor: Floor) -> None:
    first = await floor.starts(register_wh=1000, at=T0)
    await floor.meters(first.transaction_id, 4000, at=T0 + 30 * minute)
    await floor.starts(register_wh=4000, at=T0 + 60 * minute)
    old, new = await floor.sessions()
    assert (old.status, old.energy_wh, new.status) == (SessionStatus.COMPLETED, 3000, SessionStatus.ACTIVE)
    assert old.stopped is not None
    assert old.stopped.abnormal
    assert "closed-by-next-start" in old.flags
    [cdr] = await floor.cdrs()
    assert (cdr.session_id, cdr.energy_wh) == (old.id, 3000)


async def test_habit_5_the_first_stop_wins_and_a_later_one_is_acknowledged(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 5000, at=T0 + 60 * minute)
    assert await floor.stops(begun.transaction_id, 9999, at=T0 + 61 * minute) == Verdict(None)
    [session] = await floor.sessions()
    assert session.energy_wh == 5000
    assert len(await floor.cdrs()) == 1
    assert [message.level for message in await floor.messages("StopTransaction")] == ["Info", "Warning"]


async def test_habit_6_a_stop_of_an_unknown_transaction_is_acknowledged_and_ends_nothing(floor: Floor) -> None:
    await floor.starts(at=T0)
    assert await floor.stops("4711", 5000, at=T0 + minute) == Verdict(None)
    [session] = await floor.sessions()
    assert session.status == SessionStatus.ACTIVE


async def test_habit_7_a_stop_without_an_id_ends_the_only_session_that_it_can_mean(floor: Floor) -> None:
    await floor.starts(register_wh=100, at=T0)
    await floor.meters(None, 700, at=T0 + 5 * minute)
    await floor.stops(None, 900, at=T0 + 9 * minute)
    [session] = await floor.sessions()
    assert (session.status, session.energy_wh) == (SessionStatus.COMPLETED, 800)
    assert "transaction-id-lost" in session.flags


async def test_habit_7_a_stop_without_an_id_ends_nothing_when_two_sessions_run(floor: Floor) -> None:
    await floor.starts(connector=1, at=T0)
    await floor.starts(connector=2, at=T0)
    await floor.stops(None, 900, at=T0 + 9 * minute)
    assert {session.status for session in await floor.sessions()} == {SessionStatus.ACTIVE}


async def test_habits_8_and_10_readings_without_an_id_count_in_the_session_of_their_connector(floor: Floor) -> None:
    await floor.starts(connector=2, register_wh=100, at=T0)
    await floor.meters(None, 1100, at=T0 + 5 * minute, connector=2)
    await floor.meters(None, 999_999, at=T0 + 6 * minute, connector=0)  # the main meter
    await floor.flush()
    [session] = await floor.sessions()
    assert session.energy_wh == 1000


async def test_habit_11_a_register_that_restarts_keeps_what_was_counted(floor: Floor) -> None:
    begun = await floor.starts(register_wh=10_000, at=T0)
    await floor.meters(begun.transaction_id, 12_000, at=T0 + 15 * minute)
    await floor.meters(begun.transaction_id, 0, at=T0 + 16 * minute)
    await floor.meters(begun.transaction_id, 1500, at=T0 + 30 * minute)
    await floor.stops(begun.transaction_id, 2000, at=T0 + 40 * minute)
    [session] = await floor.sessions()
    assert session.energy_wh == 4000
    assert "register-fell" in session.flags


async def test_habit_11_a_start_register_on_another_base_never_bills_the_lifetime_register(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    for number in range(4):
        await floor.meters(begun.transaction_id, 7_654_000 + 500 * number, at=T0 + 15 * number * minute)
    await floor.stops(begun.transaction_id, 7_656_000, at=T0 + 60 * minute)
    [session] = await floor.sessions()
    assert session.energy_wh <= 2000


async def test_habit_12_a_stop_register_below_the_start_bills_nothing(floor: Floor) -> None:
    begun = await floor.starts(register_wh=5000, at=T0)
    await floor.stops(begun.transaction_id, 4999, at=T0 + 5 * minute)
    [cdr] = await floor.cdrs()
    assert cdr.energy_wh == 0


async def test_habit_20_after_a_restart_of_ours_a_session_goes_on_where_it_was(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.meters(begun.transaction_id, 1000, at=T0 + 15 * minute)
    await floor.restart()
    await floor.meters(begun.transaction_id, 1000, at=T0 + 15 * minute)  # its answer got lost
    await floor.meters(begun.transaction_id, 2000, at=T0 + 30 * minute)
    await floor.stops(begun.transaction_id, 2500, at=T0 + 40 * minute)
    [session] = await floor.sessions()
    assert (session.status, session.energy_wh) == (SessionStatus.COMPLETED, 2500)
    assert len(await floor.readings(session.id)) == 2


async def test_habit_26_an_evse_is_charging_while_a_transaction_runs_whatever_its_connector_says(floor: Floor) -> None:
    begun = await floor.starts(at=T0)
    await floor.says(Status.AVAILABLE)
    assert await floor.status() == Status.CHARGING
    await floor.stops(begun.transaction_id, 0, at=T0 + minute)
    assert await floor.status() == Status.AVAILABLE


async def test_habit_28_readings_of_a_closed_session_are_kept_and_change_nothing(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 5000, at=T0 + 60 * minute)
    before = await floor.sessions()
    await floor.meters(begun.transaction_id, 4000, at=T0 + 45 * minute)
    await floor.meters(begun.transaction_id, 4000, at=T0 + 45 * minute)
    assert await floor.sessions() == before
    assert len(await floor.readings(before[0].id)) == 1


async def test_a_refused_token_gets_an_id_and_makes_an_invalid_session_without_a_cdr(floor: Floor) -> None:
    begun = await floor.starts(uid="NOBODY", at=T0)
    assert begun.allowed == Allowed.INVALID
    assert int(begun.transaction_id) > 0
    await floor.meters(begun.transaction_id, 500, at=T0 + minute)
    await floor.stops(begun.transaction_id, 600, at=T0 + 2 * minute)
    [session] = await floor.sessions()
    assert session.status == SessionStatus.INVALID
    assert await floor.cdrs() == []


async def test_a_session_without_a_tariff_waits_in_sight_and_is_priced_when_there_is_one(floor: Floor) -> None:
    begun = await floor.starts(connector=2, register_wh=0, at=T0)  # its tariff T2 does not exist yet
    await floor.stops(begun.transaction_id, 10_000, at=T0 + 60 * minute)
    [session] = await floor.sessions()
    assert "no-tariff" in session.flags
    assert await floor.cdrs() == []
    assert await floor.price_waiting() == 0
    await floor.put_tariff("T2", "0.40")
    assert await floor.price_waiting() == 1
    [cdr] = await floor.cdrs()
    assert (cdr.session_id, str(cdr.cost.excl_vat)) == (session.id, "4.00")
    assert await floor.price_waiting() == 0


async def test_a_tariff_that_changes_during_a_session_does_not_change_its_price(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.put_tariff("T1", "9.99")
    await floor.stops(begun.transaction_id, 10_000, at=T0 + 60 * minute)
    [cdr] = await floor.cdrs()
    assert str(cdr.cost.excl_vat) == "3.00"


async def test_a_small_session_is_held_back_only_if_its_cpo_asks_for_that(floor: Floor) -> None:
    begun = await floor.starts(register_wh=0, at=T0)
    await floor.stops(begun.transaction_id, 100, at=T0 + minute)
    assert len(await floor.cdrs()) == 1
    await floor.publish_all_cdrs(False)
    begun = await floor.starts(register_wh=100, at=T0 + 10 * minute)
    await floor.stops(begun.transaction_id, 200, at=T0 + 11 * minute)
    assert len(await floor.cdrs()) == 1
    assert len(await floor.cdrs("heldcdr")) == 1


async def test_every_order_of_arrival_gives_the_same_finished_session(floor: Floor) -> None:
    made = []
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)):
        begun = await floor.starts(register_wh=0, at=T0 + len(made) * 120 * minute)
        for step in order:
            at = T0 + len(made) * 120 * minute + 10 * (step + 1) * minute
            await floor.meters(begun.transaction_id, 1000 * (step + 1), at=at)
        await floor.stops(begun.transaction_id, 4000, at=T0 + len(made) * 120 * minute + 45 * minute)
        made.append(begun)
    told = [
        [(p.energy_wh, p.charging_s, p.parking_s, p.start - session.started.at) for p in session.periods]
        for session in await floor.sessions()
    ]
    assert told[0] == told[1] == told[2] == told[3]


async def test_an_undeclared_connector_is_answered_and_makes_nothing(floor: Floor) -> None:
    begun = await floor.starts(connector=77, at=T0)
    assert begun.allowed == Allowed.ACCEPTED
    await floor.says(Status.CHARGING, connector=1000)
    assert await floor.sessions() == []
    assert set((await floor.station()).connectors) <= {0, 1, 2}


async def test_a_station_that_stays_silent_is_unknown_until_it_is_heard_again(floor: Floor) -> None:
    await floor.says(Status.AVAILABLE)
    await floor.leaves()
    await floor.silence()
    assert await floor.status() == Status.UNKNOWN
    await floor.connects()
    assert await floor.status() == Status.AVAILABLE


@pytest.mark.parametrize("fact", [SessionStarted, SessionEnded])
async def test_nothing_is_answered_when_nothing_could_be_kept(floor: Floor, fact: type) -> None:
    await floor.starts(at=T0)
    await floor.journal.close()
    with pytest.raises(ChargingError):
        await (floor.starts(at=T0 + minute) if fact is SessionStarted else floor.stops("1", 1, at=T0))
