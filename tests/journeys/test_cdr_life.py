"""The life of a CDR after it was made: explained, corrected, dropped, waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from click.testing import CliRunner, Result

from chargewire.cli import main
from journeys.foreign_station import ForeignStation, foreign_station, minutes, moment
from journeys.world import ADMIN, ask, location, token, until
from roaming.pair import CPO, Side, instance

UID = "04AABBCC"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
EVENING = (datetime.now(AMSTERDAM) - timedelta(days=1)).replace(hour=19, minute=30, second=0, microsecond=0).astimezone(UTC)
NIGHT = {"start_time": "20:00", "end_time": "08:00"}
EXTENDED = {"name": "e", "profile": "extended"}
PER_KWH = {"type": "ENERGY", "price": 0.1, "step_size": 1}
TARIFF: dict[str, Any] = {
    "currency": "EUR",
    "vat_percent": 21,
    "elements": [
        {"price_components": [{"type": "FLAT", "price": 0.35, "step_size": 1}]},
        {"price_components": [{"type": "ENERGY", "price": 0.25, "step_size": 1}], "restrictions": NIGHT},
        {"price_components": [{"type": "ENERGY", "price": 0.45, "step_size": 1}]},
        {"price_components": [{"type": "PARKING_TIME", "price": 3, "step_size": 60}], "restrictions": {"min_duration": 3600}},
    ],
}


@pytest.fixture
async def side(tmp_path: Path, database: str | None) -> AsyncIterator[Side]:
    async with instance(tmp_path / "data", database) as side:
        await side.admin("PUT", "/networks/demo", {"name": "Demo"})
        await side.admin("PUT", "/emsps/NL-EMS", {"name": "eMSP", "network_ids": ["demo"]})
        await side.admin("PUT", f"/cpos/{CPO}", {"network_id": "demo", "name": "City"})
        await side.admin("PUT", f"/tariffs/{CPO}/T1", TARIFF)
        await side.admin("PUT", "/locations/L1", location("L1", CPO, ["CS-1"]))
        await side.admin("PUT", f"/tokens/{UID}", token(UID))
        yield side


async def charge(station: ForeignStation, begin: datetime, *, stop_wh: int = 23_000) -> None:
    """An hour and a half from `begin` on: 11 kW for an hour, then the car is full and stays."""
    started = await station.start_session(UID, 12_000, begin)
    for count in range(1, 7):
        await station.meter(started.transaction_id, 12_000 + (stop_wh - 12_000) * count // 6, begin + minutes(10 * count))
    for count in (7, 8):
        await station.meter(started.transaction_id, stop_wh, begin + minutes(10 * count))
    await station.stop_session(started.transaction_id, stop_wh, begin + minutes(90), UID)


async def one(side: Side, state: str = "published") -> Any:
    """The only CDR in a state."""
    found: list[Any] = []

    async def there() -> bool:
        found[:] = (await side.admin("GET", f"/cdrs?state={state}"))["data"]
        return len(found) == 1

    await until(there, 10, f"one {state} CDR")
    return found[0]


@pytest.fixture
async def charged(side: Side) -> Any:
    """The CDR of a session from 19:30 to 21:00 local time, yesterday."""
    async with foreign_station(side.ocpp_url, "CS-1") as station:
        await station.boot()
        await charge(station, EVENING)
    return await one(side)


async def test_a_cdr_is_explained_line_by_line_and_the_numbers_add_up(side: Side, charged: Any) -> None:
    told = await side.admin("GET", f"/cdrs/{charged['id']}/explain")
    assert [(line["type"], line["element"]) for line in told["lines"]] == [
        ("FLAT", 0),
        ("ENERGY", 2),
        ("ENERGY", 1),
        ("PARKING_TIME", 3),
    ]
    day, night = told["lines"][1], told["lines"][2]
    assert night["why"] == ["20:00 to 08:00 local time"]
    assert day["parts"][0]["end"] == night["parts"][0]["start"] == moment(EVENING + minutes(30))
    assert sum(Decimal(line["cost"]) for line in told["lines"]) == Decimal(told["excl_vat"])
    assert Decimal(told["excl_vat"]) + Decimal(told["vat"]) == Decimal(told["incl_vat"])
    assert sum(Decimal(line["volume"]) for line in told["lines"] if line["type"] == "ENERGY") == Decimal("11")
    assert (told["start_register_wh"], told["stop_register_wh"]) == (12_000, 23_000)
    assert [reading["register_wh"] for reading in told["readings"]][:2] == [13_833, 15_666]
    assert told["readings_in_all"] == 8


async def test_people_get_the_explanation_as_text_and_as_a_picture(side: Side, charged: Any) -> None:
    base = f"{side.url}/admin/v1/cdrs/{charged['id']}/explain"
    async with aiohttp.ClientSession(headers={"Authorization": f"Token {ADMIN}"}) as http:
        text = await (await http.get(f"{base}.txt")).text()
        picture = await (await http.get(f"{base}.svg")).text()
    assert "20:00 to 08:00 local time" in text
    assert "start register 12000 Wh" in text
    assert "▇" in text or "█" in text
    assert picture.startswith("<svg")
    assert picture.endswith("</svg>\n")
    assert max(len(line) for line in text.splitlines()) <= 128


async def test_a_credit_takes_back_exactly_what_was_charged_and_only_once(side: Side, charged: Any) -> None:
    answer = await side.admin("POST", f"/cdrs/{charged['id']}/credit", {"reason": "the charger was broken"})
    taken = answer["credit"]
    assert (taken["credit_of"], taken["reason"]) == (charged["id"], "the charger was broken")
    for name in ("excl_vat", "incl_vat", "vat"):
        assert Decimal(taken["cost"][name]) == -Decimal(charged["cost"][name])
    pairs = zip(taken["cost"]["lines"], charged["cost"]["lines"], strict=True)
    assert all(Decimal(minus["cost"]) == -Decimal(plus["cost"]) for minus, plus in pairs)
    again = await side.tried("POST", f"/cdrs/{charged['id']}/credit", {"reason": "again"})
    assert (again.status, again.body["title"]) == (409, "Already done")
    of_credit = await side.tried("POST", f"/cdrs/{taken['id']}/credit", {"reason": "no"})
    assert (of_credit.status, of_credit.body["field"]) == (422, "id")
    assert (await one(side))["id"] == charged["id"]  # it stays as it is
    assert (await one(side, "credit"))["id"] == taken["id"]
    body = {"name": "n", "network_id": "demo", "grants": [{"cpos": "all", "modules": {"cdrs": ["pull"]}}]}
    seen = await ask("GET", f"{side.url}/api/1.0/cdrs", (await side.admin("POST", "/subscriptions", body))["token"])
    cost = float(charged["cost"]["excl_vat"])
    assert [each["total_cost"] for each in seen.body["data"]] == [cost, -cost]
    assert seen.body["data"][1]["remark"] == f"credit of {charged['id']}"


async def test_a_correction_is_a_credit_and_a_new_cdr_that_says_what_it_stands_for(side: Side, charged: Any) -> None:
    corrected = await side.admin("POST", f"/cdrs/{charged['id']}/correct", {"reason": "meter", "energy_wh": 5000})
    new = corrected["cdr"]
    assert (new["replaces"], new["energy_wh"]) == (charged["id"], 5000)
    assert sum(period.get("energy_wh", 0) for period in new["periods"]) == 5000
    assert "corrected" in new["flags"]
    again = await side.admin("POST", f"/cdrs/{new['id']}/correct", {"reason": "time", "stop": moment(EVENING + minutes(60))})
    assert again["cdr"]["total_time_s"] == 3600
    assert again["cdr"]["parking_time_s"] == 0
    told = await side.admin("GET", f"/cdrs/{again['cdr']['id']}/explain")
    assert Decimal(told["excl_vat"]) == sum(Decimal(line["cost"]) for line in told["lines"])
    for wrong, field in (
        ({"stop": moment(EVENING + minutes(91))}, "stop"),
        ({"start": moment(EVENING - minutes(1))}, "start"),
        ({"energy_wh": -1}, "energy_wh"),
        ({"tariff_id": "NONE"}, "tariff_id"),
        ({"stop": moment(EVENING + minutes(30))[:-1]}, "stop"),
        ({}, "reason"),
    ):
        refused = await side.tried("POST", f"/cdrs/{again['cdr']['id']}/correct", {"reason": "x", **wrong})
        assert (refused.status, refused.body["field"]) == (422, field), refused.body


async def test_a_cdr_with_a_flag_that_the_cpo_does_not_want_is_dropped_and_can_be_published(side: Side) -> None:
    await side.admin("PUT", f"/cpos/{CPO}", {"network_id": "demo", "name": "City", "drop_flagged": ["implausible-power"]})
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    async with foreign_station(side.ocpp_url, "CS-1") as station:
        await station.boot()
        await charge(station, begin, stop_wh=412_000)
    dropped = await one(side, "dropped")
    assert "implausible-power" in dropped["flags"]
    assert (await side.admin("GET", "/cdrs"))["data"] == []
    assert (await side.admin("GET", "/cdrs?state=dropped&flag=no-tariff"))["data"] == []
    assert (await side.admin("GET", f"/cdrs/{dropped['id']}/explain"))["energy_kwh"] == "400"
    await side.admin("POST", f"/cdrs/{dropped['id']}/publish")
    assert (await one(side))["id"] == dropped["id"]
    assert (await side.admin("GET", "/cdrs?state=dropped"))["data"] == []


async def test_a_session_without_tariff_waits_for_all_to_see_and_is_priced_once_there_is_one(side: Side) -> None:
    await side.admin("PUT", "/locations/L1", location("L1", CPO, ["CS-1"], tariff_id="LATER"))
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    async with foreign_station(side.ocpp_url, "CS-1") as station:
        await station.boot()
        await charge(station, begin)
    waiting = await one(side, "waiting")
    assert (waiting["flags"], waiting["tariff_id"]) == (["no-tariff"], "LATER")
    tried = await side.admin("POST", f"/waiting/{waiting['session_id']}/retry")
    assert (tried["priced"], tried["why"]) == (False, "no-tariff")
    await side.admin("PUT", f"/tariffs/{CPO}/LATER", TARIFF)
    cdr = await one(side)
    assert cdr["session_id"] == waiting["session_id"]
    assert (await side.admin("GET", "/cdrs?state=waiting"))["data"] == []


async def test_of_many_who_correct_a_cdr_at_the_same_time_one_does(side: Side, charged: Any) -> None:
    path = f"/cdrs/{charged['id']}"
    tries = [side.tried("POST", f"{path}/correct", {"reason": f"r{count}", "energy_wh": 1000 + count}) for count in range(5)]
    tries += [side.tried("POST", f"{path}/credit", {"reason": "c"}) for _ in range(3)]
    answers = await asyncio.gather(*tries)
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    published = (await side.admin("GET", "/cdrs"))["data"]
    credits = (await side.admin("GET", "/cdrs?state=credit"))["data"]
    corrected = "cdr" in next(answer.body for answer in answers if answer.status == 201)
    assert (len(published), len(credits)) == (2 if corrected else 1, 1)


async def test_customers_see_what_a_corrected_cdr_stands_for_and_their_sums_come_out_right(side: Side, charged: Any) -> None:
    await side.admin("PUT", f"/tariffs/{CPO}/CHEAP", TARIFF | {"elements": [{"price_components": [PER_KWH]}]})
    given = {"reason": "wrong tariff", "tariff_id": "CHEAP"}
    new = (await side.admin("POST", f"/cdrs/{charged['id']}/correct", given))["cdr"]
    assert Decimal(new["cost"]["excl_vat"]) == Decimal("1.10")
    body = {"name": "n", "network_id": "demo", "grants": [{"cpos": "all", "modules": {"cdrs": ["pull"]}}]}
    seen = await ask("GET", f"{side.url}/api/1.0/cdrs", (await side.admin("POST", "/subscriptions", body))["token"])
    assert "credit" not in seen.body["data"][1], "the API that we are compatible with has no such field"
    better = await ask(
        "GET", f"{side.url}/api/1.0/cdrs?limit=2", (await side.admin("POST", "/subscriptions", body | EXTENDED))["token"]
    )
    assert [(each["credit"], each["credit_reference_id"]) for each in better.body["data"]] == [
        (False, None),
        (True, charged["id"]),
    ]
    remarks = [each["remark"] for each in seen.body["data"]]
    assert remarks == [None, f"credit of {charged['id']}", f"replaces {charged['id']}"]
    assert sum(Decimal(str(each["total_cost"])) for each in seen.body["data"]) == Decimal("1.10")


async def test_the_life_of_a_cdr_is_told_and_changed_from_the_shell(side: Side, charged: Any, tmp_path: Path) -> None:
    async def run(*args: str) -> Result:
        options = ["--url", side.url, "--admin-token", ADMIN]
        return await asyncio.to_thread(CliRunner().invoke, main, ["cdr", *args, *options])

    cdr_id, svg = charged["id"], tmp_path / "cdr.svg"
    listed = await run("list")
    assert json.loads(listed.output)["id"] == cdr_id
    told = await run("explain", cdr_id, "--svg", str(svg))
    assert "20:00 to 08:00 local time" in told.output
    assert svg.read_text().startswith("<svg")
    assert json.loads((await run("explain", cdr_id, "--json")).output)["id"] == cdr_id
    missing = await run("explain", cdr_id, "--price", "retail")
    assert (missing.exit_code, "no retail price" in missing.output) == (1, True)
    corrected = json.loads((await run("correct", cdr_id, "--reason", "meter", "--energy-wh", "5000")).output)
    again = await run("credit", cdr_id, "--reason", "twice")
    assert (again.exit_code, "Already done" in again.output) == (1, True)
    shown = json.loads((await run("show", corrected["cdr"]["id"])).output)
    assert (shown["state"], shown["replaces"]) == ("published", cdr_id)
    assert json.loads((await run("list", "--state", "credit")).output)["credit_of"] == cdr_id
    for nobody in (["show", "NOBODY"], ["publish", "NOBODY"], ["retry", "NOBODY"]):
        unknown = await run(*nobody)
        assert (unknown.exit_code, "Not found" in unknown.output) == (1, True), unknown.output
