"""What must not happen to a connection when two things happen to it at once, and what a suspended one is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from chargewire.csms import connecting
from chargewire.roaming import looking
from journeys.foreign_station import foreign_station, minutes
from journeys.world import ask, token, until
from roaming.pair import Pair
from roaming.test_handshake import STAMP, Them, partner
from roaming.test_roaming import authorized, received

UID = "04DDEEFF"


class Hold:
    """Holds a partner's answer to one path; lets every other pass."""

    def __init__(self, them: Them, path_end: str, *, answered: bool = False) -> None:
        """`answered`: what is asked has its effect, only the answer is late."""
        self.reached = asyncio.Event()
        self.released = asyncio.Event()
        self.bodies: list[Any] = []
        otherwise: Callable[[web.Request], Awaitable[web.StreamResponse]] = them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            if not request.path.endswith(path_end):
                return await otherwise(request)
            self.bodies.append(await request.json() if request.body_exists else None)
            early = await otherwise(request) if answered else None
            self.reached.set()
            await self.released.wait()
            return early or await otherwise(request)

        them.answer = answer  # type: ignore[method-assign]


async def connected_cpo(both: Pair, them: Them) -> Any:
    wanted = both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a"}
    return await both.cpo.admin("POST", "/partners", wanted)


async def good_for(both: Pair, said: str) -> tuple[int, int]:
    """The HTTP status that a token of a partner gets from versions, and from data."""
    versions = await ask("GET", f"{both.cpo.url}/ocpi/cpo/versions", said)
    data = await ask("GET", f"{both.cpo.url}/ocpi/cpo/2.1.1/locations", said)
    return versions.status, data.status


async def test_a_connection_that_was_left_in_the_middle_of_a_rotation_does_not_come_back(both: Pair) -> None:
    async with partner() as them:
        made = await connected_cpo(both, them)
        first = them.token_b
        held = Hold(them, "/credentials")
        rotating = asyncio.create_task(both.cpo.tried("POST", f"/partners/{made['id']}/rotate"))
        await held.reached.wait()
        left = await ask("DELETE", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", first)
        assert left.body["status_code"] == 1000
        held.released.set()
        assert (await rotating).status == 422
        after = await both.cpo.partner(made["id"])
        assert (after["state"], after["pushes"]) == ("unregistered", [])
        for said in (first, them.token_b):
            assert await good_for(both, said) == (401, 401)


async def test_an_invitation_in_the_middle_of_a_handshake_stands_and_the_partner_hears_that_it_is_off(
    both: Pair,
) -> None:
    async with partner() as them:
        them.how = {"status": 503}
        failed = await both.cpo.tried(
            "POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a"}
        )
        them.mend()
        held = Hold(them, "/credentials")
        connecting = asyncio.create_task(both.cpo.tried("POST", f"/partners/{failed.body['id']}/connect"))
        await held.reached.wait()
        invited = await both.cpo.admin("POST", f"/partners/{failed.body['id']}/invite")
        held.released.set()
        assert (await connecting).status == 422
        assert len(held.bodies) == 2
        assert held.bodies[1] is None  # DELETE
        assert (await both.cpo.partner(invited["id"]))["state"] == "invited"
        assert await good_for(both, them.token_b) == (401, 401)
        assert await good_for(both, invited["token"]) == (200, 401)


