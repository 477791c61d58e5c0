"""Power cuts: the server is killed at random moments under load; nothing that was acknowledged is lost."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journeys.stubborn_station import StubbornStation
from journeys.world import Receiver, Server, admin, furnish, pull_all, receiving, served, subscribe, until

KILLS = 20
STATIONS = 50
UID = "04AABBCC"
WIDE = "date_from=2020-01-01T00:00:00Z"


@pytest.mark.long
async def test_twenty_kills_under_load_lose_no_message_no_session_no_cdr_and_the_receiver_has_what_the_journal_has(
    tmp_path: Path, database: str | None
) -> None:
    names = [f"CS-{number}" for number in range(STATIONS)]
    async with receiving() as receiver, served(tmp_path / "data", database) as server:
        await furnish(server, {"NL-AAA": names})
        subscription = await subscribe(server, receiver, profile="extended")
        stations = [StubbornStation(server.ocpp_url, name, UID) for name in names]
        running = [asyncio.create_task(station.run()) for station in stations]
        chance = random.Random(20261124)
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 1.5))
            await server.kill()
            await server.again()
        await asyncio.sleep(1)
        for station in stations:
            station.finishing = True
        await asyncio.gather(*running)
        await _check_kept(server, subscription["token"], stations)
        await _check_pushed(server, subscription["token"], receiver)


async def _check_kept(server: Server, token: str, stations: list[StubbornStation]) -> None:
    sessions = await pull_all(server, token, f"1.0/sessions?{WIDE}&limit=100")
    cdrs = await pull_all(server, token, "2.0/cdrs?limit=500")
    now = datetime.now(UTC)
    window = f"date_from={now - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}&date_to={now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    values = await pull_all(server, token, f"1.0/metervalues?{window}&limit=10000")

    charged = [session for station in stations for session in station.charged]
    assert len(charged) > KILLS
    assert len(sessions) == len(cdrs) == len(charged)
    assert {session["status"] for session in sessions} == {"COMPLETED"}
    assert {cdr["session_id"] for cdr in cdrs} == {session["id"] for session in sessions}
    kept = {(value["charge_station_id"], float(value["value"])) for value in values}
    acknowledged = {(st.station_id, float(wh)) for st in stations for session in st.charged for wh in session.registers}
    assert acknowledged <= kept
    assert len(values) == len(kept), "a reading was stored twice"
    by_station: dict[str, list[float]] = {}
    for cdr in cdrs:
        by_station.setdefault(cdr["location"]["evses"][0]["uid"], []).append(cdr["total_energy"])
    for station in stations:
        wanted = sorted((session.stop_wh - session.start_wh) / 1000 for session in station.charged)  # type: ignore[operator]
        assert sorted(by_station[f"NL-AAA-E{station.station_id}-1"]) == wanted


async def _check_pushed(server: Server, token: str, receiver: Receiver) -> None:
    async def settled() -> bool:
        endpoints = (await admin(server, "GET", "/deliveries"))["data"]
        return len(endpoints) == 4 and not any(each["lag_changes"] or each["waiting"] for each in endpoints)

    await until(settled, 60, "push lag of zero")
    sessions = await pull_all(server, token, f"1.0/sessions?{WIDE}&limit=100")
    cdrs = await pull_all(server, token, "2.0/cdrs?limit=500")
    assert _differences(receiver.of("sessions").values(), sessions) == []
    assert _differences(receiver.of("cdrs").values(), cdrs) == []
    [location] = await pull_all(server, token, "1.0/locations")
    [pushed] = receiver.of("locations").values()
    assert [(evse["uid"], evse["status"]) for evse in pushed["evses"]] == [
        (evse["uid"], evse["status"]) for evse in location["evses"]
    ]


def _differences(pushed: Any, pulled: Any) -> list[tuple[Any, Any]]:
    """What differs, alone: to show thousands of long objects side by side takes pytest a quarter of an hour."""
    theirs, ours = _by_id(pushed), _by_id(pulled)
    return [(theirs.get(key), ours.get(key)) for key in ours.keys() | theirs.keys() if theirs.get(key) != ours.get(key)]


def _by_id(objects: Any) -> dict[str, Any]:
    return {each["id"]: each for each in objects}
