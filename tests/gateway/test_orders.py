"""Orders to stations: one at a time, each with an end that is told."""

import asyncio

import pytest

from chargewire.charging import commands as ours
from chargewire.charging.commands import Answer
from gateway.memory_desk import House, Station


async def heard(station: Station) -> None:
    await station.call("Heartbeat", {}, message_id="first")


@pytest.mark.parametrize(
    ("command", "action", "payload", "answer", "status"),
    [
        (ours.StopCharging(transaction_id="17"), "RemoteStopTransaction", {"transactionId": 17}, "Rejected", "Rejected"),
        (ours.Restart(hard=True), "Reset", {"type": "Hard"}, "Accepted", "Accepted"),
        (ours.Unlock(connector_number=1), "UnlockConnector", {"connectorId": 1}, "UnlockFailed", "UnlockFailed"),
        (
            ours.SetAvailability(operative=False, connector_number=2),
            "ChangeAvailability",
            {"connectorId": 2, "type": "Inoperative"},
            "Scheduled",
            "Scheduled",
        ),
        (
            ours.WriteConfiguration(key="A", value="1"),
            "ChangeConfiguration",
            {"key": "A", "value": "1"},
            "RebootRequired",
            "RebootRequired",
        ),
        (ours.ForgetTokens(), "ClearCache", {}, "Accepted", "Accepted"),
        (
            ours.Trigger(message="StatusNotification", connector_number=1),
            "TriggerMessage",
            {"requestedMessage": "StatusNotification", "connectorId": 1},
            "Accepted",
            "Accepted",
        ),
        (
            ours.TransferData(vendor_id="v", data="d"),
            "DataTransfer",
            {"vendorId": "v", "data": "d"},
            "UnknownVendorId",
            "UnknownVendorId",
        ),
    ],
)
async def test_an_order_is_said_and_its_answer_is_told(
    house: House, command: ours.Command, action: str, payload: dict[str, object], answer: str, status: str
) -> None:
    async with house.station() as station:
        await heard(station)
        order = house.desk.ask(command)
        kind, message_id, said, body = await station.receive()
        assert (kind, said, body) == (2, action, payload)
        await station.send(3, message_id, {"status": answer})
        await house.until(lambda: house.desk.settled)
    (settled,) = house.desk.settled
    assert (settled.order, settled.action, settled.result) == (order, action, Answer(status=status))


async def test_orders_go_out_one_at_a_time(house: House) -> None:
    async with house.station() as station:
        await heard(station)
        for _ in range(3):
            house.desk.ask(ours.ForgetTokens())
        for _ in range(3):
            _, message_id, _, _ = await station.receive()
            with pytest.raises(TimeoutError):
                await station.receive(within_s=0.1)
            await station.send(3, message_id, {"status": "Accepted"})
        await house.until(lambda: len(house.desk.settled) == 3)


async def test_an_order_that_is_not_answered_ends_as_timeout_and_the_next_goes_out(house: House) -> None:
    async with house.station() as station:
        await heard(station)
        house.desk.ask(ours.Restart(), timeout_s=0.2)
        house.desk.ask(ours.ForgetTokens())
        _, late_id, _, _ = await station.receive()
        _, message_id, action, _ = await station.receive()
        assert action == "ClearCache"
        await station.send(3, late_id, {"status": "Accepted"})  # too late: nobody's
        await station.send(3, message_id, {"status": "Rejected"})
        await house.until(lambda: len(house.desk.settled) == 2)
    assert [(each.error, each.result) for each in house.desk.settled] == [("timeout", None), ("", Answer(status="Rejected"))]
    assert house.gateway.metrics.orders == {"timeout": 1, "answered": 1}


async def test_orders_of_a_station_that_leaves_end_as_offline(house: House) -> None:
    async with house.station() as station:
        await heard(station)
        house.desk.ask(ours.Restart())
        house.desk.ask(ours.ForgetTokens())
        await station.receive()
        await asyncio.sleep(0.05)
    await house.until(lambda: len(house.desk.settled) == 2)
    assert {each.error for each in house.desk.settled} == {"offline"}


async def test_an_order_that_cannot_be_said_in_1_6_is_not_sent(house: House) -> None:
    async with house.station() as station:
        await heard(station)
        house.desk.ask(ours.StopCharging(transaction_id="not a number"))
        house.desk.ask(ours.WriteConfiguration(key="k" * 51, value=""))
        await house.until(lambda: len(house.desk.settled) == 2)
        with pytest.raises(TimeoutError):
            await station.receive(within_s=0.1)
    assert all(each.error for each in house.desk.settled)


async def test_secrets_of_an_order_and_of_its_answer_are_not_kept(house: House) -> None:
    async with house.station() as station:
        await heard(station)
        house.desk.ask(ours.WriteConfiguration(key="AuthorizationKey", value="c0ffee"))
        _, message_id, _, body = await station.receive()
        assert body["value"] == "c0ffee"
        await station.send(3, message_id, {"status": "Accepted"})
        house.desk.ask(ours.ReadConfiguration())
        _, message_id, _, _ = await station.receive()
        keys = [{"key": "AuthorizationKey", "readonly": False, "value": "c0ffee"}]
        await station.send(3, message_id, {"configurationKey": keys})
        await house.until(lambda: len(house.desk.settled) == 2)
    for settled in house.desk.settled:
        assert b"c0ffee" not in settled.call + settled.answer
        assert "c0ffee" not in str(settled.result)
    assert house.desk.settled[1].result is not None


@pytest.mark.parametrize("answer", [{}, None, [], "x", {"status": 5}])
async def test_an_answer_that_makes_no_sense_is_still_an_answer(house: House, answer: object) -> None:
    async with house.station() as station:
        await heard(station)
        house.desk.ask(ours.ForgetTokens())
        _, message_id, _, _ = await station.receive()
        await station.send(3, message_id, answer)
        await house.until(lambda: house.desk.settled)
    assert house.desk.settled[0].result is not None
