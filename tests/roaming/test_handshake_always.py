"""Whatever a partner answers at whichever call: a handshake ends connected, or leaves the connection as it was."""

import asyncio
import os
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from api.house import House, open_house
from chargewire.journal.memory import Ref
from chargewire.roaming import looking
from chargewire.sharing.subscription import Roaming, Subscription
from roaming.test_handshake import STAMP, Them, partner

SLOW = settings(
    max_examples=40 if os.environ.get("CI") else 10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
WANTED = {"name": "Them", "role": "CPO", "party": "NL-AAA", "modules": ["locations", "tokens"]}
CREDENTIALS = "/ocpi/cpo/2.1.1/credentials"

FAULTS = [
    "good", "hangs", "hangs up", "500", "401", "405", "302", "garbage", "2001", "3001", "no data", "another version",
    "no modules", "no locations", "bad address", "one of ours", "bad credentials", "another address",
]  # fmt: skip
SCRIPTS = st.lists(st.sampled_from(FAULTS), min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given back at the end; `faulty` sets it."""
    monkeypatch.setattr(looking, "CALL_S", looking.CALL_S)


def faulty(them: Them, script: list[str]) -> None:
    """Have the next answers be as the script says, and good ones after them."""
    honestly, left = Them.answer, list(script)
    looking.CALL_S = 0.1 if "hangs" in script else 10.0

    async def answer(request: web.Request) -> web.StreamResponse:
        fault = left.pop(0) if left else "good"
        if fault == "hangs":
            await asyncio.sleep(5)
        if fault == "hangs up" and request.transport:
            request.transport.abort()
        if fault == "garbage":
            return web.Response(text="<html>")
        if fault in ("500", "401", "405", "302"):
            return web.json_response({"status_code": 2000, "timestamp": STAMP}, status=int(fault))
        if fault in ("2001", "3001", "no data"):
            return web.json_response({"status_code": 1000 if fault == "no data" else int(fault), "timestamp": STAMP})
        honest: Any = await honestly(them, request)
        body = msgspec.json.decode(honest.body)
        body["data"] = spoilt(body["data"], fault)
        return web.json_response(body)

    them.answer = answer  # type: ignore[method-assign]


def spoilt(data: Any, fault: str) -> Any:
    """What is wrong with the data of an answer, if the fault is about its kind."""
    if isinstance(data, list):
        changes: dict[str, Any] = {"another version": {"version": "2.2.1"}, "bad address": {"url": "gopher://x"}}
        return [data[0] | changes.get(fault, {})]
    if "endpoints" in data:
        kept = {"no modules": [], "no locations": [each for each in data["endpoints"] if each["identifier"] != "locations"]}
        return data | {"endpoints": kept.get(fault, data["endpoints"])}
    changes = {
        "one of ours": {"country_code": "NL", "party_id": "BBB"},
        "bad credentials": {"party_id": ""},
        "another address": {"url": "nowhere"},
    }
    return data | changes.get(fault, {})


async def stored(house: House, connection_id: str) -> Subscription:
    found = await house.journal.get(Ref("subscription", "", connection_id))
    assert found is not None
    return msgspec.json.decode(found.body, type=Subscription)


def without_steps(connection: Subscription) -> Subscription:
    assert connection.roaming is not None
    return replace(connection, roaming=replace(connection.roaming, steps=()))


def roaming_of(connection: Subscription) -> Roaming:
    assert connection.roaming is not None
    return connection.roaming


async def good(house: House, token: str) -> bool:
    return (await house.get("/ocpi/cpo/versions", token)).status == 200


@given(script=SCRIPTS)
@SLOW
def test_a_registration_connects_or_leaves_the_invitation_as_it_was(script: list[str]) -> None:
    async def run() -> None:
        async with open_house() as house, partner() as them:
            await furnish(house)
            invited = (await house.admin("POST", "partners", WANTED)).json
            before = await stored(house, invited["id"])
            faulty(them, script)
            answer = await house.ask("POST", CREDENTIALS, invited["token"], them.credentials)
            assert answer.status == 200
            after = await stored(house, invited["id"])
            connected = answer.json["status_code"] == 1000
            event("connected" if connected else "failed")
            if not connected:
                assert answer.json["status_code"] in (3001, 3002, 3003)
                assert without_steps(after) == without_steps(before)
                assert not roaming_of(after).steps[-1].ok
                faulty(them, [])
                answer = await house.ask("POST", CREDENTIALS, invited["token"], them.credentials)
                assert answer.json["status_code"] == 1000
            assert not await good(house, invited["token"])
            assert await good(house, answer.data["token"])
            await check_rotation_by_them(house, them, answer.data["token"], script)
            await house.office.stop()

    asyncio.run(run())


async def check_rotation_by_them(house: House, them: Them, token: str, script: list[str]) -> None:
    """PUT, with the same faults: both tokens good if it worked, the old one as before if not."""
    [connection_id] = [each.id for each in house.directory.connections()]
    before = await stored(house, connection_id)
    faulty(them, script)
    answer = await house.ask("PUT", CREDENTIALS, token, them.credentials | {"token": "their-next-token"})
    after = await stored(house, connection_id)
    if answer.json["status_code"] == 1000:
        assert await good(house, answer.data["token"])
    else:
        assert without_steps(after) == without_steps(before)
    assert await good(house, token)  # for a moment yet


@given(script=SCRIPTS)
@SLOW
def test_a_handshake_of_ours_connects_or_leaves_what_we_were_given_as_it_was(script: list[str]) -> None:
    async def run() -> None:
        async with open_house() as house, partner() as them:
            await furnish(house)
            faulty(them, script)
            answer = await house.admin("POST", "partners", WANTED | {"versions_url": them.url, "token": "their-token-a"})
            event("connected" if answer.status == 201 else "failed")
            connection_id = answer.json["id"]
            if answer.status != 201:
                assert answer.status == 422
                after = await stored(house, connection_id)
                roaming = roaming_of(after)
                assert (after.state, after.tokens, after.endpoints) == ("requested", (), {})
                assert (roaming.state, roaming.partner, roaming.endpoints) == ("asked", "", {})
                assert not roaming.steps[-1].ok
                assert answer.json["steps"] == list(msgspec.to_builtins(roaming.steps))
                faulty(them, [])
                assert (await house.admin("POST", f"partners/{connection_id}/connect")).status == 201
            await check_rotation_by_us(house, them, connection_id, script)
            await house.office.stop()

    asyncio.run(run())


async def check_rotation_by_us(house: House, them: Them, connection_id: str, script: list[str]) -> None:
    """PUT: after a failure nothing is different but that the partner may come with the token that it was sent."""
    before = await stored(house, connection_id)
    faulty(them, script)
    answer = await house.admin("POST", f"partners/{connection_id}/rotate")
    after = await stored(house, connection_id)
    if answer.status == 422:
        assert after.tokens[: len(before.tokens)] == before.tokens
        assert len(after.tokens) <= len(before.tokens) + 1
        assert without_steps(replace(after, tokens=before.tokens)) == without_steps(before)


async def furnish(house: House) -> None:
    house.office.handshakes.public_url = "http://chargewire.test"
    await house.put("networks/demo", {"name": "Demo"})
    for party in ("NL-AAA", "NL-BBB"):
        await house.put(f"cpos/{party}", {"network_id": "demo", "name": party})
