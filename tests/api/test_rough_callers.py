"""Callers that mean harm, or write things in another way than others do."""

import asyncio
import logging
from collections.abc import Awaitable
from time import monotonic

import pytest

from api.house import ADMIN, Answer, House, place

NEVER_ENDING = b"[" * 200_000


async def test_what_is_nested_beyond_reason_is_refused(house: House) -> None:
    answer = await house.ask("PUT", "/admin/v1/networks/x", ADMIN, NEVER_ENDING)
    assert answer.status == 422


async def test_a_cookie_that_is_not_ascii_is_a_wrong_cookie(house: House) -> None:
    answer = await house.ask("GET", "/metrics", headers={"cookie": "chargewire_admin=\u00e9"})
    assert answer.status == 401


async def test_a_login_form_of_millions_of_fields_costs_nothing(house: House) -> None:
    began = monotonic()
    answer = await house.ask("POST", "/login", body=b"a=1&" * 900_000)
    assert answer.headers["location"] == "/?wrong"
    assert monotonic() - began < 1


async def test_head_gives_the_headers_of_get_and_no_body(house: House) -> None:
    token = await house.subscribe()
    got = await house.ask("GET", "/api/1.0/locations", token)
    head = await house.ask("HEAD", "/api/1.0/locations", token)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(got.body))
    assert (await house.ask("HEAD", "/api/1.0/locations", "wrong")).status == 401


async def test_a_network_keeps_its_name_in_whatever_case_it_is_written(house: House) -> None:
    token = await house.subscribe()
    await house.put("networks/DEMO", {"name": "Demo"})
    await house.put("cpos/NL-NEW", {"network_id": "Demo", "name": "New"})
    await house.put("locations/NEW-1", place("NL-NEW", "CS-NEW"))
    listed = (await house.ask("GET", "/api/1.0/locations", token)).data
    assert "NEW-1" in {each["id"] for each in listed}


async def test_a_location_keeps_its_id_in_whatever_case_it_is_written(house: House) -> None:
    first = await house.put("locations/Loc-X", place("NL-AAA", "CS-X"))
    assert await house.put("locations/LOC-x", place("NL-AAA", "CS-X")) == first


async def test_a_party_shows_what_it_has_by_default(house: House) -> None:
    await house.put("cpos/NL-DEF", {"network_id": "demo", "name": "Default"})
    read = (await house.admin("GET", "cpos/NL-DEF")).json
    assert (read["currency"], read["time_zone"], read["publish_all_cdrs"]) == ("EUR", "Europe/Amsterdam", True)


async def test_a_module_that_does_not_exist_is_shown_where_it_stands(house: House) -> None:
    grant = {"cpos": "all", "modules": {"sessionz": ["pull"]}}
    answer = await house.admin("POST", "subscriptions", {"name": "S", "network_id": "demo", "grants": [grant]})
    assert answer.status == 422
    assert answer.json["field"] == "grants[0].modules"


async def test_a_problem_is_named_for_what_it_is(house: House) -> None:
    assert (await house.admin("GET", "nothing")).json["title"] == "Not Found"
    assert (await house.admin("DELETE", "networks/demo")).json["title"] == "Method Not Allowed"
    assert (await house.admin("DELETE", "networks/demo")).headers["allow"]


async def test_what_others_send_makes_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    from chargewire.log import event

    with caplog.at_level(logging.INFO):
        event("call.not_implemented", action="Foo\n2026-11-24\x1b[0m", station_id="CS-1", count=3)
    (record,) = caplog.records
    assert record.getMessage() == r"call.not_implemented action='Foo\n2026-11-24\x1b[0m' station_id=CS-1 count=3"


async def test_whoever_writes_the_same_things_at_once_gets_through_all_the_same(house: House) -> None:
    def write(number: int) -> Awaitable[Answer]:
        body = place("NL-AAA", "CS-RACE", name=f"Name {number}")
        return house.admin("PUT", f"locations/RACE-{number % 2}", body)

    answers = await asyncio.gather(*(write(number) for number in range(40)))
    assert {answer.status for answer in answers} <= {200, 201}
