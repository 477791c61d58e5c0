"""The status page, the API reference, and what keeps an instance running."""

import asyncio
import re
from typing import Any

import msgspec
import pytest

from api.house import ADMIN, House, furnish, open_house
from api.stock import keep_session, session
from chargewire.charging.session import SessionStatus
from chargewire.portal.picture import Studio


async def test_the_page_asks_for_the_admin_token_and_keeps_a_login(house: House) -> None:
    assert b'name="token"' in (await house.get("/")).body
    assert (await house.get("/live")).status == 401
    wrong = await house.ask("POST", "/login", body=b"token=wrong")
    assert (wrong.status, wrong.headers["location"]) == (303, "/?wrong")
    assert b"That was not the admin token" in (await house.get("/?wrong")).body
    right = await house.ask("POST", "/login", body=f"token={ADMIN}".encode())
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert ADMIN not in cookie
    page = await house.ask("GET", "/", headers={"cookie": cookie.partition(";")[0]})
    assert b"Running sessions" in page.body
    assert "default-src 'self'" in page.headers["content-security-policy"]


async def test_a_forged_cookie_opens_nothing(house: House) -> None:
    for value in ("x", ADMIN, house.keys.hash(ADMIN)):
        answer = await house.ask("GET", "/metrics", headers={"cookie": f"chargewire_admin={value}"})
        assert answer.status == 401


async def test_a_demo_shows_itself_to_everybody() -> None:
    async with open_house(open_status=True) as house:
        assert b"Running sessions" in (await house.get("/")).body
        assert (await house.get("/metrics")).status == 200
        assert (await house.get("/admin/v1/networks")).status == 401


async def test_the_picture_shows_stations_sessions_cdrs_and_subscriptions(house: House) -> None:
    await house.subscribe("NL-AAA", name="City <b>dashboard</b>")
    await keep_session(house.journal, "NL-AAA", session("one"))
    running = session("two", status=SessionStatus.ACTIVE, stopped=None, last_reading_at=house.registry.now())
    await keep_session(house.journal, "NL-AAA", running)
    studio = Studio(house.journal, house.directory, "acceptance", None, None)
    picture: Any = msgspec.json.decode(await studio.picture())
    assert [each["id"] for each in picture["stations"]] == ["CS-A", "CS-B"]
    assert [each["id"] for each in picture["sessions"]] == ["two"]
    assert [each["kwh"] for each in picture["cdrs"]] == [3.5]
    assert picture["subscriptions"][0]["scope"] == "NL-AAA"


async def test_many_lookers_cost_one_picture_a_second(house: House) -> None:
    studio = Studio(house.journal, house.directory, "acceptance", None, None)
    pictures = await asyncio.gather(*(studio.picture() for _ in range(20)))
    assert len({id(picture) for picture in pictures}) == 1


async def test_pages_load_nothing_from_another_network(house: House) -> None:
    cookie = (await house.ask("POST", "/login", body=f"token={ADMIN}".encode())).headers["set-cookie"].partition(";")[0]
    for path in ("/", "/docs", "/pages/page.css", "/pages/page.js", "/docs/assets/start.js"):
        answer = await house.ask("GET", path, headers={"cookie": cookie})
        assert answer.status == 200, path
        text = answer.body.decode()
        assert not re.search(r"""(src|href|url|import)\s*[=(:]\s*["']?https?://""", text), path
    for path in ("/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js"):
        assert len((await house.get(path)).body) > 10_000


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "..%2f..%2fsetup.py", "index.html", "nothing.js"])
async def test_assets_are_only_the_ones_of_the_page(house: House, name: str) -> None:
    assert (await house.get(f"/docs/assets/{name}")).status == 404
    assert (await house.get(f"/pages/{name}")).status == 404


async def test_the_reference_describes_every_route_with_the_types_of_the_code(house: House) -> None:
    document = (await house.get("/docs/openapi.json")).json
    assert document["openapi"].startswith("3.0")
    paths = document["paths"]
    assert {"/api/1.0/sessions", "/api/2.0/cdrs", "/admin/v1/locations/{location_id}"} <= set(paths)
    assert not [path for path in paths if not path.startswith(("/api/", "/admin/"))]
    for operations in paths.values():
        for operation in operations.values():
            assert operation["summary"]
    ids = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(ids) == len(set(ids))
    (date_from, *_) = paths["/api/1.0/sessions"]["get"]["parameters"]
    assert (date_from["name"], date_from["required"]) == ("date_from", True)
    schemas = document["components"]["schemas"]
    assert "charging_periods" in schemas["Session"]["properties"]
    assert schemas["Session"]["properties"]["meter_id"] == {"type": "string", "nullable": True}


async def test_every_reference_in_the_document_leads_somewhere(house: House) -> None:
    body = (await house.get("/docs/openapi.json")).body.decode()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', body))
    assert names <= set(msgspec.json.decode(body)["components"]["schemas"])
    assert '"type":"null"' not in body


async def test_health_is_told_to_everybody_and_metrics_to_the_operator(house: House) -> None:
    assert (await house.get("/healthz")).status == 200
    assert (await house.get("/readyz")).status == 200
    assert (await house.get("/metrics")).status == 401
    await house.get("/api/1.0/locations", await house.subscribe())
    await house.get("/api/1.0/made-up-by-a-scanner", await house.subscribe())
    text = (await house.get("/metrics", ADMIN)).body.decode()
    assert 'chargewire_http_requests_total{module="locations",status="200"} 1' in text
    assert 'chargewire_http_requests_total{module="other",status="404"} 1' in text
    assert "scanner" not in text
    assert re.search(r'chargewire_http_request_seconds_bucket\{module="locations",le="\+Inf"\} 1\n', text)


async def test_an_instance_that_is_not_ready_says_so() -> None:
    async with open_house(ready=lambda: False) as house:
        assert (await house.get("/readyz")).status == 503
        assert (await house.get("/healthz")).status == 200


async def test_a_memory_that_is_away_is_503_with_retry_after(house: House) -> None:
    await furnish(house)
    token = await house.subscribe()
    await house.journal.close()
    answer = await house.get("/api/1.0/sessions?date_from=2026-01-01T00:00:00Z", token)
    assert (answer.status, answer.json["status_code"]) == (503, 3000)
    assert int(answer.headers["retry-after"]) > 0
    answer = await house.admin("PUT", "networks/x", {"name": "X"})
    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
