"""What real stations get wrong, as far as sockets and the order of messages go (numbers as in the list of habits)."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from chargewire.charging import commands as ours
from chargewire.charging.errors import MemoryUnavailable
from chargewire.charging.facts import Metered, SessionStarted
from gateway.memory_desk import House, open_house
from gateway.test_handshake import KEY, knock
from gateway.test_socket import frame, raw

START = {"connectorId": 1, "idTag": "AA", "meterStart": 5, "timestamp": "2026-11-24T06:00:00Z"}


async def test_habit_17_a_known_station_that_names_no_sub_protocol_is_spoken_to_in_1_6(house: House) -> None:
    async with house.station(subprotocols=None) as station:
        await station.call("StartTransaction", START)
    assert house.desk.links[0].protocol == "ocpp1.6"
    assert (await knock(house))[1].get("sec-websocket-protocol") is None


async def test_habit_17_unless_the_setting_says_otherwise() -> None:
    async with open_house(unnamed_protocol=None) as house, house.station(subprotocols=None) as station:
        await station.socket.wait_closed()
        assert station.socket.close_code == 1002


async def test_habit_17_a_handshake_without_upgrade_header_is_let_in_and_one_without_identity_is_not(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(f"GET /ocpp/CS-1 HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    writer.write(frame(1, b'[2,"1","Heartbeat",{}]'))
    await house.until(lambda: house.desk.heard)
    writer.close()
    assert (await knock(house, "/"))[0] == 404


async def test_habit_18_the_version_is_that_of_the_connection_whatever_else_was_offered(house: House) -> None:
    async with house.station(subprotocols=["ocpp2.1", "ocpp2.0.1", "ocpp1.6"]) as station:
        assert station.socket.subprotocol == "ocpp1.6"
        await station.send(2, "1", "TransactionEvent", {"eventType": "Started"})
        assert (await station.receive())[:3] == [4, "1", "NotImplemented"]
        await station.call("StartTransaction", START)


async def test_habit_19_the_newest_socket_wins_and_the_end_of_the_old_one_does_not_touch_it(house: House) -> None:
    async with house.station() as old, house.station() as new:
        await house.until(lambda: len(house.desk.links) == 2)
        with pytest.raises(ConnectionClosed):
            await old.receive()
        await house.until(lambda: house.desk.links[0].closed)
        assert house.gateway.is_connected("CS-1")
        await new.call("StartTransaction", START)
        house.desk.ask(ours.Restart())
        assert (await new.receive())[2] == "Reset"
        assert [link.closed for link in house.desk.links] == ["superseded", None]
    assert house.gateway.metrics.superseded == 1
    await house.until(lambda: house.desk.links[1].closed)
    assert not house.gateway.is_connected("CS-1")


async def test_habit_19_a_half_open_socket_does_not_keep_the_new_one_waiting(house: House) -> None:
    _, writer = await raw(house)
    writer.write(frame(1, b'[2,"1","Heartbeat",{}]'))
    await house.until(lambda: house.desk.heard)
    async with house.station() as new:  # the old one neither reads nor closes
        await new.call("Heartbeat", {})
        await house.until(lambda: house.desk.links[0].closed)
        await new.call("Heartbeat", {})
    writer.transport.abort()


async def test_habit_19_what_the_old_socket_has_under_way_is_finished_before_the_new_one_is_heard(house: House) -> None:
    house.desk.gate.clear()
    async with house.station() as old:
        await old.send(2, "1", "StartTransaction", START)
        await house.until(lambda: house.desk.hearing)
        await old.send(2, "2", "Heartbeat", {})
        async with house.station() as new:
            await new.send(2, "3", "StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"})
            await asyncio.sleep(0.1)
            assert house.desk.most_hearing == 1
            house.desk.gate.set()
            assert (await new.receive())[1] == "3"
    assert [heard.message_id for heard in house.desk.heard] == ["1", "3"]


async def test_habit_20_a_station_that_comes_back_without_boot_notification_is_accepted(house: House) -> None:
    async with house.station() as station:
        assert (await station.call("StartTransaction", START))["idTagInfo"] == {"status": "Accepted"}


async def test_habit_21_a_station_is_asked_nothing_before_it_has_spoken(house: House) -> None:
    async with house.station() as station:
        house.desk.ask(ours.Trigger(message="StatusNotification", connector_number=1))
        with pytest.raises(TimeoutError):
            await station.receive(within_s=0.3)
        await station.send(2, "1", "Heartbeat", {})
        first, second = await station.receive(), await station.receive()
    assert sorted([first[0], second[0]]) == [2, 3]


async def test_habit_21_a_station_that_stays_quiet_is_asked_after_a_while() -> None:
    async with open_house(quiet_s=0.3) as house, house.station() as station:
        house.desk.ask(ours.Restart())
        assert (await station.receive(within_s=2))[2] == "Reset"


@pytest.mark.parametrize(
    ("action", "answer"),
    [("StopTransaction", {}), ("MeterValues", {}), ("StatusNotification", {}), ("FirmwareStatusNotification", {})],
)
async def test_habit_22_a_transaction_message_is_answered_even_if_something_of_ours_breaks(
    house: House, action: str, answer: dict[str, object]
) -> None:
    house.desk.failing = [RuntimeError("a bug")]
    async with house.station() as station:
        assert await station.call(action, {"connectorId": "one"}) == answer
        assert await station.call("MeterValues", {"connectorId": 1}) == {}
    assert house.gateway.metrics.failed == 1


async def test_habit_22_a_start_that_something_of_ours_broke_on_gets_an_id(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.desk.failing = [RuntimeError("a bug")]
    async with house.station() as station:
        answer = await station.call("StartTransaction", START | {"idTag": "SECRETTOKEN"})
    assert 0 < answer["transactionId"] < 2**31
    assert answer["idTagInfo"] == {"status": "Accepted"}
    assert '"meterStart":5' in caplog.text  # the message is in the log, its token is not
    assert "SECRETTOKEN" not in caplog.text


async def test_habit_22_a_boot_that_something_of_ours_broke_on_is_to_be_said_again(house: House) -> None:
    house.desk.failing = [RuntimeError("a bug")]
    async with house.station() as station:
        answer = await station.call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
    assert (answer["status"], answer["interval"]) == ("Pending", 60)


async def test_a_driver_is_not_let_in_by_something_that_broke(house: House) -> None:
    house.desk.failing = [RuntimeError("a bug")]
    async with house.station() as station:
        await station.send(2, "1", "Authorize", {"idTag": "AA"})
        assert (await station.receive())[:3] == [4, "1", "InternalError"]


async def test_habit_22_senseless_transaction_messages_reach_the_desk_and_are_answered(house: House) -> None:
    async with house.station() as station:
        for number, action in enumerate(("StartTransaction", "MeterValues", "StopTransaction")):
            await station.call(action, {"timestamp": [], "meterStop": "?"}, message_id=number)
    assert len(house.desk.heard) == 3
    assert house.gateway.metrics.mended == 3


async def test_what_could_not_be_kept_is_not_answered_and_the_next_call_is(house: House) -> None:
    house.desk.failing = [MemoryUnavailable("full")]
    async with house.station() as station:
        await station.send(2, "1", "StartTransaction", START)
        await station.send(2, "2", "StartTransaction", START)
        assert (await station.receive())[1] == "2"
    assert house.gateway.metrics.unanswered == 1


async def test_habit_23_a_burst_of_calls_is_answered_in_order_one_after_the_other(house: House) -> None:
    async with house.station() as station:
        for number in range(500):
            await station.send(2, number, "Heartbeat", {})
        answers = [await station.receive() for _ in range(500)]
    assert [message_id for _, message_id, _ in answers] == list(range(500))
    assert house.desk.most_hearing == 1


async def test_habit_23_a_call_of_ours_and_one_of_the_station_may_cross(house: House) -> None:
    async with house.station() as station:
        await station.call("Heartbeat", {})
        house.desk.ask(ours.ForgetTokens())
        asked = await station.receive()
        await station.call("StartTransaction", START, message_id=5)
        await station.send(3, asked[1], {"status": "Accepted"})
        await house.until(lambda: house.desk.settled)
    assert house.desk.settled[0].result == ours.Answer(status="Accepted")


async def test_habit_24_a_remote_start_for_any_connector_goes_to_the_first(house: House) -> None:
    house.desk.connectors = (3, 2)
    async with house.station() as station:
        await station.call("Heartbeat", {})
        house.desk.ask(ours.StartCharging(token_uid="AA"))
        assert (await station.receive())[3] == {"connectorId": 2, "idTag": "AA"}


async def test_habit_28_an_offline_queue_of_thousands_is_taken_without_a_close(house: House) -> None:
    """The desk is slow at first: the socket is not read for a while, which costs the station nothing but time."""
    house.desk.gate.clear()
    meter = {"connectorId": 1, "meterValue": [{"timestamp": "2020-01-01T00:00:00Z", "sampledValue": [{"value": "5"}]}]}
    async with house.station() as station:

        async def send_all() -> None:
            for number in range(3000):
                await station.send(2, str(number), "MeterValues", meter)

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.3)
        house.desk.gate.set()
        for number in range(3000):
            assert (await station.receive())[1] == str(number)
        await sending
    assert len(house.desk.facts) == 3000
    assert all(isinstance(fact, Metered) for fact in house.desk.facts)


async def test_habit_30_an_order_that_the_station_does_not_know_is_told_with_its_reason(house: House) -> None:
    async with house.station() as station:
        await station.call("Heartbeat", {})
        house.desk.ask(ours.Trigger(message="MeterValues"))
        asked = await station.receive()
        await station.send(4, asked[1], "NotImplemented", "", {})
        await house.until(lambda: house.desk.settled)
    (settled,) = house.desk.settled
    assert (settled.result, settled.error) == (None, "NotImplemented")


async def test_a_message_is_heard_although_its_sender_hangs_up_behind_it(house: House) -> None:
    """A station that loses its power says what it can; nothing but transaction messages would come again."""
    house.desk.gate.clear()
    async with house.station() as station:
        for number in range(5):
            await station.send(2, number, "StartTransaction", START)
        await house.until(lambda: house.desk.hearing)
        await asyncio.sleep(0.1)
    house.desk.gate.set()
    await house.until(lambda: house.desk.links[0].closed)
    assert len([fact for fact in house.desk.facts if isinstance(fact, SessionStarted)]) == 5


async def test_messages_that_mean_nothing_are_dropped_and_the_talk_goes_on(house: House) -> None:
    async with house.station() as station:
        for nonsense in ("", "hello", "[]", '[2,"1"', '[7,"1","X",{}]', '[3,"who?",{}]'):
            await station.socket.send(nonsense)
        await station.call("Heartbeat", {})
    assert house.gateway.metrics.dropped == 5
    assert house.gateway.metrics.strays == 1
