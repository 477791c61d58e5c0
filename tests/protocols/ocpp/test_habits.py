"""What real stations get wrong, as far as reading and writing messages goes. The number is that of the habit in
`docs/reference/ocpp.md`. Sessions have their own tests."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from chargewire.charging import commands as ours
from chargewire.charging.facts import Booted, Metered, SessionEnded, SessionStarted, StatusReported
from chargewire.charging.location import Status
from chargewire.protocols.ocpp.dialect import CannotSay
from chargewire.protocols.ocpp.rpc import Call, Conversation, answered
from chargewire.protocols.ocpp.v16 import DIALECT

AT = "2026-11-24T06:00:00Z"


def read(action: str, **payload: Any) -> tuple[Any, tuple[str, ...]]:
    return DIALECT.read(Call("1", action, msgspec.Raw(msgspec.json.encode(payload))))


def stop(**fields: Any) -> SessionEnded:
    fact, _ = read("StopTransaction", **({"transactionId": 7, "meterStop": 10, "timestamp": AT} | fields))
    assert isinstance(fact, SessionEnded)
    return fact


def meter(*samples: dict[str, Any], **fields: Any) -> Metered:
    value = {"timestamp": AT, "sampledValue": list(samples) or [{"value": "5"}]}
    fact, _ = read("MeterValues", **({"connectorId": 1, "meterValue": [value]} | fields))
    assert isinstance(fact, Metered)
    return fact


@pytest.mark.parametrize("timestamp", ["1970-01-01T00:00:12Z", "2099-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "", 0])
def test_habit_1_a_clock_that_was_never_set_is_read_and_crashes_nothing(timestamp: Any) -> None:
    assert stop(timestamp=timestamp).register_wh == 10


@pytest.mark.parametrize(
    "timestamp",
    ["2026-11-24T06:00:00", "2026-11-24T08:00:00+02:00", "2026-11-24T06:00:00.000Z", "2026-11-24T01:00:00.00-05:00"],
)
def test_habit_2_times_without_zone_with_offset_and_with_fractions_are_the_same_moment(timestamp: str) -> None:
    assert stop(timestamp=timestamp).at == datetime(2026, 11, 24, 6, tzinfo=UTC)


def test_habit_3_a_start_that_is_sent_again_reads_the_same_under_a_new_message_id() -> None:
    start = msgspec.Raw(b'{"connectorId":1,"idTag":"AA","meterStart":5,"timestamp":"2026-11-24T06:00:00Z"}')
    assert DIALECT.read(Call("1", "StartTransaction", start)) == DIALECT.read(Call("2", "StartTransaction", start))


@pytest.mark.parametrize("transaction_id", [-1, 0, -16, 9223372036854775807, 2**63, 10**30, "-1", None, "abc", 1.5e300])
def test_habits_7_8_and_9_a_transaction_id_that_cannot_be_ours_is_none(transaction_id: Any) -> None:
    assert stop(transactionId=transaction_id).transaction_id is None
    assert meter(transactionId=transaction_id).transaction_id is None


def test_habit_9_the_greatest_id_of_ours_is_one() -> None:
    assert stop(transactionId=2**31 - 1).transaction_id == "2147483647"


def test_habit_10_readings_without_transaction_are_read_and_connector_0_stays_connector_0() -> None:
    assert meter().transaction_id is None
    assert meter(connectorId=0).connector_number == 0


@pytest.mark.parametrize(
    ("measurand", "unit"),
    [
        (None, "Wh"),
        ("Energy.Active.Export.Register", "Wh"),
        ("Power.Active.Import", "W"),
        ("Current.Import", "A"),
        ("Voltage", "V"),
        ("SoC", "Percent"),
        ("Energy.Reactive.Import.Register", "varh"),
    ],
)
def test_habit_13_a_missing_unit_is_that_of_the_measurand(measurand: str | None, unit: str) -> None:
    sample = {"value": "5"} | ({"measurand": measurand} if measurand else {})
    assert meter(sample).readings[0].samples[0].unit == unit


@pytest.mark.parametrize("value", ["5", 5, 5.0])
def test_habit_14_a_value_that_is_a_number_is_read_as_text(value: Any) -> None:
    assert meter({"value": value}).readings[0].samples[0].value == "5"


@pytest.mark.parametrize("register", [10, 10.0, 10.4, "10", "10.2", "10,2"])
def test_habit_14_a_register_that_is_a_fraction_or_text_is_a_register(register: Any) -> None:
    assert stop(meterStop=register).register_wh == 10


def test_habit_15_serial_numbers_that_are_too_long_are_kept_whole() -> None:
    fact, flags = read(
        "BootNotification", chargePointVendor="", chargePointModel="M", chargeBoxSerialNumber="x" * 30, extra={"a": 1}
    )
    assert isinstance(fact, Booted)
    assert fact.boot.box_serial_number == "x" * 30
    assert flags == ("too-long:chargeBoxSerialNumber", "unknown-field:extra")


def test_habit_15_words_that_the_schema_does_not_know_are_kept() -> None:
    fact, flags = read("StatusNotification", connectorId=1, errorCode="Error", status="Charging", info="null")
    assert isinstance(fact, StatusReported)
    assert (fact.error_code, fact.status, fact.info) == ("Error", Status.CHARGING, None)
    assert flags == ("unknown-value:errorCode",)
    sample = meter({"value": "50", "unit": "Hz", "measurand": "Frequency", "context": "Periodic"}).readings[0].samples[0]
    assert (sample.unit, sample.context) == ("Hz", "Periodic")


def test_habit_16_the_same_measurand_in_two_contexts_is_two_samples() -> None:
    begin, live = meter({"value": "1", "context": "Transaction.Begin"}, {"value": "2"}).readings[0].samples
    assert (begin.context, live.context) == ("Transaction.Begin", "Sample.Periodic")


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction", "MeterValues"])
@pytest.mark.parametrize("payload", [b"{}", b"null", b"[]", b'"x"', b'{"timestamp":{}}', b'{"meterValue":5,"idTag":[]}'])
def test_habit_22_a_transaction_message_is_understood_whatever_it_holds(action: str, payload: bytes) -> None:
    fact, _ = DIALECT.read(Call("1", action, msgspec.Raw(payload)))
    assert isinstance(fact, SessionStarted | SessionEnded | Metered)


def test_habit_23_a_number_as_message_id_comes_back_as_a_number() -> None:
    call = Conversation().receive(b'[2,4711,"Heartbeat",{}]')
    assert isinstance(call, Call)
    assert answered(call, b"{}") == b"[3,4711,{}]"


def test_habit_24_a_remote_start_names_a_connector_and_a_short_token_or_is_not_sent() -> None:
    assert DIALECT.write_command(ours.StartCharging(token_uid="AA", connector_number=2)) == (
        "RemoteStartTransaction",
        b'{"idTag":"AA","connectorId":2}',
    )
    for command in (
        ours.StartCharging(token_uid="AA"),
        ours.StartCharging(token_uid="AA", connector_number=0),
        ours.StartCharging(token_uid="A" * 21, connector_number=1),
    ):
        with pytest.raises(CannotSay):
            DIALECT.write_command(command)


def test_habit_30_what_a_station_does_not_know_of_its_configuration_is_data() -> None:
    answer = DIALECT.read_answer(ours.ReadConfiguration(keys=("A", "B")), b'{"unknownKey":["A","B"]}')
    assert answer == ours.Answer(status="Accepted", details={"unknownKey": ["A", "B"]})
    assert DIALECT.read_answer(ours.Trigger(message="MeterValues"), b'{"status":"NotImplemented"}').status == "NotImplemented"
    assert DIALECT.read_answer(ours.ReadConfiguration(), b"{}").status == "Unreadable"
