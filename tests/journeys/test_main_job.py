"""The main job, end to end: a foreign station charges a car; the customer has the same by pull, push and arithmetic."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from journeys.foreign_station import foreign_station, minutes
from journeys.world import Receiver, Server, admin, furnish, pull, pull_all, receiving, served, subscribe, until

UID = "04AABBCC"
WIDE = "date_from=2020-01-01T00:00:00Z"


@pytest.fixture
async def server(tmp_path: Path, database: str | None) -> Server:
    async with served(tmp_path / "data", database) as server:
        await furnish(server, {"NL-AAA": ["CS-1"], "NL-BBB": ["CS-2"]})
        yield server


@pytest.fixture
async def receiver() -> Receiver:
    async with receiving() as receiver:
        yield receiver


async def test_a_session_of_a_foreign_station_is_equal_in_pull_in_push_and_in_the_arithmetic_of_the_tariff(
    server: Server, receiver: Receiver
) -> None:
    subscription = await subscribe(server, receiver)
    begin = datetime.now(UTC).replace(microsecond=0) - minutes(60)
    async with foreign_station(server.ocpp_url, "CS-1") as station:
        await station.boot()
        await station.status("Available")
        await station.status("Preparing")
        started = await station.start_session(UID, 1_000_000, begin)
        assert started.id_tag_info["status"] == "Accepted"
        await station.status("Charging")
        await until(lambda: receiver.of("sessions"), 5, "the PUT of the start")
        for quarter in range(1, 4):
            await station.meter(started.transaction_id, 1_000_000 + 2750 * quarter, begin + minutes(15 * quarter))
        await station.stop_session(started.transaction_id, 1_011_000, begin + minutes(60), UID)
        await station.status("Available")

    [session] = await pull(server, subscription["token"], f"1.0/sessions?{WIDE}")
    [cdr] = await pull(server, subscription["token"], "1.0/cdrs")
    assert session["status"] == "COMPLETED"
    assert session["kwh"] == cdr["total_energy"] == 11
    assert cdr["session_id"] == session["id"]
    assert cdr["total_time"] == 1
    assert Decimal(str(cdr["total_cost"])) == Decimal("0.5") + Decimal("0.3") * 11
    energy = [d["volume"] for p in cdr["charging_periods"] for d in p["dimensions"] if d["type"] == "ENERGY"]
    assert sum(map(Decimal, map(str, energy))) == 11

    await until(lambda: receiver.of("cdrs"), 5, "the POST of the CDR")
    assert receiver.of("cdrs") == {f"/{cdr['id']}": cdr}
    await until(lambda: next(iter(receiver.of("sessions").values()))["status"] == "COMPLETED", 5, "the final PATCH")
    assert list(receiver.of("sessions")) == [f"/NL/AAA/{session['id']}"]
    pushed = receiver.of("sessions")[f"/NL/AAA/{session['id']}"]
    assert pushed | {"charging_periods": None} == session | {"charging_periods": None}


async def test_the_status_of_an_evse_reaches_the_customer_within_a_second(server: Server, receiver: Receiver) -> None:
    subscription = await subscribe(server, receiver, cpos=["NL-BBB"])
    await until(lambda: receiver.of("locations"), 5, "the PUT of the location")
    async with foreign_station(server.ocpp_url, "CS-2") as station:
        await station.boot()
        await station.status("Charging")
        await until(lambda: _statuses(receiver) == ["CHARGING"], 1, "CHARGING by push")
        location = await pull(server, subscription["token"], "1.0/locations/LOC-BBB")
        assert [evse["status"] for evse in location["evses"]] == ["CHARGING"]
        await station.status("Faulted", error="GroundFailure")
        await until(lambda: _statuses(receiver) == ["OUTOFORDER"], 1, "OUTOFORDER by push")
    await until(lambda: len(receiver.of("notifications")) == 2, 5, "both notifications")
    assert list(receiver.of("locations")) == ["/NL/BBB/LOC-BBB"]


async def test_meter_values_can_be_pulled_sample_by_sample(server: Server) -> None:
    subscription = await subscribe(server)
    now = datetime.now(UTC)
    async with foreign_station(server.ocpp_url, "CS-1") as station:
        await station.boot()
        started = await station.start_session(UID, 100, now - minutes(2))
        await station.meter(started.transaction_id, 220, now - minutes(1))
    window = f"date_from={now - minutes(5):%Y-%m-%dT%H:%M:%SZ}&date_to={now + minutes(5):%Y-%m-%dT%H:%M:%SZ}"
    rows = await pull_all(server, subscription["token"], f"1.0/metervalues?{window}&limit=10000")
    assert [(row["measurand"], row["value"], row["unit"]) for row in rows] == [
        ("EnergyActiveImportRegister", 220, "Wh"),
        ("PowerActiveImport", 11000, "W"),
        ("CurrentImport", 16, "A"),
    ]
    assert {row["evse_id"] for row in rows} == {"NL-AAA-ECS-1-1"}


async def test_every_command_of_the_core_profile_reaches_the_station_and_its_answer_comes_back(server: Server) -> None:
    commands = [
        {"type": "StartCharging", "token_uid": UID, "connector_number": 1},
        {"type": "StopCharging", "transaction_id": "7"},
        {"type": "Restart", "hard": True},
        {"type": "Unlock", "connector_number": 1},
        {"type": "SetAvailability", "operative": False, "connector_number": 0},
        {"type": "ReadConfiguration", "keys": ["HeartbeatInterval", "Nonsense"]},
        {"type": "WriteConfiguration", "key": "HeartbeatInterval", "value": "30"},
        {"type": "ForgetTokens"},
        {"type": "Trigger", "message": "StatusNotification", "connector_number": 1},
        {"type": "TransferData", "vendor_id": "com.example", "data": "x"},
    ]
    async with foreign_station(server.ocpp_url, "CS-1") as station:
        await station.boot()
        for command in commands:
            order = await admin(server, "POST", "/stations/CS-1/commands", command)

            async def answered(key: str = order["id"]) -> bool:
                return bool((await admin(server, "GET", f"/commands/{key}"))["state"] == "ANSWERED")

            await until(answered, 5, str(command))
    assert [action for action, _ in station.told] == [
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "Reset",
        "UnlockConnector",
        "ChangeAvailability",
        "GetConfiguration",
        "ChangeConfiguration",
        "ClearCache",
        "TriggerMessage",
        "DataTransfer",
    ]


def _statuses(receiver: Receiver) -> list[str]:
    return [evse["status"] for location in receiver.of("locations").values() for evse in location["evses"]]
