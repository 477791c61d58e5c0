"""Locations as they are written again and again: what is left out, what stays, what moves."""

from typing import Any

import msgspec

from api.house import House, place
from chargewire.charging.location import ConnectorState, Evse, Location, Station, Status
from chargewire.journal.memory import Ref, Stored, Unit, Write


async def stored(house: House, kind: str, owner: str, key: str) -> Stored:
    found = await house.journal.get(Ref(kind, owner, key))
    assert found is not None, (kind, owner, key)
    return found


async def evse(house: House, owner: str, uid: str) -> Evse:
    return msgspec.json.decode((await stored(house, "evse", owner, uid)).body, type=Evse)


async def station(house: House, owner: str, key: str) -> Station:
    return msgspec.json.decode((await stored(house, "station", owner, key)).body, type=Station)


async def comes_alive(house: House, owner: str, station_id: str, uid: str) -> None:
    """The station connects and charges, as the CSMS writes it."""
    before = await stored(house, "station", owner, station_id)
    live = msgspec.json.decode(before.body, type=Station)
    charging = ConnectorState(Status.CHARGING, at=house.registry.now())
    live = msgspec.structs.replace(live, online=True, connectors={1: charging}, running={1: "S1"})
    held = await stored(house, "evse", owner, uid)
    plug = msgspec.structs.replace(msgspec.json.decode(held.body, type=Evse), status=Status.CHARGING)
    writes = [
        Write(ref=before.ref, content=live, expect=before.version),
        Write(ref=held.ref, content=plug, expect=held.version),
    ]
    await house.journal.append(Unit(place=live.location_id, writes=writes))


async def test_names_and_numbers_that_are_left_out_are_filled_in(house: House) -> None:
    connector = {"standard": "CHADEMO", "format": "CABLE", "power_type": "DC", "voltage": 400, "amperage": 125}
    evses = [{"connectors": [{**connector}, {**connector}]}, {"uid": "own", "connectors": [{**connector, "id": "x"}]}]
    answer = await house.put("locations/NEW", place("NL-AAA", "CS-9", stations=[{"id": "CS-9", "evses": evses}]))
    first, second = answer["stations"][0]["evses"]
    assert (first["uid"], first["evse_id"]) == ("NL-AAA-ECS-9-1", "NL*AAA*ECS*9*1")
    assert [(each["id"], each["connector_id"]) for each in first["connectors"]] == [("1", 1), ("2", 2)]
    assert second["uid"] == "own"
    assert [(each["id"], each["connector_id"]) for each in second["connectors"]] == [("x", 3)]


async def test_the_same_put_again_is_no_change(each_house: House) -> None:
    heads = await each_house.journal.heads()
    await each_house.put("locations/LOC-A", place("NL-AAA", "CS-A"))
    assert await each_house.journal.heads() == heads


async def test_what_a_get_gives_may_be_put_back(each_house: House) -> None:
    heads = await each_house.journal.heads()
    read = (await each_house.admin("GET", "locations/LOC-A")).json
    await each_house.put("locations/LOC-A", read)
    assert await each_house.journal.heads() == heads


async def test_a_put_keeps_what_is_live(each_house: House) -> None:
    house = each_house
    await comes_alive(house, "NL-AAA", "CS-A", "NL-AAA-ECS-A-1")
    await house.put("locations/LOC-A", place("NL-AAA", "CS-A", name="Renamed"))
    assert (await evse(house, "NL-AAA", "NL-AAA-ECS-A-1")).status == Status.CHARGING
    live = await station(house, "NL-AAA", "CS-A")
    assert live.online
    assert live.running == {1: "S1"}


async def test_an_evse_that_is_left_out_is_removed_and_comes_back(each_house: House) -> None:
    house = each_house
    body = place("NL-AAA", "CS-A")
    second = body["stations"][0]["evses"].pop()
    answer = await house.put("locations/LOC-A", body)
    assert answer["removed_evses"] == ["NL-AAA-ECS-A-2"]
    assert (await evse(house, "NL-AAA", "NL-AAA-ECS-A-2")).status == Status.REMOVED
    body["stations"][0]["evses"].append(second)
    answer = await house.put("locations/LOC-A", body)
    assert answer["removed_evses"] == []
    assert (await evse(house, "NL-AAA", "NL-AAA-ECS-A-2")).status == Status.UNKNOWN


async def test_a_station_that_is_left_out_is_removed_with_its_evses(house: House) -> None:
    await house.put("locations/LOC-A", place("NL-AAA", "CS-A", stations=[]))
    assert (await station(house, "NL-AAA", "CS-A")).removed
    assert (await evse(house, "NL-AAA", "NL-AAA-ECS-A-1")).status == Status.REMOVED


async def test_a_change_of_an_evse_raises_its_locations_last_updated(each_house: House) -> None:
    house = each_house
    before = await stored(house, "location", "NL-AAA", "LOC-A")
    body = place("NL-AAA", "CS-A")
    body["stations"][0]["evses"][0]["physical_reference"] = "left"
    await house.put("locations/LOC-A", body)
    after = await stored(house, "location", "NL-AAA", "LOC-A")
    assert after.last_updated > before.last_updated
    assert after.version == before.version