async def test_a_partner_that_takes_our_credentials_and_is_silent_is_given_up_after_the_time_that_is_said(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with partner() as them:
        monkeypatch.setattr(looking, "CALL_S", 0.5)
        Hold(them, "/credentials")
        failed = await both.cpo.tried("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
    assert (failed.status, failed.body["steps"][-1]["detail"]) == (422, "timeout: no answer within 2 s")


async def test_what_an_operator_changes_while_a_partner_registers_does_not_turn_it_away(both: Pair) -> None:
    invited = await both.invite("cpo")
    async with partner() as them:
        held = Hold(them, "/versions")
        url = f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials"
        registering = asyncio.create_task(ask("POST", url, invited["token"], them.credentials))
        await held.reached.wait()
        await both.cpo.admin("PATCH", f"/partners/{invited['id']}", {"name": "Renamed", "pull_every_s": 0})
        held.released.set()
        assert (await registering).body["status_code"] == 1000
    after = await both.cpo.partner(invited["id"])
    assert (after["state"], after["name"], after["pull_every_s"]) == ("connected", "Renamed", 0)


async def test_of_what_an_operator_starts_twice_the_second_is_refused(both: Pair) -> None:
    async with partner() as them:
        made = await connected_cpo(both, them)
        held = Hold(them, "/credentials")
        rotating = asyncio.create_task(both.cpo.tried("POST", f"/partners/{made['id']}/rotate"))
        await held.reached.wait()
        for what in ("rotate", "unregister"):
            second = await both.cpo.tried("POST", f"/partners/{made['id']}/{what}")
            assert (second.status, second.body["field"]) == (422, "state")
        held.released.set()
        assert (await rotating).status == 200
        assert await good_for(both, them.token_b) == (200, 200)


async def test_a_rotation_that_crosses_one_of_ours_is_put_off_since_each_would_take_the_others_token_for_an_old_one(
    both: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "GRACE_S", 0.2)
    async with partner() as them:
        made = await connected_cpo(both, them)
        held = Hold(them, "/credentials")
        rotating = asyncio.create_task(both.cpo.tried("POST", f"/partners/{made['id']}/rotate"))
        await held.reached.wait()
        crossing = await ask("PUT", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", them.token_b, them.credentials)
        assert (crossing.status, crossing.body["status_code"]) == (200, 3000)
        held.released.set()
        assert (await rotating).status == 200
        await asyncio.sleep(0.3)
        said = (await ask("PUT", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", them.token_b, them.credentials)).body["data"]
        await asyncio.sleep(0.3)
        assert await good_for(both, said["token"]) == (200, 200)
        assert await good_for(both, them.token_b) == (401, 401)


async def test_a_partner_that_took_a_rotation_whose_answer_was_lost_is_still_let_in(both: Pair) -> None:
    async with partner() as them:
        made = await connected_cpo(both, them)
        first, otherwise = them.token_b, them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            reply = await otherwise(request)
            if request.method == "PUT" and request.path.endswith("/credentials") and request.transport:
                request.transport.abort()
            return reply

        them.answer = answer  # type: ignore[method-assign]
        assert (await both.cpo.tried("POST", f"/partners/{made['id']}/rotate")).status == 422
        assert them.token_b != first
        for said in (first, them.token_b):  # whichever of the two it says from now on
            assert await good_for(both, said) == (200, 200)


async def test_a_rotation_that_the_partner_refuses_leaves_its_token_as_it_was(both: Pair) -> None:
    async with partner() as them:
        made = await connected_cpo(both, them)
        first, otherwise = them.token_b, them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            reply = await otherwise(request)
            if request.method == "PUT" and request.path.endswith("/credentials"):
                return web.json_response({"status_code": 3001, "timestamp": "2026-11-24T06:00:00Z"})
            return reply

        them.answer = answer  # type: ignore[method-assign]
        assert (await both.cpo.tried("POST", f"/partners/{made['id']}/rotate")).status == 422
        assert await good_for(both, first) == (200, 200)
        assert await good_for(both, them.token_b) == (401, 401)


async def test_a_suspended_partner_is_neither_pushed_to_nor_pulled_from_nor_asked_nor_let_in(both: Pair) -> None:
    async with partner() as them:
        made = await connected_cpo(both, them)
        tokens = f"{both.cpo.url}/ocpi/cpo/2.1.1/tokens/DE/XYZ/{UID}"
        assert (await ask("PUT", tokens, them.token_b, token(UID, "DE-XYZ-C1-X") | {"whitelist": "NEVER"})).status == 201
        them.how = {"allowed": "ALLOWED"}
        await both.cpo.admin("PATCH", f"/partners/{made['id']}", {"state": "suspended"})
        await asyncio.sleep(0.3)
        them.asked.clear()
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            await station.status("Available")
            assert await authorized(station, UID) == "Invalid"
            start = {"response_url": f"{them.base}/results/1", "location_id": "LOC-AAA", "token": token(UID, "DE-XYZ-C1-X")}
            for method, path, body in (
                ("POST", "commands/START_SESSION", start),
                ("GET", "locations", None),
                ("PUT", f"tokens/DE/XYZ/{UID}", token(UID)),
                ("DELETE", "credentials", None),
            ):
                answer = await ask(method, f"{both.cpo.url}/ocpi/cpo/2.1.1/{path}", them.token_b, body)
                assert (answer.status, answer.body["status_code"]) == (403, 2000), path
            assert station.told == []
            pull = await both.cpo.tried("POST", f"/partners/{made['id']}/pull")
            assert (pull.status, pull.body["field"]) == (422, "state")
            await station.status("Faulted", error="GroundFailure")
            await asyncio.sleep(1.5)
            assert them.asked == []
            await both.cpo.admin("PATCH", f"/partners/{made['id']}", {"state": "live"})
            assert await authorized(station, UID) == "Accepted"
        await until(lambda: any("/locations/" in path for path in them.asked), 10, "what changed meanwhile")


async def test_a_session_that_follows_a_command_is_no_second_result(both: Pair) -> None:
    async with partner() as them:
        await connected_cpo(both, them)
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            await station.status("Preparing")
            start = {"response_url": f"{them.base}/results/42", "location_id": "LOC-AAA", "token": token(UID, "DE-XYZ-C1-X")}
            url = f"{both.cpo.url}/ocpi/cpo/2.1.1/commands/START_SESSION"
            assert (await ask("POST", url, them.token_b, start)).body["data"] == {"result": "ACCEPTED"}
            await until(lambda: them.results == [("42", {"result": "ACCEPTED"})], 5, "the result")
            begun = await station.start_session(UID, 0, datetime.now(UTC) - minutes(1))
            assert begun.id_tag_info["status"] == "Accepted"
            await asyncio.sleep(0.5)
            assert them.results == [("42", {"result": "ACCEPTED"})]


async def test_a_partner_that_is_suspended_in_the_middle_of_a_list_is_asked_for_no_more_pages_until_it_is_resumed(
    both: Pair,
) -> None:
    rows = [token(f"UID{number}", "DE-XYZ-C1-X") for number in range(3)]
    offsets: list[int] = []
    reached, released = asyncio.Event(), asyncio.Event()
    async with partner() as them:
        otherwise = them.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method != "GET" or not request.path.endswith("/tokens"):
                return await otherwise(request)
            offset = int(request.query.get("offset", 0))
            offsets.append(offset)
            if offset == 1:
                reached.set()
                await released.wait()
            following = str(request.url.update_query(offset=str(offset + 1)))
            headers = {"Link": f'<{following}>; rel="next"'} if offset + 1 < len(rows) else {}
            body = {"data": rows[offset : offset + 1], "status_code": 1000, "timestamp": STAMP}
            return web.json_response(body, headers=headers)

        them.answer = answer  # type: ignore[method-assign]
        made = await connected_cpo(both, them)
        await asyncio.wait_for(reached.wait(), 10)
        await both.cpo.admin("PATCH", f"/partners/{made['id']}", {"state": "suspended"})
        released.set()
        await asyncio.sleep(1)
        assert offsets == [0, 1]
        await both.cpo.admin("PATCH", f"/partners/{made['id']}", {"state": "live"})
        await until(lambda: 2 in offsets, 10, "the rest of the list")
        assert len(await received(both.cpo, made, "tokens", lambda each: each["uid"] == "UID2")) == 1
