"""The virtual station before a central system that others made, over a real socket."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chargewire.simulator.car import Car
from chargewire.simulator.outlet import ac, dc
from simulator.conftest import living
from simulator.foreign_csms import ForeignCsms, call, until

TOKEN = "04AABBCC"


async def test_a_session_is_told_as_the_standard_has_it(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        station.charger.arrive(1, Car(stored_wh=30_000))
        await until(lambda: csms.statuses()[-1:] == ["Preparing"], "Preparing")
        assert await station.present(1, TOKEN)
        await until(lambda: len(csms.of("MeterValues")) >= 2, "two readings")
        assert await station.present(1, TOKEN)
        await until(lambda: csms.of("StopTransaction"), "the stop")
        station.charger.leave(1)
        await until(lambda: csms.statuses()[-1] == "Available", "Available")
    [start], [stop] = csms.of("StartTransaction"), csms.of("StopTransaction")
    assert csms.of("Authorize") == [{"id_tag": TOKEN}]
    assert csms.statuses() == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    registers = [int(_sample(told, "Energy.Active.Import.Register")) for told in csms.of("MeterValues")]
    assert start["meter_start"] < registers[0] < registers[-1] <= stop["meter_stop"]
    assert {told["transaction_id"] for told in csms.of("MeterValues")} == {stop["transaction_id"]} == {1}
    assert stop["id_tag"] == TOKEN


async def test_a_full_car_shows_as_suspended_by_the_vehicle(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        station.charger.arrive(1, Car(capacity_wh=50_000, stored_wh=49_900))
        await station.present(1, TOKEN)
        await until(lambda: csms.statuses()[-1] == "SuspendedEV", "SuspendedEV")
        station.charger.leave(1)
        await until(lambda: csms.of("StopTransaction"), "the stop")
    assert csms.of("StopTransaction")[0]["reason"] == "EVDisconnected"


async def test_a_fast_charger_tells_the_state_of_charge(csms: ForeignCsms) -> None:
    async with living(csms, outlets=(dc(150_000),), speed=10) as station:
        station.charger.arrive(1, Car(capacity_wh=80_000, stored_wh=20_000))
        await station.present(1, TOKEN)
        await until(lambda: csms.of("MeterValues"), "a reading")
    told = csms.of("MeterValues")[0]
    assert 25 <= float(_sample(told, "SoC")) <= 80
    assert float(_sample(told, "Power.Active.Import")) == 120_000


async def test_a_refused_card_starts_nothing(csms: ForeignCsms) -> None:
    csms.refused_tokens.add("BLOCKED")
    async with living(csms) as station:
        station.charger.arrive(1, Car())
        assert not await station.present(1, "BLOCKED")
    assert not csms.of("StartTransaction")


async def test_a_start_that_the_central_system_refuses_ends_with_deauthorized(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        csms.refused_tokens.add(TOKEN)
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        await until(lambda: csms.of("StopTransaction"), "the stop")
    assert csms.of("StopTransaction")[0]["reason"] == "DeAuthorized"


async def test_with_the_key_off_a_refused_session_stays_without_energy(csms: ForeignCsms) -> None:
    async with living(csms, settings={"StopTransactionOnInvalidId": "false"}) as station:
        csms.refused_tokens.add(TOKEN)
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        await until(lambda: csms.statuses()[-1] == "SuspendedEVSE", "SuspendedEVSE")
    assert not csms.of("StopTransaction")


async def test_the_heartbeat_follows_what_the_boot_was_answered(csms: ForeignCsms) -> None:
    csms.interval_s = 1
    async with living(csms):
        await until(lambda: len(csms.of("Heartbeat")) >= 2, "two heartbeats")


async def test_a_pending_station_asks_again_and_keeps_silent_until_then(csms: ForeignCsms) -> None:
    csms.pending_boots = 1
    async with living(csms):
        await until(lambda: csms.statuses(), "a status")
    assert [action for _, action, _ in csms.heard][:2] == ["BootNotification", "BootNotification"]


async def test_a_session_made_offline_is_delivered_in_order_with_its_own_times(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        await until(lambda: csms.statuses(), "a status")
        await csms.close()
        await station.link.lost()
        station.charger.arrive(1, Car(stored_wh=10_000))
        assert await station.present(1, TOKEN)
        await asyncio.sleep(1.3)
        station.charger.leave(1)
        assert len(station.outbox) >= 3
        await csms.again()
        await asyncio.wait_for(station.outbox.emptied(), 8)
    told = [action for _, action, _ in csms.heard if action in ("StartTransaction", "MeterValues", "StopTransaction")]
    assert told[0] == "StartTransaction"
    assert told[-1] == "StopTransaction"
    assert set(told[1:-1]) == {"MeterValues"}
    assert csms.of("StartTransaction")[0]["timestamp"] < csms.of("StopTransaction")[0]["timestamp"]
    assert len(csms.of("BootNotification")) == 1, "a mere reconnect is no boot"


async def test_a_message_that_is_answered_with_an_error_is_repeated_before_anything_later(csms: ForeignCsms) -> None:
    csms.failing["StartTransaction"] = 2
    async with living(csms) as station:
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        await until(lambda: csms.of("MeterValues"), "a reading")
    starts = csms.of("StartTransaction")
    assert len(starts) == 3
    assert starts[0] == starts[1] == starts[2]


async def test_a_start_that_is_never_answered_is_dropped_and_the_rest_comes_without_id(csms: ForeignCsms) -> None:
    csms.failing["StartTransaction"] = 99
    async with living(csms, settings={"TransactionMessageAttempts": "2"}) as station:
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        station.charger.leave(1)
        await until(lambda: csms.of("StopTransaction"), "the stop")
    assert len(csms.of("StartTransaction")) == 2
    assert csms.of("StopTransaction")[0]["transaction_id"] == -1


async def test_the_outbox_outlives_the_process(csms: ForeignCsms, tmp_path: Path) -> None:
    kept = tmp_path / "outbox"
    async with living(csms, outbox=kept) as station:
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        await until(lambda: csms.of("MeterValues"), "a reading")
        await csms.close()
        await station.link.lost()
        station.charger.stop(1)
    await csms.again()
    async with living(csms, outbox=kept) as station:
        await asyncio.wait_for(station.outbox.emptied(), 8)
    assert csms.of("StopTransaction")[0]["transaction_id"] == 1
    assert len(csms.of("StartTransaction")) == 1


async def test_the_password_goes_along_with_the_identity(csms: ForeignCsms) -> None:
    async with living(csms, password="s:ecret"):
        pass
    assert csms.authorizations == ["Basic Q1MtMTpzOmVjcmV0"]


async def test_remote_start_waits_for_a_car_and_remote_stop_ends_it(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        started = await csms.ask("CS-1", call.RemoteStartTransaction(id_tag=TOKEN, connector_id=1))
        assert started.status == "Accepted"
        await until(lambda: csms.statuses()[-1] == "Preparing", "Preparing")
        station.charger.arrive(1, Car())
        await until(lambda: csms.of("MeterValues"), "a reading")
        assert (await csms.ask("CS-1", call.RemoteStopTransaction(transaction_id=99))).status == "Rejected"
        assert (await csms.ask("CS-1", call.RemoteStopTransaction(transaction_id=1))).status == "Accepted"
        await until(lambda: csms.of("StopTransaction"), "the stop")
    assert csms.of("StopTransaction")[0]["reason"] == "Remote"


async def test_a_remote_start_without_a_car_is_forgotten_after_the_connection_timeout(csms: ForeignCsms) -> None:
    async with living(csms, settings={"ConnectionTimeOut": "1"}):
        await csms.ask("CS-1", call.RemoteStartTransaction(id_tag=TOKEN, connector_id=1))
        await until(lambda: csms.statuses()[-2:] == ["Preparing", "Available"], "Available again")


async def test_a_soft_reset_ends_sessions_and_boots_again(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        await until(lambda: csms.of("MeterValues"), "a reading")
        assert (await csms.ask("CS-1", call.Reset(type="Soft"))).status == "Accepted"
        await until(lambda: len(csms.of("BootNotification")) == 2, "the second boot")
    assert csms.of("StopTransaction")[0]["reason"] == "SoftReset"


async def test_a_connector_in_use_becomes_unavailable_when_its_session_is_over(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        off = call.ChangeAvailability(connector_id=0, type="Inoperative")
        assert (await csms.ask("CS-1", off)).status == "Scheduled"
        station.charger.leave(1)
        await until(lambda: csms.statuses()[-1] == "Unavailable", "Unavailable")
        on = call.ChangeAvailability(connector_id=1, type="Operative")
        assert (await csms.ask("CS-1", on)).status == "Accepted"
        await until(lambda: csms.statuses()[-1] == "Available", "Available")


async def test_configuration_can_be_read_and_written(csms: ForeignCsms) -> None:
    async with living(csms):
        read = await csms.ask("CS-1", call.GetConfiguration(key=["heartbeatinterval", "Nonsense", "AuthorizationKey"]))
        assert read.configuration_key == [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "AuthorizationKey", "readonly": False},
        ]
        assert read.unknown_key == ["Nonsense"]
        assert len((await csms.ask("CS-1", call.GetConfiguration())).configuration_key) > 20
        for key, value, status in [
            ("MeterValueSampleInterval", "5", "Accepted"),
            ("MeterValueSampleInterval", "often", "Rejected"),
            ("NumberOfConnectors", "9", "Rejected"),
            ("MeterValuesSampledData", "Energy.Active.Import.Register,Nonsense", "Rejected"),
            ("Nonsense", "1", "NotSupported"),
        ]:
            assert (await csms.ask("CS-1", call.ChangeConfiguration(key=key, value=value))).status == status


async def test_the_rest_of_the_core_profile_is_answered(csms: ForeignCsms) -> None:
    async with living(csms) as station:
        station.charger.arrive(1, Car())
        station.begin(1, TOKEN)
        await until(lambda: csms.of("StartTransaction"), "the start")
        assert (await csms.ask("CS-1", call.ClearCache())).status == "Accepted"
        assert (await csms.ask("CS-1", call.DataTransfer(vendor_id="com.example"))).status == "UnknownVendorId"
        assert (await csms.ask("CS-1", call.UnlockConnector(connector_id=7))).status == "NotSupported"
        assert (await csms.ask("CS-1", call.UnlockConnector(connector_id=1))).status == "Unlocked"
        await until(lambda: csms.of("StopTransaction"), "the stop")
    assert csms.of("StopTransaction")[0]["reason"] == "UnlockCommand"


@pytest.mark.parametrize(
    "message", ["BootNotification", "Heartbeat", "MeterValues", "StatusNotification", "FirmwareStatusNotification"]
)
async def test_a_triggered_message_comes(csms: ForeignCsms, message: str) -> None:
    async with living(csms):
        await until(lambda: csms.statuses(), "a status")
        before = len(csms.of(message))
        assert (await csms.ask("CS-1", call.TriggerMessage(requested_message=message))).status == "Accepted"
        await until(lambda: len(csms.of(message)) == before + 1, message)


async def test_a_charging_profile_is_obeyed_at_once_and_shown_as_a_composite(csms: ForeignCsms) -> None:
    async with living(csms, speed=1) as station:
        station.charger.arrive(1, Car(max_ac_a=16))
        station.begin(1, TOKEN)
        await until(lambda: csms.statuses()[-1] == "Charging", "Charging")
        assert (await csms.ask("CS-1", _limit(1, 0.0))).status == "Accepted"
        await until(lambda: csms.statuses()[-1] == "SuspendedEVSE", "SuspendedEVSE")
        assert (await csms.ask("CS-1", _limit(1, 10.0))).status == "Accepted"
        await until(lambda: csms.statuses()[-1] == "Charging", "Charging")
        await asyncio.sleep(0.1)
        assert station.charger.plugs[1].power_w == pytest.approx(6900)
        shown = await csms.ask("CS-1", call.GetCompositeSchedule(connector_id=1, duration=600, charging_rate_unit="A"))
        assert shown.charging_schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 10.0}]
        assert (await csms.ask("CS-1", call.ClearChargingProfile())).status == "Accepted"
        assert (await csms.ask("CS-1", call.ClearChargingProfile())).status == "Unknown"


async def test_the_limit_of_the_station_is_shared_by_its_connectors(csms: ForeignCsms) -> None:
    async with living(csms, outlets=(ac(11_040), ac(11_040)), speed=1) as station:
        for number in (1, 2):
            station.charger.arrive(number, Car())
            station.begin(number, TOKEN)
        await csms.ask("CS-1", _limit(0, 16.0, "ChargePointMaxProfile"))
        await until(lambda: sum(plug.power_w for plug in station.charger.plugs.values()) < 11_041, "the shared limit")
        assert [plug.power_w for plug in station.charger.plugs.values()] == [5520, 5520]


def _limit(connector: int, amps: float, purpose: str = "TxDefaultProfile") -> Any:
    return call.SetChargingProfile(
        connector_id=connector,
        cs_charging_profiles={
            "charging_profile_id": 1,
            "stack_level": 0,
            "charging_profile_purpose": purpose,
            "charging_profile_kind": "Absolute",
            "charging_schedule": {
                "charging_rate_unit": "A",
                "start_schedule": "2026-01-01T00:00:00Z",
                "charging_schedule_period": [{"start_period": 0, "limit": amps}],
            },
        },
    )


def _sample(told: dict[str, Any], measurand: str) -> str:
    samples = told["meter_value"][0]["sampled_value"]
    return next(
        str(sample["value"]) for sample in samples if sample.get("measurand", "Energy.Active.Import.Register") == measurand
    )