async def test_a_station_moves_to_another_location_of_its_cpo(each_house: House) -> None:
    house = each_house
    token = await house.subscribe("NL-AAA")
    await comes_alive(house, "NL-AAA", "CS-A", "NL-AAA-ECS-A-1")
    await house.put("locations/LOC-C", place("NL-AAA", "CS-A"))
    live = await station(house, "NL-AAA", "CS-A")
    assert (live.location_id, live.online) == ("LOC-C", True)
    listed = {each["id"]: each for each in (await house.get("/api/1.0/locations", token)).data}
    assert [each["status"] for each in listed["LOC-A"]["evses"]] == ["REMOVED", "REMOVED"]
    assert [each["status"] for each in listed["LOC-C"]["evses"]] == ["CHARGING", "UNKNOWN"]
    alone = await house.get("/api/1.0/locations/LOC-A/NL-AAA-ECS-A-1", token)
    assert alone.data["status"] == "REMOVED"
    await house.put("locations/LOC-A", place("NL-AAA", "CS-A"))
    listed = {each["id"]: each for each in (await house.get("/api/1.0/locations", token)).data}
    assert [each["status"] for each in listed["LOC-A"]["evses"]] == ["CHARGING", "UNKNOWN"]
    assert [each["status"] for each in listed["LOC-C"]["evses"]] == ["REMOVED", "REMOVED"]


async def test_a_location_that_goes_to_another_cpo_leaves_a_tombstone(each_house: House) -> None:
    house = each_house
    old, new = await house.subscribe("NL-AAA"), await house.subscribe("NL-BBB")
    body: dict[str, Any] = place("NL-AAA", "CS-A")
    for number, each in enumerate(body["stations"][0]["evses"]):
        each["uid"] = f"E{number}"
    await house.put("locations/LOC-A", body)
    await comes_alive(house, "NL-AAA", "CS-A", "E0")
    before = (await house.get("/api/1.0/locations/LOC-A", old)).data
    await house.put("locations/LOC-A", {**body, "cpo": "NL-BBB"})
    left = (await house.get("/api/1.0/locations/LOC-A", old)).data
    assert {each["status"] for each in left["evses"]} == {"REMOVED"}
    assert left["last_updated"] >= before["last_updated"]
    taken = (await house.get("/api/1.0/locations/LOC-A", new)).data
    assert [each["status"] for each in taken["evses"]] == ["CHARGING", "UNKNOWN"]
    found = await house.journal.find("station", "cs-a")
    assert found is not None
    assert found.ref.owner == "NL-BBB"
    assert (await station(house, "NL-BBB", "CS-A")).running == {1: "S1"}
    assert (await station(house, "NL-AAA", "CS-A")).removed
    await house.put("locations/LOC-A", body)
    back = (await house.get("/api/1.0/locations/LOC-A", old)).data
    assert [each["status"] for each in back["evses"]] == ["CHARGING", "UNKNOWN", *["REMOVED"] * (len(back["evses"]) - 2)]
    assert {each["status"] for each in (await house.get("/api/1.0/locations/LOC-A", new)).data["evses"]} == {"REMOVED"}


async def test_a_station_goes_to_a_location_of_another_cpo(each_house: House) -> None:
    house = each_house
    await comes_alive(house, "NL-AAA", "CS-A", "NL-AAA-ECS-A-1")
    await house.put("locations/LOC-B", place("NL-BBB", "CS-A"))
    assert (await station(house, "NL-AAA", "CS-A")).removed
    assert (await evse(house, "NL-AAA", "NL-AAA-ECS-A-1")).status == Status.REMOVED
    moved = await station(house, "NL-BBB", "CS-A")
    assert (moved.location_id, moved.online, moved.removed) == ("LOC-B", True, False)
    left = msgspec.json.decode((await stored(house, "location", "NL-AAA", "LOC-A")).body, type=Location)
    assert left.station_ids == ()


async def test_an_evse_of_another_location_is_refused(house: House) -> None:
    body = place("NL-AAA", "CS-9")
    body["stations"][0]["evses"][0]["uid"] = "NL-AAA-ECS-A-1"
    answer = await house.admin("PUT", "locations/NEW", body)
    assert answer.status == 422
    assert answer.json["field"] == "stations[0].evses[0].uid"


async def test_a_name_that_is_used_twice_in_one_body_is_refused(house: House) -> None:
    body = place("NL-AAA", "CS-9")
    body["stations"].append({"id": "cs-9"})
    answer = await house.admin("PUT", "locations/NEW", body)
    assert answer.json["field"] == "stations[1].id"
    body = place("NL-AAA", "CS-9")
    body["stations"][0]["evses"][1]["connectors"][0]["connector_id"] = 1
    answer = await house.admin("PUT", "locations/NEW", body)
    assert answer.json["field"] == "stations[0].evses[1].connectors[0].connector_id"


async def test_a_password_is_kept_as_a_hash_and_never_shown(house: House) -> None:
    body = place("NL-AAA", "CS-A")
    body["stations"][0]["password"] = "open sesame"
    answer = await house.admin("PUT", "locations/LOC-A", body)
    assert b"sesame" not in answer.body
    assert answer.json["stations"][0]["has_password"] is True
    kept = await station(house, "NL-AAA", "CS-A")
    assert kept.password_hash is not None
    assert house.keys.matches(kept.password_hash, "open sesame")
    del body["stations"][0]["password"]
    await house.put("locations/LOC-A", body)
    assert (await station(house, "NL-AAA", "CS-A")).password_hash == kept.password_hash
    body["stations"][0]["password"] = None
    await house.put("locations/LOC-A", body)
    assert (await station(house, "NL-AAA", "CS-A")).password_hash is None


async def test_fields_of_the_platform_apis_station_are_kept(house: House) -> None:
    body = place("NL-AAA", "CS-A")
    body["stations"][0] |= {"deploy_state": "Production", "charger_type": "Public", "remarks": "behind the tree"}
    answer = await house.put("locations/LOC-A", body)
    assert answer["stations"][0]["deploy_state"] == "Production"
    assert (await house.admin("GET", "stations/cs-a")).json["remarks"] == "behind the tree"
