"""Pulling a partner's lists, between two instances and from a partner that does what partners do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from chargewire.cli import main
from journeys.world import ADMIN, location, served, token, until
from roaming.pair import CPO, Pair, Side, furnish_cpo
from roaming.test_handshake import STAMP, partner


async def test_a_partner_that_has_just_connected_is_pulled_from_at_once(both: Pair) -> None:
    cpo, emsp = await both.connected()
    places = await _received(both.emsp, emsp, "locations", 1)
    assert [place["object"]["id"] for place in places] == ["LOC-AAA"]  # neither what is hidden, nor what is another CPO's
    assert [tariff["object"]["id"] for tariff in await _received(both.emsp, emsp, "tariffs", 1)] == ["T1"]
    [kept] = await _received(both.cpo, cpo, "tokens", 1)
    assert kept["object"]["uid"] == "04AABBCC"
    await until(lambda: _ended(both.emsp, emsp, 4), 10, "four lists read")
    pulls = (await both.emsp.partner(emsp["id"]))["pulls"]
    assert {each["module"]: each["read"] for each in pulls} == {"tariffs": 1, "locations": 1, "sessions": 0, "cdrs": 0}


async def test_the_pages_of_one_of_us_are_read_to_their_end_by_another(both: Pair) -> None:
    for number in range(130):
        await both.emsp.admin("PUT", f"/tokens/DE-EMS/UID{number:03}", token(f"UID{number:03}", "DE-EMS-C00000001-X"))
    cpo, _ = await both.connected()
    await until(lambda: _ended(both.cpo, cpo, 1), 10, "the list read")
    [pull] = (await both.cpo.partner(cpo["id"]))["pulls"]
    assert (pull["read"], pull["unreadable"], pull["broken"]) == (131, 0, None)
    assert len(await _received(both.cpo, cpo, "tokens", 131)) == 131


async def test_what_is_missing_in_a_whole_list_is_gone(both: Pair) -> None:
    _, emsp = await both.connected()
    await _received(both.emsp, emsp, "locations", 1)
    await until(lambda: _ended(both.emsp, emsp, 4), 10, "the first pull")
    await both.cpo.admin("PUT", "/locations/LOC-AAA", location("LOC-AAA", CPO, ["CS-AAA"]) | {"publish": False})
    pulls = (await both.emsp.partner(emsp["id"]))["pulls"]
    await both.emsp.admin("POST", f"/partners/{emsp['id']}/pull", {"whole": True})

    async def again() -> bool:
        now = (await both.emsp.partner(emsp["id"]))["pulls"]
        return all(new["ended_at"] != old["ended_at"] for new, old in zip(now, pulls, strict=True))

    await until(again, 10, "the second pull")
    [place] = await _received(both.emsp, emsp, "locations", 1)
    assert [evse["status"] for evse in place["object"]["evses"]] == ["REMOVED"]


async def test_a_list_is_read_along_its_links_and_what_is_broken_in_it_costs_the_others_nothing(both: Pair) -> None:
    tokens = [token(f"UID{number:03}", "DE-XYZ-C1") for number in range(250)]
    tokens[7] = {"uid": "broken"}
    async with pulled_partner(tokens) as them:
        wanted = both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a", "modules": ["tokens"]}
        made = await both.cpo.admin("POST", "/partners", wanted)
        await until(lambda: _ended(both.cpo, made, 1), 10, "the list read")
    [pull] = (await both.cpo.partner(made["id"]))["pulls"]
    assert (pull["read"], pull["changed"], pull["unreadable"]) == (249, 249, 1)
    assert len(await _received(both.cpo, made, "tokens", 249)) == 249


async def test_a_list_that_breaks_off_is_told_and_goes_on_when_it_is_asked_for(both: Pair) -> None:
    tokens = [token(f"UID{number:03}", "DE-XYZ-C1") for number in range(250)]
    async with pulled_partner(tokens, fail_at=200) as them:
        made = await both.cpo.admin(
            "POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a"}
        )

        async def failed() -> bool:
            pulls = (await both.cpo.partner(made["id"]))["pulls"]
            return bool(pulls and pulls[0].get("error"))

        await until(failed, 10, "the pull that fails")
        assert "HTTP 500" in (await both.cpo.partner(made["id"]))["pulls"][0]["error"]
        assert len(await _received(both.cpo, made, "tokens", 200)) == 200  # what was read is kept
        them.fail_at = 0
        await both.cpo.admin("POST", f"/partners/{made['id']}/pull")
        await until(lambda: _ended(both.cpo, made, 1), 10, "the pull that works")
        assert len(await _received(both.cpo, made, "tokens", 250)) == 250
        await both.cpo.admin("POST", f"/partners/{made['id']}/pull")
        await until(lambda: any("date_from" in asked for asked in them.asked), 10, "that only what is new is asked for")


async def test_a_list_that_leads_in_circles_or_elsewhere_ends(both: Pair) -> None:
    async with pulled_partner([token("UID1", "DE-XYZ-C1")], next_url="http://127.0.0.1:9/elsewhere") as them:
        made = await both.cpo.admin(
            "POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a"}
        )

        async def failed() -> bool:
            pulls = (await both.cpo.partner(made["id"]))["pulls"]
            return bool(pulls and "not followed" in pulls[0].get("error", ""))

        await until(failed, 10, "the pull that fails")


@pytest.mark.long
async def test_a_process_that_is_killed_while_it_reads_a_list_goes_on_by_itself_when_it_is_started(tmp_path: Path) -> None:
    tokens = [token(f"UID{number:04}", "DE-XYZ-C1") for number in range(1500)]
    async with pulled_partner(tokens) as them, served(tmp_path / "data") as server:
        side = Side(server.url, server.ocpp_url)
        await furnish_cpo(side)
        them.hang_at = 1200
        wanted = {"name": "p", "role": "CPO", "party": CPO, "versions_url": them.url, "token": "their-token-a"}
        made = await side.admin("POST", "/partners", wanted)
        await until(lambda: "1200" in {asked.get("offset") for asked in them.asked}, 20, "the page that does not come")
        await server.kill()
        them.hang_at = 0
        them.asked.clear()
        await server.again()
        await until(lambda: _ended(side, made, 1), 20, "the list read")
        assert [asked.get("offset") for asked in them.asked] == ["1000", "1100", "1200", "1300", "1400"]
        [pull] = (await side.partner(made["id"]))["pulls"]
        assert (pull["read"], pull["unreadable"], pull["broken"]) == (1500, 0, None)
        assert len(await _received(side, made, "tokens", 1500)) == 1500


class Lists:
    """A partner's tokens, in pages."""

    def __init__(self, rows: list[Any], fail_at: int, next_url: str) -> None:
        self.rows = rows
        self.fail_at = fail_at
        self.next_url = next_url
        self.hang_at = 0
        self.url = ""
        self.asked: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", 100)), 100)
        if self.hang_at and offset >= self.hang_at:
            await asyncio.sleep(20)
        if self.fail_at and offset >= self.fail_at:
            return web.json_response({"status_code": 3000, "timestamp": STAMP}, status=500)
        headers = {"X-Total-Count": str(len(self.rows)), "X-Limit": "100"}
        if offset + limit < len(self.rows) or self.next_url:
            url = self.next_url or str(request.url.update_query(offset=str(offset + limit), limit=str(limit)))
            headers["Link"] = f'<{url}>; rel="next"'
        body = {"data": self.rows[offset : offset + limit], "status_code": 1000, "timestamp": STAMP}
        return web.json_response(body, headers=headers)


