"""Station behaviours numbered like the test cases of the Open Charge Alliance, over a real socket (by shiv3, Apache-2.0).

The scenarios are flow graphs without expectations; what we owe is that each message of a station is answered as the schema
says, that each thing we ask is asked as the schema says, and that we learn what the station made of it.
"""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chargewire.charging import commands as ours
from chargewire.charging.facts import SessionEnded
from gateway.memory_desk import House, Station, open_house
from protocols.ocpp.schemas import faults

SCENARIOS = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "ocpp16-scenarios-shiv3"
AT = "2026-11-24T06:00:00Z"

ASKED: dict[str, ours.Command] = {
    "ChangeAvailability": ours.SetAvailability(operative=False, connector_number=1),
    "ChangeConfiguration": ours.WriteConfiguration(key="MeterValueSampleInterval", value="60"),
    "ClearCache": ours.ForgetTokens(),
    "DataTransfer": ours.TransferData(vendor_id="com.example.vendor", data="x"),
    "GetConfiguration": ours.ReadConfiguration(keys=("HeartbeatInterval",)),
    "RemoteStartTransaction": ours.StartCharging(token_uid="REMOTE"),
    "RemoteStopTransaction": ours.StopCharging(transaction_id="101"),
    "Reset": ours.Restart(),
    "TriggerMessage": ours.Trigger(message="StatusNotification", connector_number=1),
    "UnlockConnector": ours.Unlock(connector_number=1),
}
"""Reservations, local lists, firmware and charging profiles are not built: their nodes are passed over."""


def scenarios() -> list[Any]:
    found = sorted(SCENARIOS.glob("*.json"))
    if not found:
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"no scenarios in {SCENARIOS}"))]
    read = [(path.stem, json.loads(path.read_text())) for path in found]
    return [pytest.param(each, id=name) for name, each in read if "nodes" in each]


class Player:
    """Plays the nodes of a scenario in the order in which they are written."""

    def __init__(self, house: House, station: Station) -> None:
        self.house = house
        self.station = station
        self.overrides: dict[str, str] = {}
        self.transaction: int | None = None
        self.asked = self.count = 0

    async def play(self, node: dict[str, Any]) -> None:
        kind, data = node["type"], node["data"]
        match kind:
            case "statusChange" | "statusNotification":
                await self.tell_status(data)
            case "transaction" if data["action"] == "start":
                started = {"connectorId": 1, "idTag": data.get("tagId", "TAG")[:20], "meterStart": 0, "timestamp": AT}
                self.transaction = (await self.tell("StartTransaction", started))["transactionId"]
            case "transaction" if self.transaction is not None:
                reason = {"reason": data["stopReason"]} if "stopReason" in data else {}
                stopped = {"transactionId": self.transaction, "meterStop": 9000, "timestamp": AT} | reason
                await self.tell("StopTransaction", stopped)
            case "meterValue":
                value = {"timestamp": AT, "sampledValue": [{"value": str(data.get("value", 0))}]}
                await self.tell("MeterValues", {"connectorId": 1, "meterValue": [value]})
            case "dataTransfer":
                await self.tell("DataTransfer", {key: data[key] for key in ("vendorId", "messageId", "data") if key in data})
            case "notification" if data["messageType"] == "Heartbeat":
                await self.tell("Heartbeat", {})
            case "responseOverride":
                self.overrides[data["action"]] = data["status"]
            case "unlockOutcome":
                self.overrides["UnlockConnector"] = data["outcome"]
            case "csmsCallTrigger":
                await self.obey(data["action"])
            case "remoteStartTrigger":
                await self.obey("RemoteStartTransaction")
            case "remoteStopTrigger":
                await self.obey("RemoteStopTransaction")

    async def tell_status(self, data: dict[str, Any]) -> None:
        fields = {key: data[key] for key in ("info", "vendorId", "vendorErrorCode") if key in data}
        status = {"connectorId": 1, "status": data["status"], "errorCode": data.get("errorCode", "NoError")}
        await self.tell("StatusNotification", status | fields)

    async def tell(self, action: str, payload: dict[str, Any]) -> Any:
        self.count += 1
        answer = await self.station.call(action, payload, message_id=f"m{self.count}")
        assert faults(f"{action}Response", msgspec.json.encode(answer)) == []
        return answer

    async def obey(self, action: str) -> None:
        if action not in ASKED:
            return
        self.house.desk.ask(ASKED[action])
        _, message_id, said, payload = await self.station.receive()
        assert said == action
        assert faults(action, msgspec.json.encode(payload)) == []
        status = self.overrides.get(action, "Accepted")
        await self.station.send(3, message_id, {"unknownKey": []} if action == "GetConfiguration" else {"status": status})
        self.asked += 1
        await self.house.until(lambda: len(self.house.desk.settled) == self.asked)
        result = self.house.desk.settled[-1].result
        assert result is not None
        assert result.status == ("Accepted" if action == "GetConfiguration" else status)


@pytest.mark.parametrize("scenario", scenarios())
async def test_a_scenario_is_played_to_its_end_and_everything_in_it_is_answered(scenario: dict[str, Any]) -> None:
    async with open_house() as house, house.station() as station:
        player = Player(house, station)
        await player.tell("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
        for node in scenario["nodes"]:
            await player.play(node)
        assert house.gateway.metrics.failed == house.gateway.metrics.not_implemented == house.gateway.metrics.dropped == 0
        assert len(house.desk.heard) == player.count
    assert all(fact.transaction_id for fact in house.desk.facts if isinstance(fact, SessionEnded))
