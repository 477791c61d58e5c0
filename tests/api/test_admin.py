"""What an operator writes: networks, parties, tariffs, tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.house import ADMIN, House, open_house, place
from chargewire.csms.registry import find_token

TARIFF = {"currency": "EUR", "elements": [{"price_components": [{"type": "ENERGY", "price": 0.3, "step_size": 1}]}]}


async def test_nobody_comes_in_without_the_admin_token(house: House) -> None:
    for token in (None, "", "wrong", await house.subscribe()):
        answer = await house.ask("GET", "/admin/v1/networks", token)
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == 401


async def test_nobody_comes_in_if_there_is_no_admin_token() -> None:
    async with open_house(admin_token=None) as house:
        for token in (None, "", "None"):
            assert (await house.ask("GET", "/admin/v1/networks", token)).status == 401


async def test_the_first_put_makes_and_the_next_one_changes(house: House) -> None:
    assert (await house.admin("PUT", "networks/new", {"name": "New"})).status == 201
    answer = await house.admin("PUT", "networks/new", {"name": "Newer"})
    assert answer.status == 200
    assert answer.json["name"] == "Newer"
    assert (await house.admin("GET", "networks/new")).json["name"] == "Newer"


async def test_the_same_put_again_changes_nothing(house: House) -> None:
    first = await house.put("cpos/NL-CCC", {"network_id": "demo", "name": "C"})
    assert await house.put("cpos/NL-CCC", {"network_id": "demo", "name": "C"}) == first


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("networks/x", {}, "name"),
        ("networks/x", {"name": "X", "nmae": "Y"}, "nmae"),
        ("networks/x", {"name": 1}, "name"),
        ("networks/x", {"name": "X", "id": "y"}, "id"),
        ("networks/x", {"name": "a\x00b"}, "name"),
        ("cpos/NL-AAAA", {"network_id": "demo", "name": "A"}, "party"),
        ("cpos/NL-CCC", {"network_id": "none", "name": "A"}, "network_id"),
        ("cpos/NL-CCC", {"network_id": "demo", "name": "A", "time_zone": "Mars/Olympus"}, "time_zone"),
        ("cpos/NL-CCC", {"network_id": "demo", "name": "A", "currency": "euro"}, "currency"),
        ("emsps/NL-EMS", {"name": "E", "network_ids": ["demo", "none"]}, "network_ids[1]"),
        ("tariffs/NL-AAA/T", TARIFF | {"elements": []}, "elements"),
        ("tariffs/NL-AAA/T", TARIFF | {"elements": [{"price_components": [{"type": "WATER"}]}]}, None),
        ("tariffs/NL-ZZZ/T", TARIFF, "cpo"),
        ("tariffs/NL-AAA/T", TARIFF | {"min_price": {"excl_vat": 2, "incl_vat": 1}}, "min_price.incl_vat"),
        ("tariffs/NL-AAA/T", TARIFF | {"valid_until": "2026-01-01T00:00:00"}, "valid_until"),
        ("tariffs/NL-AAA/T", TARIFF | {"vat_percent": 101}, "vat_percent"),
        ("tokens/04AA", {"auth_id": "x"}, "auth_id"),
        ("tokens/04AA", {"auth_id": "NL-EMS-C1", "whitelist": "SOMETIMES"}, "whitelist"),
        ("tokens/04AA", {"auth_id": "NL-EMS-C1", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ("locations/X", place("NL-ZZZ", "CS-1"), "cpo"),
        ("locations/X", place("NL-AAA", "CS-1", colour="red"), "colour"),
        ("locations/X", place("NL-AAA", "CS-1", country="NL"), "country"),
        ("locations/X", place("NL-AAA", "CS-1", facilities=["WIFI", "POOL"]), "facilities[1]"),
        ("locations/X", place("NL-AAA", "CS-1", coordinates={"latitude": "95.1", "longitude": "1"}), "coordinates.latitude"),
        ("locations/X", place("NL-AAA", "CS-1", operator={"name": "O", "phone": "1"}), "operator.phone"),
    ],
)
async def test_what_is_wrong_is_named(house: House, path: str, body: Any, field: str | None) -> None:
    answer = await house.admin("PUT", path, body)
    assert answer.status == 422, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    if field is not None:
        assert answer.json["field"] == field


async def test_the_path_of_a_field_leads_to_the_connector(house: House) -> None:
    body = place("NL-AAA", "CS-1")
    body["stations"][0]["evses"][1]["connectors"][0]["voltage"] = "high"
    answer = await house.admin("PUT", "locations/X", body)
    assert answer.json["field"] == "stations[0].evses[1].connectors[0].voltage"
    del body["stations"][0]["evses"][1]["connectors"][0]["voltage"]
    answer = await house.admin("PUT", "locations/X", body)
    assert answer.json["field"] == "stations[0].evses[1].connectors[0].voltage"


async def test_a_body_that_is_no_json_is_refused(house: House) -> None:
    answer = await house.ask("PUT", "/admin/v1/networks/x", ADMIN, b"{name")
    assert answer.status == 422


async def test_an_unknown_path_is_not_found(house: House) -> None:
    assert (await house.admin("GET", "wallets")).status == 404
    assert (await house.admin("GET", "networks/none")).status == 404
    assert (await house.admin("GET", "locations/none")).status == 404


async def test_a_tariff_keeps_its_prices_to_the_last_digit(house: House) -> None:
    tariff = TARIFF | {
        "vat_percent": 21,
        "elements": [{"price_components": [{"type": "ENERGY", "price": 0.1234, "step_size": 1}]}],
    }
    await house.put("tariffs/nl-aaa/T1", tariff)
    read = (await house.admin("GET", "tariffs/NL-AAA/T1")).json
    assert read["elements"][0]["price_components"][0]["price"] == "0.1234"
    assert read["vat_percent"] == "21"


async def test_a_tariff_is_shown_with_its_versions_to_come(house: House) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    await house.put("tariffs/NL-AAA/T1", TARIFF)
    told = (await house.admin("PUT", "tariffs/NL-AAA/T1", {**TARIFF, "currency": "CHF", "valid_from": later})).json
    read = (await house.admin("GET", "tariffs/NL-AAA/T1")).json
    (listed,) = (await house.admin("GET", "tariffs?cpo=NL-AAA")).json["data"]
    for shown in (told, read, listed):
        assert shown["currency"] == "EUR"
        assert [each["currency"] for each in shown["upcoming"]] == ["CHF"]


async def test_a_tariff_is_deleted_with_all_its_versions_and_may_be_made_again(house: House) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    await house.put("tariffs/NL-AAA/T1", TARIFF)
    await house.put("tariffs/NL-AAA/T1", {**TARIFF, "valid_from": later})
    assert (await house.admin("DELETE", "tariffs/nl-aaa/T1")).status == 204
    assert (await house.admin("GET", "tariffs/NL-AAA/T1")).status == 404
    assert (await house.admin("DELETE", "tariffs/NL-AAA/T1")).status == 404
    assert (await house.admin("GET", "tariffs?cpo=NL-AAA")).json["data"] == []
    made = await house.admin("PUT", "tariffs/NL-AAA/T1", TARIFF)
    assert (made.status, "upcoming" in made.json) == (201, False)


async def test_an_emsp_has_its_retail_tariff_and_says_which_it_is(house: House) -> None:
    await house.put("emsps/NL-EMS", {"name": "E", "network_ids": ["demo"], "retail_tariff_id": "R"})
    await house.put("tariffs/NL-EMS/R", {**TARIFF, "kind": "retail"})
    assert (await house.admin("GET", "emsps/NL-EMS")).json["retail_tariff_id"] == "R"
    for query in ("tariffs", "tariffs?emsp=NL-EMS"):
        assert [each["owner"] for each in (await house.admin("GET", query)).json["data"]] == ["NL-EMS"]
    assert (await house.admin("GET", "tariffs?cpo=NL-AAA")).json["data"] == []


async def test_all_that_bears_on_a_price_comes_back_as_it_was_put(house: House) -> None:
    component = {"type": "ENERGY", "price": 0.3, "step_size": 1, "vat": 5.2}
    restrictions = {"min_current": 6, "max_current": 32, "reservation": "RESERVATION"}
    tariff = {
        "currency": "EUR",
        "elements": [{"price_components": [component], "restrictions": restrictions}],
        "min_price": {"excl_vat": 0.5, "incl_vat": 0.55},
        "max_price": {"excl_vat": 10},
        "valid_until": "2099-01-01T00:00:00Z",
        "tax_included": True,
    }
    read = await house.put("tariffs/NL-AAA/T1", tariff)
    (element,) = read["elements"]
    assert element["price_components"] == [{"type": "ENERGY", "price": "0.3", "step_size": 1, "vat": "5.2"}]
    assert element["restrictions"] == {"min_current": "6", "max_current": "32", "reservation": "RESERVATION"}
    assert (read["min_price"], read["max_price"]) == ({"excl_vat": "0.5", "incl_vat": "0.55"}, {"excl_vat": "10"})
    assert (read["valid_until"], read["tax_included"]) == ("2099-01-01T00:00:00Z", True)


async def test_a_token_makes_the_emsp_that_its_contract_names(house: House) -> None:
    await house.put("tokens/04AABBCC", {"auth_id": "NL-EMS-C12345678-X"})
    emsp = (await house.admin("GET", "emsps/NL-EMS")).json
    assert emsp.get("network_ids", []) == []
    await house.put("tokens/04AABBDD", {"auth_id": "NL-AAA-C1"})
    assert (await house.admin("GET", "emsps/NL-AAA")).json["network_ids"] == ["demo"]


async def test_a_token_is_found_at_the_cpos_of_its_network_only_and_in_any_case(each_house: House) -> None:
    house = each_house
    await house.put("networks/other", {"name": "Other"})
    await house.put("cpos/NL-XXX", {"network_id": "other", "name": "X"})
    await house.put("emsps/NL-EMS", {"name": "E", "network_ids": ["demo"]})
    await house.put("tokens/NL-EMS/04aaBBcc", {"auth_id": "whatever"})
    found = await find_token(house.journal, house.directory, "NL-AAA", "04AABBCC")
    assert found is not None
    assert found.ref.owner == "NL-EMS"
    assert await find_token(house.journal, house.directory, "NL-XXX", "04AABBCC") is None
    await house.put("emsps/NL-EMS", {"name": "E", "network_ids": ["other"]})
    assert await find_token(house.journal, house.directory, "NL-AAA", "04AABBCC") is None
    assert await find_token(house.journal, house.directory, "NL-XXX", "04AABBCC") is not None


async def test_of_two_tokens_with_one_uid_the_valid_one_goes_first(house: House) -> None:
    for party, valid in (("NL-E11", False), ("NL-E22", True)):
        await house.put(f"emsps/{party}", {"name": party, "network_ids": ["demo"]})
        await house.put(f"tokens/{party}/UID", {"auth_id": "x", "valid": valid})
    found = await find_token(house.journal, house.directory, "NL-AAA", "uid")
    assert found is not None
    assert found.ref.owner == "NL-E22"


async def test_lists_come_in_pages(house: House) -> None:
    for number in range(5):
        await house.put(f"tokens/U{number}", {"auth_id": "NL-EMS-C1"})
    first = (await house.admin("GET", "tokens?limit=3")).json
    rest = (await house.admin("GET", f"tokens?limit=3&cursor={first['next']}")).json
    assert [token["uid"] for token in first["data"] + rest["data"]] == [f"U{number}" for number in range(5)]
    assert rest["next"] is None
    answer = await house.admin("GET", f"locations?cursor={first['next']}")
    assert answer.status == 400


async def test_a_command_to_a_station_that_is_not_there_is_a_conflict(house: House) -> None:
    answer = await house.admin("POST", "stations/CS-A/commands", {"type": "Restart", "hard": True})
    assert answer.status == 409
    answer = await house.admin("POST", "stations/CS-A/commands", {"type": "Restart", "speed": 1})
    assert answer.json["field"] == "speed"
    answer = await house.admin("POST", "stations/CS-A/commands", {"type": "Explode"})
    assert answer.status == 422
    assert (await house.admin("GET", "commands/none")).status == 404
