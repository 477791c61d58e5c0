"""Lenient reading: what each kind of fault becomes, and that it is told."""

from datetime import UTC, datetime

import msgspec
import pytest

from chargewire.charging.facts import Booted, Metered, SessionEnded, SessionStarted, StatusReported, Told
from chargewire.charging.location import Status
from chargewire.protocols.ocpp.rpc import Call
from chargewire.protocols.ocpp.v16 import DIALECT

START = {"connectorId": 1, "idTag": "AA", "meterStart": 5, "timestamp": "2026-11-24T06:00:00Z"}


def read(action: str, payload: object) -> tuple[object, tuple[str, ...]]:
    return DIALECT.read(Call("1", action, msgspec.Raw(msgspec.json.encode(payload))))


@pytest.mark.parametrize(
    ("change", "field", "value", "flag"),
    [
        ({"connectorId": "2"}, "connector_number", 2, "number-as-text:connectorId"),
        ({"meterStart": "17,6"}, "register_wh", 18, "number-as-text:meterStart"),
        ({"meterStart": 17.4}, "register_wh", 17, "not-whole:meterStart"),
        ({"meterStart": "full"}, "register_wh", None, "not-a-number:meterStart"),
        ({"meterStart": None}, "register_wh", None, "missing:meterStart"),
        ({"idTag": 123}, "token_uid", "123", "not-text:idTag"),
        ({"idTag": "A" * 30}, "token_uid", "A" * 30, "too-long:idTag"),
        ({"idTag": "A\0B"}, "token_uid", "AB", "odd-character:idTag"),
        ({"timestamp": "2026-11-24 07:00:00"}, "at", datetime(2026, 11, 24, 7, tzinfo=UTC), "odd-time:timestamp"),
        ({"timestamp": "soon"}, "at", None, "unreadable-time:timestamp"),
        ({"reservationId": None, "x": 1}, "reservation_id", None, "unknown-field:x"),
    ],
)
def test_a_fault_is_mended_and_told(change: dict[str, object], field: str, value: object, flag: str) -> None:
    fact, flags = read("StartTransaction", START | change)
    assert isinstance(fact, SessionStarted)
    assert getattr(fact, field) == value
    assert flag in flags


def test_a_good_message_has_no_flags() -> None:
    assert read("StartTransaction", START)[1] == ()


def test_a_good_time_in_a_bad_message_is_not_complained_of() -> None:
    assert read("StartTransaction", START | {"meterStart": "5"})[1] == ("number-as-text:meterStart",)


@pytest.mark.parametrize("payload", [None, [], "x", 5, True, {}])
def test_a_start_of_nothing_is_still_a_start(payload: object) -> None:
    fact, flags = read("StartTransaction", payload)
    assert isinstance(fact, SessionStarted)
    assert (fact.connector_number, fact.token_uid, fact.register_wh, fact.at) == (0, "", None, None)
    assert "missing:idTag" in flags


def test_one_meter_value_that_is_not_in_a_list_is_a_list_of_one() -> None:
    sample = {"timestamp": "2026-11-24T06:00:00Z", "sampledValue": {"value": 5}}
    fact, flags = read("MeterValues", {"connectorId": 1, "meterValue": sample})
    assert isinstance(fact, Metered)
    assert fact.readings[0].samples[0].value == "5"
    assert "not-a-list:meterValue" in flags


def test_a_reading_without_readable_time_is_kept() -> None:
    fact, _ = read("MeterValues", {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "5"}]}]})
    assert isinstance(fact, Metered)
    assert fact.readings[0].at == datetime(1970, 1, 1, tzinfo=UTC)


def test_meter_values_of_nothing_are_kept() -> None:
    fact, flags = read("MeterValues", {"connectorId": 1, "meterValue": []})
    assert fact == Metered(connector_number=1, readings=())
    assert flags == ("empty:meterValue",)


def test_a_status_without_connector_says_nothing_of_the_whole_station() -> None:
    fact, _ = read("StatusNotification", {"status": "Faulted", "errorCode": "NoError"})
    assert isinstance(fact, Told)


def test_a_status_in_other_letters_is_that_status() -> None:
    fact, flags = read("StatusNotification", {"connectorId": 1, "status": "available", "errorCode": "NoError"})
    assert isinstance(fact, StatusReported)
    assert fact.status is Status.AVAILABLE
    assert flags == ("unknown-value:status",)


def test_a_status_that_nobody_knows_is_unknown() -> None:
    fact, _ = read("StatusNotification", {"connectorId": 1, "status": "Dancing", "errorCode": "NoError"})
    assert isinstance(fact, StatusReported)
    assert fact.status is Status.UNKNOWN


def test_a_stop_without_reason_was_local() -> None:
    fact, flags = read("StopTransaction", {"transactionId": 5, "meterStop": 9, "timestamp": "2026-11-24T06:00:00Z"})
    assert isinstance(fact, SessionEnded)
    assert (fact.reason, fact.token_uid, flags) == ("Local", None, ())


def test_empty_text_in_a_boot_is_nothing() -> None:
    fact, _ = read("BootNotification", {"chargePointVendor": "", "chargePointModel": "M", "iccid": "", "imsi": "null"})
    assert isinstance(fact, Booted)
    assert (fact.boot.vendor, fact.boot.iccid, fact.boot.imsi) == ("", None, None)


def test_a_message_can_only_have_so_many_flags() -> None:
    _, flags = read("StartTransaction", START | {f"x{number}": 1 for number in range(100)})
    assert len(flags) <= 16