@asynccontextmanager
async def pulled_partner(rows: list[Any], fail_at: int = 0, next_url: str = "") -> AsyncIterator[Lists]:
    """An eMSP that has tokens."""
    lists = Lists(rows, fail_at, next_url)
    async with partner() as them:
        otherwise = them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method == "GET" and request.path.endswith("/tokens"):
                return await lists.answer(request)
            return await otherwise(request)

        them.answer = answer  # type: ignore[method-assign]
        lists.url = them.url
        yield lists


async def _received(side: Side, connection: Any, module: str, count: int) -> list[Any]:
    """What a partner wrote of a module, once there are so many."""
    found: list[Any] = []

    async def enough() -> bool:
        found[:] = []
        cursor = ""
        while True:
            page = await side.admin("GET", f"/partners/{connection['id']}/{module}?limit=200{cursor}")
            found.extend(page["data"])
            if not page["next"]:
                return len(found) >= count
            cursor = f"&cursor={page['next']}"

    await until(enough, 10, f"{count} {module}")
    return found


async def _ended(side: Side, connection: Any, count: int) -> bool:
    pulls = (await side.partner(connection["id"]))["pulls"]
    return len([each for each in pulls if each.get("ended_at") and not each["running"]]) == count


async def test_the_shell_pulls_shows_what_came_and_says_what_did_not(both: Pair) -> None:
    tokens = [token(f"UID{number:03}", "DE-XYZ-C1") for number in range(250)]
    async with pulled_partner(tokens) as them:
        wanted = both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a", "pull_every_s": 0}
        made = await both.cpo.admin("POST", "/partners", wanted)
        for _ in range(2):
            pulled = await _shell(both.cpo, "partner", "pull", made["id"])
            assert pulled.exit_code == 0, pulled.output
        assert pulled.output.splitlines()[-1] == "tokens: 250 read, 0 changed, 0 unreadable, 0 gone"
        them.fail_at = 100
        for _ in range(2):
            failed = await _shell(both.cpo, "partner", "pull", made["id"])
            assert failed.exit_code == 1
            assert failed.output.splitlines()[-1] == "tokens: HTTP 500, OCPI 3000"
        them.fail_at = 0
        mended = await _shell(both.cpo, "partner", "pull", made["id"], "--whole")
        assert (mended.exit_code, mended.output.splitlines()[-1][:16]) == (0, "tokens: 250 read")


async def _shell(side: Side, *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--url", side.url, "--admin-token", ADMIN])
