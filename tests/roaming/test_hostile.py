"""Partners that answer what no partner should: nothing of it hangs, leaks or crosses over."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from api.house import House, furnish, open_house
from api.partners import EMSP, connect, evse, location, tariff, with_emsp
from chargewire.charging.errors import Refused
from chargewire.csms import partner_objects
from chargewire.csms.connecting import PARTNER_TOKEN
from chargewire.outgoing.http import Client
from chargewire.roaming.calls import Declined, PartnerCalls, Unreachable
from roaming.pair import Pair
from roaming.test_handshake import STAMP, partner

GOOD = b'{"data":[],"status_code":1000,"timestamp":"2026-11-24T06:00:00Z"}'


@asynccontextmanager
async def raw(answer: bytes) -> AsyncIterator[str]:
    """A server that says these bytes to whatever it is asked."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.fixture
async def calls() -> AsyncIterator[PartnerCalls]:
    client = Client(allow_private=True, answer_cap=1_000_000, total_s=5)
    yield PartnerCalls(client)
    await client.close()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as house:
        await furnish(house)
        yield house


def with_head(name: str, value: str, body: bytes = GOOD) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{name}: {value}\r\n\r\n".encode() + body


async def test_a_link_of_nothing_but_brackets_holds_nobody_up(calls: PartnerCalls) -> None:
    async with raw(with_head("Link", "<" * 200_000)) as url:
        began = monotonic()
        assert (await calls.call("GET", url, "token")).next_url == ""
        assert monotonic() - began < 1


@pytest.mark.parametrize("link", ["http://[", "http://a:99999/", "http://a b/"])
async def test_a_link_that_is_no_url_is_refused_where_it_would_be_followed(calls: PartnerCalls, link: str) -> None:
    async with raw(with_head("Link", f'<{link}>; rel="next"')) as url:
        replied = await calls.call("GET", url, "token")
    with pytest.raises(Unreachable, match="not a URL that is called"):
        await calls.call("GET", replied.next_url, "token")


@pytest.mark.parametrize(
    "body", [b'{"status_code":1000,"data":' + b"[" * 100_000, b'{"status_code":1000,"status_message":"\xff"}']
)
async def test_an_answer_that_is_no_json_is_an_error_of_the_partner(calls: PartnerCalls, body: bytes) -> None:
    async with raw(with_head("X-Any", "1", body)) as url:
        with pytest.raises(Declined, match="no OCPI envelope"):
            await calls.call("POST", url, "token")


async def test_a_total_that_no_number_holds_is_none(calls: PartnerCalls) -> None:
    async with raw(with_head("X-Total-Count", "9" * 5000)) as url:
        assert (await calls.call("GET", url, "token")).total is None


async def test_what_a_partner_repeats_of_our_token_is_not_in_the_error(calls: PartnerCalls) -> None:
    said = f"unknown: our-secret, {b64encode(b'our-secret').decode()}"
    body = f'{{"status_code":2000,"status_message":"{said}","timestamp":"{STAMP}"}}'.encode()
    async with raw(with_head("X-Any", "1", body)) as url:
        with pytest.raises(Declined) as error:
            await calls.call("GET", url, "our-secret")
    assert str(error.value) == "HTTP 200, OCPI 2000: unknown: …, …"


async def test_the_token_that_we_register_with_is_not_in_the_steps_when_the_partner_repeats_it(both: Pair) -> None:
    async with partner() as them:
        otherwise, said = them.answer, []

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.method != "POST":
                return await otherwise(request)
            said.append((await request.json())["token"])
            return web.json_response({"status_code": 2001, "status_message": f"token {said[0]} is odd", "timestamp": STAMP})

        them.answer = answer  # type: ignore[method-assign]
        wanted = both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a"}
        failed = await both.cpo.tried("POST", "/partners", wanted)
    assert failed.status == 422
    assert "token … is odd" in failed.body["detail"]
    assert said[0] not in repr(failed.body) + repr(await both.cpo.partner(failed.body["id"]))


async def test_modules_that_nobody_knows_are_neither_kept_nor_looked_at(both: Pair) -> None:
    async with partner() as them:
        names = ("credentials", "locations", "sessions", "cdrs", "tariffs", "tokens")
        endpoints = [{"identifier": name, "url": f"{them.base}/2.1.1/{name}"} for name in names]
        them.how = {"endpoints": [*endpoints, {"identifier": "denpd-odd", "url": "gopher://odd"}]}
        made = await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
    assert (made["state"], set(made["endpoints"])) == ("connected", set(names))


async def test_details_of_a_hundred_thousand_modules_end_the_handshake(both: Pair) -> None:
    async with partner() as them:
        many: list[Any] = [{"identifier": f"m{number}", "url": them.url} for number in range(100_000)]
        them.how = {"endpoints": many}
        failed = await both.cpo.tried("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
    assert failed.status == 422
    assert "too-large" in failed.body["detail"]


async def test_an_answer_without_any_list_does_not_say_that_everything_is_gone(house: House) -> None:
    async with raw(with_head("X-Any", "1", b'{"status_code":1000}')) as url:
        sealed = house.keys.seal("token", PARTNER_TOKEN)
        await with_emsp(house)
        token = await connect(house, "EMSP", "NL-OUR", "DE-CPO", id="conn", endpoints={"tariffs": url}, token=sealed)
        await house.ask("PUT", f"{EMSP}/tariffs/DE/CPO/T1", token, tariff("T1"))
        connection = house.directory.subscription("conn")
        assert connection is not None
        with pytest.raises(Refused, match="must be a list"):
            await house.office.puller.pull(connection, "tariffs", whole=True)
        assert (await house.get(f"{EMSP}/tariffs/DE/CPO/T1", token)).status == 200


async def test_a_place_that_is_added_to_again_and_again_stops_growing_and_can_be_replaced(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partner_objects, "LARGEST", 20_000)
    await with_emsp(house)
    token = await connect(house, "EMSP", "NL-OUR", "DE-CPO", id="conn")
    there = f"{EMSP}/locations/DE/CPO/L1"
    await house.ask("PUT", there, token, location("L1"))
    added = [await house.ask("PUT", f"{there}/E{number}", token, evse(f"E{number}")) for number in range(2, 200)]
    patched = await house.ask("PATCH", there, token, {"more": "x" * 1000})
    patched_evse = await house.ask("PATCH", f"{there}/E2", token, {"more": "x" * 1000})
    assert [each.json["status_code"] for each in (added[0], added[-1], patched, patched_evse)] == [1000, 2001, 2001, 2001]
    assert 19_000 < len((await house.get(there, token)).body) < 22_000
    assert (await house.ask("PUT", there, token, location("L1"))).json["status_code"] == 1000
    assert (await house.ask("PUT", f"{there}/E2", token, evse("E2"))).json["status_code"] == 1000
