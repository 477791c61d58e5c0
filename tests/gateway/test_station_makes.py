"""Stations of real makes as they describe themselves: boot, configuration, meter values (templates by SAP, Apache-2.0)."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chargewire.charging import commands as ours
from chargewire.charging.facts import Booted, Metered
from gateway.memory_desk import open_house

TEMPLATES = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "ocpp-station-templates-sap"


def templates() -> list[Any]:
    """Those that speak 1.6; one that is skipped, with the reason, if the data is not there."""
    found = sorted(TEMPLATES.glob("*.json"))
    if not found:
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"no station templates in {TEMPLATES}"))]
    read = [(path.name.partition(".")[0], json.loads(path.read_text())) for path in found]
    return [pytest.param(each, id=name) for name, each in read if not str(each.get("ocppVersion", "1.6")).startswith("2")]


@pytest.mark.parametrize("template", templates())
async def test_a_station_of_every_make_boots_tells_its_meter_and_its_configuration(template: dict[str, Any]) -> None:
    boot = {
        "chargePointVendor": template["chargePointVendor"],
        "chargePointModel": template["chargePointModel"],
        "firmwareVersion": template.get("firmwareVersion", ""),
        "meterType": template.get("meterType", ""),
    }
    keys = template["Configuration"]["configurationKey"]
    async with open_house() as house, house.station() as station:
        assert (await station.call("BootNotification", boot))["status"] == "Accepted"
        for number, samples in _samples(template).items():
            value = {"timestamp": "2026-11-24T06:00:00Z", "sampledValue": samples}
            assert await station.call("MeterValues", {"connectorId": number, "meterValue": [value]}) == {}
        house.desk.ask(ours.ReadConfiguration())
        asked = await station.receive()
        await station.send(3, asked[1], {"configurationKey": keys})
        await house.until(lambda: house.desk.settled)
    first, *meters = house.desk.facts
    assert isinstance(first, Booted)
    assert first.boot.model == template["chargePointModel"]
    assert all(isinstance(fact, Metered) and fact.readings[0].samples for fact in meters)
    result = house.desk.settled[0].result
    assert result is not None
    assert [each["key"] for each in result.details["configurationKey"]] == [each["key"] for each in keys]


def _samples(template: dict[str, Any]) -> dict[int, list[dict[str, str]]]:
    fields = ("measurand", "unit", "phase", "location", "context")
    return {
        int(number): [{"value": str(each.get("value", "1"))} | {k: each[k] for k in fields if k in each} for each in meter]
        for number, connector in template.get("Connectors", {}).items()
        if (meter := connector.get("MeterValues"))
    }
