"""A station judges by itself while it is offline: the list reaches it, works without us, and is taken back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chargewire.simulator.car import Car
from chargewire.simulator.link import Address
from chargewire.simulator.station import Plan, Station
from journeys.foreign_station import ForeignStation, foreign_station
from journeys.world import Server, admin, furnish, pull, served, subscribe, token, until

CPO = {"network_id": "demo", "name": "CPO NL-AAA", "currency": "EUR", "time_zone": "Europe/Amsterdam", "local_list": True}
SETTINGS = {
    "AllowOfflineTxForUnknownId": "false",
    "MeterValueSampleInterval": "1",
    "SendLocalListMaxLength": "2",
    "TransactionMessageRetryInterval": "0",
}


async def list_of(server: Server) -> Any:
    return (await admin(server, "GET", "/stations/CS-1"))["local_list"]


async def the_list(server: Server, state: str = "sent", **values: int) -> Any:
    """Wait until the list of the station is as it should be."""

    async def there() -> bool:
        told = await list_of(server)
        return bool(told) and told["state"] == state and all(told[name] == value for name, value in values.items())

    await until(there, 20, f"{values}")
    return await list_of(server)


async def test_a_known_token_charges_offline_and_is_billed_an_unknown_one_does_not_and_a_blocked_one_never_again(
    tmp_path: Path, database: str | None
) -> None:
    async with served(tmp_path / "data", database) as server:
        await furnish(server, {"NL-AAA": ["CS-1"]}, uids=("GOOD", "ALSO", "THIRD", "A-UID-THAT-IS-TOO-LONG-FOR-OCPP"))
        await admin(server, "PUT", "/tokens/ASKED", token("ASKED") | {"whitelist": "NEVER"})
        await admin(server, "PUT", "/cpos/NL-AAA", CPO)
        plan = Plan(settings=SETTINGS, step_s=0.05, back_off_s=0.1, speed=600.0)
        station = Station(Address(url=server.ocpp_url, station_id="CS-1", password=None), plan)
        life = asyncio.create_task(station.run())
        try:
            await asyncio.wait_for(station.ready.wait(), 10)
            first = await the_list(server, accepted=3, left_out=1)
            assert station.known_tokens.version == first["version"] == 2  # three tokens, two at a time

            await server.kill()
            await until(lambda: not station.ready.is_set(), 10, "offline")
            station.charger.arrive(1, Car())
            assert not await station.present(1, "NOBODY")
            assert not await station.present(1, "ASKED")
            assert await station.present(1, "GOOD")
            await asyncio.sleep(2)
            assert await station.present(1, "GOOD")
            await server.again()
            await asyncio.wait_for(station.ready.wait(), 20)
            await asyncio.wait_for(station.outbox.emptied(), 20)
            customer = (await subscribe(server))["token"]
            [cdr] = await pull(server, customer, "1.0/cdrs")
            assert cdr["auth_id"] == "NL-EMS-C00000001-X"
            assert cdr["total_energy"] > 0

            await admin(server, "PUT", "/tokens/GOOD", token("GOOD") | {"valid": False})
            await the_list(server, accepted=2, refused=1)
            assert station.known_tokens.version > first["version"]
            assert not await station.authorize("GOOD")
            station.disconnect(stay_away_s=60)
            await until(lambda: not station.ready.is_set(), 10, "offline")
            assert not await station.authorize("GOOD")
            assert await station.authorize("ALSO")
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


def lists(station: ForeignStation) -> list[dict[str, Any]]:
    return [payload for action, payload in station.told if action == "SendLocalList"]


@pytest.mark.long
async def test_a_station_of_another_make_takes_the_list_then_what_changed_and_forgets_a_blocked_token(
    tmp_path: Path, database: str | None
) -> None:
    async with served(tmp_path / "data", database) as server:
        await furnish(server, {"NL-AAA": ["CS-1"]}, uids=("GOOD", "ALSO"))
        await admin(server, "PUT", "/cpos/NL-AAA", CPO)
        async with foreign_station(server.ocpp_url, "CS-1") as station:
            await station.boot()
            await the_list(server, accepted=2)
            [first] = lists(station)
            assert (first["update_type"], first["list_version"]) == ("Full", 1)
            assert {entry["id_tag"] for entry in first["local_authorization_list"]} == {"GOOD", "ALSO"}
            await admin(server, "PUT", "/tokens/GOOD", token("GOOD") | {"valid": False})
            await the_list(server, accepted=1, refused=1)
            [_, second] = lists(station)
            assert second == {
                "update_type": "Differential",
                "list_version": 2,
                "local_authorization_list": [{"id_tag": "GOOD", "id_tag_info": {"status": "Blocked"}}],
            }
            assert [action for action, _ in station.told].count("ClearCache") == 1
        async with foreign_station(server.ocpp_url, "CS-1") as station:  # it has forgotten everything
            await station.boot()
            await until(lambda: lists(station), 20, "the whole list")
            [again] = lists(station)
            assert (again["update_type"], again["list_version"]) == ("Full", 3)
            await admin(server, "PUT", "/cpos/NL-AAA", CPO | {"local_list": False})
            await the_list(server, accepted=0)


@pytest.mark.long
async def test_a_station_that_keeps_no_list_is_left_alone_until_it_boots_anew(tmp_path: Path) -> None:
    async with served(tmp_path / "data") as server:
        await furnish(server, {"NL-AAA": ["CS-1"]})
        await admin(server, "PUT", "/cpos/NL-AAA", CPO)
        async with foreign_station(server.ocpp_url, "CS-1") as station:
            station.list_answers = ["NotSupported"]
            await station.boot()
            told = await the_list(server, "unsupported")
            assert told["why"] == "NotSupported"
            await admin(server, "PUT", "/tokens/NEW", token("NEW"))
            await asyncio.sleep(3)
            assert len(lists(station)) == 1
            await station.boot()
            await the_list(server, accepted=2)
