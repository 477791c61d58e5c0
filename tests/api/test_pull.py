"""The Platform API as a customer's client meets it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from api.house import House, furnish, open_house
from api.stock import keep_message, keep_reading, keep_session, session
from chargewire.charging.reading import Sample
from chargewire.charging.session import SessionStatus, Started
from chargewire.csms import views
from chargewire.journal.memory import ListQuery

ALWAYS = "date_from=2020-01-01T00:00:00Z"
SESSIONS = f"/api/1.0/sessions?{ALWAYS}"


async def crawl(house: House, url: str, token: str) -> list[Any]:
    """Everything that is listed, by following Link."""
    found, following = [], url
    while following:
        answer = await house.get(following, token)
        assert answer.status == 200, answer.body
        assert answer.json["status_code"] == 1000, answer.body
        found += answer.data
        following = answer.next or ""
    return found


async def fill(house: House, count: int = 7, owner: str = "NL-AAA") -> list[str]:
    """Finished sessions; their ids in the order in which they were made."""
    keys = [f"{owner}-{number}" for number in range(count)]
    for key in keys:
        await keep_session(house.journal, owner, session(key))
    return keys


async def test_an_answer_has_the_envelope(house: House) -> None:
    answer = await house.get(SESSIONS, await house.subscribe())
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json) == ["data", "status_code", "status_message", "timestamp"]
    assert (answer.json["status_code"], answer.json["status_message"]) == (1000, "Success")
    assert answer.json["timestamp"].endswith("Z")


@pytest.mark.parametrize("token", [None, "", "wrong", "cw_" + "A" * 43])
async def test_without_a_good_token_it_is_401(house: House, token: str | None) -> None:
    for path in (SESSIONS, "/api/1.0/nothing", "/api/2.0/cdrs/NL-EMS/1"):
        answer = await house.get(path, token)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Token"
        assert answer.json["status_code"] == 2000


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sessions", "date_from"),
        ("sessions?date_from=yesterday", "date_from"),
        (f"sessions?{ALWAYS}&date_to=2026-13-01T00:00:00Z", "date_to"),
        (f"sessions?{ALWAYS}&limit=0", "limit"),
        (f"sessions?{ALWAYS}&limit=many", "limit"),
        (f"sessions?{ALWAYS}&offset=-1", "offset"),
        (f"sessions?{ALWAYS}&status=SLEEPING", "status"),
        (f"sessions?{ALWAYS}&continuation_token=abc", "continuation_token"),
        ("locations?limit=x", "limit"),
        ("cdrs?date_from=x", "date_from"),
        ("metervalues", "date_from"),
        ("metervalues?date_from=2026-11-24T00:00:00Z", "date_to"),
        ("metervalues?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z", "limit"),
        ("metervalues?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z&limit=9999", "limit"),
        ("metervalues?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z&limit=100001", "limit"),
        ("metervalues?date_from=2026-11-24T00:00:00Z&date_to=2026-11-27T00:00:01Z&limit=10000", "date_to"),
        ("metervalues?date_from=2026-11-24T00:00:00Z&date_to=2026-11-23T00:00:00Z&limit=10000", "date_to"),
        ("metervalues?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z&limit=10000&meter_type=2", "meter_type"),
        ("chargestationnotifications?date_to=2026-11-25T00:00:00Z&limit=10000", "date_from"),
        ("chargestationnotifications?date_from=2026-11-24T00:00:00Z&date_to=2026-11-27T00:00:01Z&limit=10000", "date_to"),
        ("chargestationnotifications?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z&limit=100", "limit"),
        ("chargestationnotifications/CS-A?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z&limit=101", "limit"),
        ("chargestationnotifications/CS-A?date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z", "limit"),
    ],
)
async def test_a_missing_or_wrong_parameter_is_named_in_http_200(house: House, path: str, name: str) -> None:
    answer = await house.get(f"/api/1.0/{path}", await house.subscribe())
    assert answer.status == 200
    assert answer.json["status_code"] == 2001
    assert name in answer.json["status_message"]
    assert "data" not in answer.json


async def test_a_path_is_read_in_any_case_and_an_id_in_its_own(house: House) -> None:
    token = await house.subscribe()
    assert (await house.get("/API/1.0/Locations", token)).status == 200
    assert (await house.get(f"/api/1.0/SESSIONS?Date_From={quote('2020-01-01T00:00:00Z')}", token)).json["status_code"] == 1000
    window = "date_from=2026-11-24T00:00:00Z&date_to=2026-11-25T00:00:00Z&limit=100"
    assert (await house.get(f"/api/1.0/ChargeStationNotifications/CS-A?{window}", token)).status == 200
    assert (await house.get("/api/1.0/locations/LOC-A/", token)).status == 200


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-24T06:00:00Z",
        "2026-11-24T06:00:00",
        "2026-11-24T06:00:00.0000000Z",
        "2026-11-24T07:00:00+01:00",
        "2026-11-24T07%3A00%3A00%2B01%3A00",
        "2026-11-24",
    ],
)
async def test_times_are_read_in_the_forms_that_clients_write(house: House, written: str) -> None:
    answer = await house.get(f"/api/1.0/sessions?date_from={written}", await house.subscribe())
    assert answer.json["status_code"] == 1000, answer.body


async def test_every_session_is_listed_once_in_the_order_of_creation(each_house: House) -> None:
    keys = await fill(each_house)
    token = await each_house.subscribe("NL-AAA")
    for limit in (1, 2, 3, 7, 8):
        assert [each["id"] for each in await crawl(each_house, f"{SESSIONS}&limit={limit}", token)] == keys


async def test_link_is_absent_on_the_last_page_and_the_total_is_told(each_house: House) -> None:
    await fill(each_house)
    token = await each_house.subscribe("NL-AAA")
    first = await each_house.get(f"{SESSIONS}&limit=4", token)
    assert (first.headers["x-total-count"], first.headers["x-limit"]) == ("7", "4")
    assert first.headers["link"].startswith("<http://chargewire.test/api/1.0/sessions?date_from=")
    assert first.next is not None
    last = await each_house.get(first.next, token)
    assert last.headers["x-total-count"] == "7"
    assert "link" not in last.headers


async def test_the_total_is_counted_once_per_crawl(house: House) -> None:
    await fill(house)
    token = await house.subscribe("NL-AAA")
    first = await house.get(f"{SESSIONS}&limit=4", token)
    await keep_session(house.journal, "NL-AAA", session("later"))
    assert first.next is not None
    second = await house.get(first.next, token)
    assert second.headers["x-total-count"] == "7"
    assert [each["id"] for each in second.data][-1] == "later"


async def test_offset_works_too(each_house: House) -> None:
    keys = await fill(each_house)
    token = await each_house.subscribe("NL-AAA")
    answer = await each_house.get(f"{SESSIONS}&offset=5&limit=10", token)
    assert [each["id"] for each in answer.data] == keys[5:]
    assert (await each_house.get(f"{SESSIONS}&offset=99", token)).data == []


async def test_a_public_url_is_what_links_begin_with() -> None:
    async with open_house(public_url="https://charge.example/") as house:
        await furnish(house)
        await fill(house)
        answer = await house.get(f"{SESSIONS}&limit=4", await house.subscribe())
        assert answer.headers["link"].startswith("<https://charge.example/api/1.0/sessions?")


@pytest.mark.parametrize(("path", "asked", "used"), [("sessions", 5000, 1000), ("cdrs", 2000, 1000), ("locations", 1001, 1000)])
async def test_a_limit_that_is_too_large_is_capped(house: House, path: str, asked: int, used: int) -> None:
    answer = await house.get(f"/api/1.0/{path}?{ALWAYS}&limit={asked}", await house.subscribe())
    assert answer.headers["x-limit"] == str(used)


@pytest.mark.parametrize(("path", "default"), [("sessions", 100), ("cdrs", 1000), ("cdrs/NL-EMS", 100), ("locations", 1000)])
async def test_a_limit_that_is_not_given_is_the_published_one(house: House, path: str, default: int) -> None:
    answer = await house.get(f"/api/1.0/{path}?{ALWAYS}", await house.subscribe())
    assert answer.headers["x-limit"] == str(default)


async def test_date_from_is_inclusive_and_date_to_exclusive(each_house: House) -> None:
    house = each_house
    await fill(house, 3)
    token = await house.subscribe("NL-AAA")
    stored = (await house.journal.walk(ListQuery(kind="session", owners=("NL-AAA",)))).rows
    middle = _exact(stored[1].last_updated)
    answer = await house.get(f"/api/1.0/sessions?date_from={middle}", token)
    assert [each["id"] for each in answer.data] == ["NL-AAA-1", "NL-AAA-2"]
    answer = await house.get(f"{SESSIONS}&date_to={middle}", token)
    assert [each["id"] for each in answer.data] == ["NL-AAA-0"]
    assert answer.headers["x-total-count"] == "1"


def _exact(stamp: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stamp)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_only_finished_sessions_without_periods_are_listed_unless_asked(each_house: House) -> None:
    house = each_house
    await fill(house, 1)
    running = session("running", status=SessionStatus.ACTIVE, stopped=None)
    await keep_session(house.journal, "NL-AAA", running)
    await keep_session(house.journal, "NL-AAA", session("refused", status=SessionStatus.INVALID))
    token, extended = await house.subscribe("NL-AAA"), await house.subscribe("NL-AAA", profile="extended")
    (finished,) = (await house.get(SESSIONS, token)).data
    assert finished["charging_periods"] is None
    assert finished["kwh"] == 3.5
    (active,) = (await house.get(f"{SESSIONS}&status=active", token)).data
    assert active["id"] == "running"
    assert active["end_datetime"] is None
    assert active["charging_periods"][0]["dimensions"][:2] == [
        {"type": "ENERGY", "volume": 2.5},
        {"type": "TIME", "volume": 0.25},
    ]
    both = await house.get(f"{SESSIONS}&status=ACTIVE,COMPLETED", token)
    assert {each["id"] for each in both.data} == {"NL-AAA-0", "running"}
    everything = await house.get(SESSIONS, extended)
    assert {each["id"] for each in everything.data} == {"NL-AAA-0", "running", "refused"}


async def test_cdrs_are_listed_whole_by_emsp_and_by_customer(each_house: House) -> None:
    house = each_house
    await keep_session(house.journal, "NL-AAA", session("one", emsp="NL-EMS"))
    await keep_session(house.journal, "NL-AAA", session("two"))
    await keep_session(house.journal, "NL-BBB", session("three", emsp="NL-EMS"))
    token = await house.subscribe("NL-AAA")
    assert [each["session_id"] for each in await crawl(house, "/api/1.0/cdrs?limit=1", token)] == ["one", "two"]
    assert [each["session_id"] for each in await crawl(house, "/api/2.0/cdrs?limit=1", token)] == ["one", "two"]
    for path in ("cdrs/NL-EMS", "cdrs/nl-ems", "cdrs/NL-EMS/customer-1"):
        assert [each["session_id"] for each in await crawl(house, f"/api/1.0/{path}", token)] == ["one"]
    for path in ("cdrs/NL-ZZZ", "cdrs/NL-EMS/customer-2"):
        answer = await house.get(f"/api/1.0/{path}", token)
        assert (answer.data, answer.next) == ([], None)


async def test_the_cdrs_of_one_customer_come_in_pages(each_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "CHUNK", 4)
    house, keys = each_house, []
    for number in range(17):
        made = session(f"s-{number:02}", emsp="NL-EMS")
        if number % 3:
            made = msgspec.structs.replace(made, started=_driven_by(made.started, "customer-2"))
            keys.append(made.id)
        await keep_session(house.journal, "NL-AAA", made)
    token = await house.subscribe("NL-AAA")
    for limit in (1, 3, 4, 11, 12):
        seen = await crawl(house, f"/api/1.0/cdrs/NL-EMS/customer-2?limit={limit}", token)
        assert [each["session_id"] for each in seen] == keys
    page = await house.get("/api/1.0/cdrs/NL-EMS/customer-2?offset=9", token)
    assert [each["session_id"] for each in page.data] == keys[9:]


def _driven_by(started: Started, customer: str) -> Started:
    return msgspec.structs.replace(started, token=msgspec.structs.replace(started.token, customer_id=customer))


async def test_an_emsp_lists_the_cdrs_of_its_drivers_at_every_cpo(each_house: House) -> None:
    house = each_house
    await house.put("emsps/NL-EMS", {"name": "E", "network_ids": ["demo"]})
    for number, owner in enumerate(["NL-AAA", "NL-BBB", "NL-AAA", "NL-BBB"]):
        await keep_session(house.journal, owner, session(f"{owner}-{number}", emsp="NL-EMS" if number < 3 else None))
    grants = [{"emsps": ["NL-EMS"], "modules": {"cdrs": ["pull"]}}]
    answer = await house.admin("POST", "subscriptions", {"name": "E", "network_id": "demo", "grants": grants})
    seen = await crawl(house, "/api/2.0/cdrs?limit=2", answer.json["token"])
    assert sorted(each["session_id"] for each in seen) == ["NL-AAA-0", "NL-AAA-2", "NL-BBB-1"]
    both = [*grants, {"cpos": ["NL-BBB"], "modules": {"cdrs": ["pull"]}}]
    answer = await house.admin("POST", "subscriptions", {"name": "B", "network_id": "demo", "grants": both})
    token = answer.json["token"]
    first = await house.get("/api/2.0/cdrs?limit=1", token)
    assert first.headers["x-total-count"] == "4"
    whole = [each["session_id"] for each in await crawl(house, "/api/2.0/cdrs?limit=1", token)]
    assert sorted(whole) == ["NL-AAA-0", "NL-AAA-2", "NL-BBB-1", "NL-BBB-3"]
    for offset in range(5):
        page = (await house.get(f"/api/1.0/cdrs?offset={offset}&limit=10", token)).data
        assert [each["session_id"] for each in page] == whole[offset:]


WINDOW = "date_from={}&date_to={}&limit=10000"


def window(house: House) -> str:
    now = house.registry.now()
    start, end = now - timedelta(hours=36), now + timedelta(hours=35)
    return WINDOW.format(start.strftime("%Y-%m-%dT%H:%M:%SZ"), end.strftime("%Y-%m-%dT%H:%M:%SZ"))


SAMPLES = (
    Sample("1234.5"),
    Sample("7.25", "Power.Active.Import", "kW"),
    Sample("16", "Current.Import", "A", phase="L1"),
    Sample("15.9", "Current.Import", "A", phase="L2"),
    Sample("signed", format="SignedData"),
)


async def test_meter_values_are_one_record_per_value(each_house: House) -> None:
    house = each_house
    for number in range(3):
        await keep_reading(house.journal, "NL-AAA", "CS-A", number, SAMPLES)
    token = await house.subscribe("NL-AAA")
    values = await crawl(house, f"/api/1.0/metervalues?{window(house)}", token)
    assert len(values) == 15
    assert len({each["meter_value_uid"] for each in values}) == 15
    first, power, current, _, signed = values[:5]
    assert (first["measurand"], first["context"], first["unit"]) == ("EnergyActiveImportRegister", "SamplePeriodic", "Wh")
    assert (first["value"], first["phase"], first["meter_type"]) == (1234.5, "None", "EVSE")
    assert (first["location_id"], first["evse_id"], first["connector_ID"]) == ("LOC-A", "NL-AAA-ECS-A-1", 1)
    assert (power["value"], current["phase"], signed["value"]) == (7.25, "L1", None)
    assert {each["message_id"] for each in values[:5]} == {"mv-0"}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("measurand=CurrentImport", 6),
        ("measurand=Current.Import", 6),
        ("measurand=currentimport&phase=l2", 3),
        ("phase=None", 9),
        ("unit=kW", 3),
        ("context=SampleClock", 0),
        ("meter_type=1", 15),
        ("meter_type=0", 0),
    ],
)
async def test_meter_values_are_filtered(house: House, asked: str, count: int) -> None:
    for number in range(3):
        await keep_reading(house.journal, "NL-AAA", "CS-A", number, SAMPLES)
    token = await house.subscribe("NL-AAA")
    assert len(await crawl(house, f"/api/1.0/metervalues?{window(house)}&{asked}", token)) == count


async def test_the_log_has_calls_and_their_answers_in_both_directions(each_house: House) -> None:
    house = each_house
    await keep_message(house.journal, "NL-AAA", "CS-A", 1)
    await keep_message(house.journal, "NL-AAA", "CS-A", 2, "StatusNotification")
    token = await house.subscribe("NL-AAA")
    log = await crawl(house, f"/api/1.0/chargestationnotifications?{window(house)}", token)
    assert [(each["message_action"], each["message_type"], each["direction"]) for each in log] == [
        ("Heartbeat", "2", "ToGsop"),
        ("Heartbeat", "3", "ToChargePoint"),
        ("StatusNotification", "2", "ToGsop"),
        ("StatusNotification", "3", "ToChargePoint"),
    ]
    assert len({each["id"] for each in log}) == 4
    payload = msgspec.json.decode(log[2]["charge_station_message_payload"])
    assert payload["status"] == "Available"
    assert payload["level"] == "Info"
    assert payload["VendorErrorCode"] is None
    only = await crawl(house, f"/api/1.0/chargestationnotifications?{window(house)}&message_action=Heartbeat", token)
    assert {each["MessageAction"] for each in only} == {"Heartbeat"}


async def test_the_log_of_one_station_is_paged_and_filtered(each_house: House) -> None:
    house = each_house
    for number in range(7):
        await keep_message(house.journal, "NL-AAA", "CS-A", number)
    await keep_message(house.journal, "NL-AAA", "CS-Z", 99)
    token = await house.subscribe("NL-AAA")
    base = f"/api/1.0/chargestationnotifications/cs-a?{window(house).replace('limit=10000', 'limit=')}"
    whole = [f"m-{number}" for number in range(7) for _ in range(2)]
    for limit in (1, 2, 3, 5, 14, 100):
        log = await crawl(house, f"{base}{limit}", token)
        assert [each["charge_station_notification_id"] for each in log] == whole
    for asked, count in (("message_type=2", 7), ("direction=tochargepoint", 7), ("level=Error", 0)):
        assert len(await crawl(house, f"{base}3&{asked}", token)) == count
    one = await crawl(house, f"{base}3&charge_station_notification_id=m-4", token)
    assert [each["charge_station_notification_id"] for each in one] == ["m-4", "m-4"]
    first = await house.get(f"{base}3", token)
    assert first.next is not None
    again = first.next.replace("continuation_token", "continuationToken")
    assert (await house.get(again, token)).data == (await house.get(first.next, token)).data


async def test_a_crawl_neither_skips_nor_doubles_while_sessions_are_added_and_changed(each_house: House) -> None:
    house = each_house
    keys = await fill(house, 30)
    token = await house.subscribe("NL-AAA")

    async def meanwhile() -> None:
        for number in range(30):
            await keep_session(house.journal, "NL-AAA", session(f"new-{number:02}"))
            await asyncio.sleep(0)

    adding = asyncio.create_task(meanwhile())
    seen = [each["id"] for each in await crawl(house, f"{SESSIONS}&limit=3", token)]
    await adding
    assert seen[:30] == keys
    assert len(seen) == len(set(seen))


async def test_the_whole_interval_up_to_complete_until_is_in_the_list(house: House) -> None:
    await fill(house, 2)
    answer = await house.get(SESSIONS, await house.subscribe())
    assert answer.headers["x-complete-until"] >= max(each["last_updated"] for each in answer.data)
