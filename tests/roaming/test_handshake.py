"""The credentials handshake of OCPI 2.1.1 between two instances, and with partners that do it wrong."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from chargewire.roaming import looking
from journeys.world import ask
from roaming.pair import CPO, EMSP, Pair

STAMP = "2026-11-24T06:00:00Z"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "CALL_S", 2.0)


@pytest.mark.parametrize("inviting", ["cpo", "emsp"])
async def test_either_side_may_start_and_both_end_connected(both: Pair, inviting: str) -> None:
    cpo, emsp = await both.connected(inviting)
    assert (cpo["state"], cpo["party"], cpo["partner"]) == ("connected", CPO, EMSP)
    assert (emsp["state"], emsp["party"], emsp["partner"]) == ("connected", EMSP, CPO)
    assert cpo["business"]["name"] == "Demo eMSP"
    assert cpo["pushes"] == ["cdrs", "locations", "sessions", "tariffs"]
    assert emsp["pushes"] == ["tokens"]
    assert all(step["ok"] for each in (cpo, emsp) for step in each["steps"])
    assert set(cpo["endpoints"]) >= {"credentials", "locations", "sessions", "cdrs", "tariffs", "tokens"}
    assert "cw_" not in repr([cpo, emsp])  # no token is ever shown again


async def test_token_a_is_dead_once_it_was_used_and_the_partner_gets_what_it_says_from_then_on(both: Pair) -> None:
    invited = await both.invite("cpo")
    versions, token_a = invited["versions_url"], invited["token"]
    assert (await ask("GET", versions, token_a)).status == 200
    assert (await ask("GET", versions.replace("versions", "2.1.1/locations"), token_a)).status == 401
    await both.emsp.admin("POST", "/partners", both.wanted("emsp") | {"versions_url": versions, "token": token_a})
    again = await ask("GET", versions, token_a)
    assert again.status == 401
    assert again.body["status_code"] == 2000


async def test_versions_and_details_say_where_every_module_is(both: Pair) -> None:
    invited = await both.invite("cpo")
    token = base64.b64encode(invited["token"].encode()).decode()  # as many partners write it
    [version] = (await ask("GET", invited["versions_url"], token)).body["data"]
    assert version == {"version": "2.1.1", "url": f"{both.cpo.url}/ocpi/cpo/2.1.1"}
    details = (await ask("GET", version["url"], token)).body["data"]
    assert details["version"] == "2.1.1"
    assert {each["identifier"]: each["url"] for each in details["endpoints"]} == {
        module: f"{both.cpo.url}/ocpi/cpo/2.1.1/{module}/"
        for module in ("credentials", "locations", "sessions", "cdrs", "tariffs", "tokens", "commands")
    }
    assert (await ask("GET", f"{both.cpo.url}/ocpi/emsp/versions", invited["token"])).status == 401


async def test_rotating_gives_both_sides_new_tokens_and_the_old_ones_last_a_moment(both: Pair) -> None:
    cpo, emsp = await both.connected()
    for side, connection in ((both.emsp, emsp), (both.cpo, cpo)):
        rotated = await side.admin("POST", f"/partners/{connection['id']}/rotate")
        assert rotated["state"] == "connected"
        assert [step["what"] for step in rotated["steps"]][-2:] == ["PUT credentials", "credentials received"]
    assert (await both.cpo.partner(cpo["id"]))["state"] == "connected"
    left = await both.emsp.admin("POST", f"/partners/{emsp['id']}/unregister")
    assert left["state"] == "unregistered"
    assert (await both.cpo.partner(cpo["id"]))["state"] == "unregistered"


@pytest.mark.parametrize("leaving", ["cpo", "emsp"])
async def test_after_unregistering_no_token_is_good_and_the_partner_can_be_invited_again(both: Pair, leaving: str) -> None:
    cpo, emsp = await both.connected()
    side, connection = (both.cpo, cpo) if leaving == "cpo" else (both.emsp, emsp)
    await side.admin("POST", f"/partners/{connection['id']}/unregister")
    states = [(await both.cpo.partner(cpo["id"])), (await both.emsp.partner(emsp["id"]))]
    assert [(each["state"], each["pushes"], each["endpoints"]) for each in states] == [("unregistered", [], {})] * 2
    refused = await side.tried("POST", f"/partners/{connection['id']}/unregister")
    assert (refused.status, refused.body["field"]) == (422, "state")
    invited = await both.cpo.admin("POST", f"/partners/{cpo['id']}/invite")
    body = {"versions_url": invited["versions_url"], "token": invited["token"]}
    assert (await both.emsp.admin("POST", f"/partners/{emsp['id']}/connect", body))["state"] == "connected"


async def test_registering_twice_and_leaving_before_registering_are_405(both: Pair) -> None:
    invited = await both.invite("cpo")
    url = f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials"
    async with partner() as them:
        for method in ("PUT", "DELETE"):
            body = them.credentials if method == "PUT" else None
            assert (await ask(method, url, invited["token"], body)).status == 405
        first = await ask("POST", url, invited["token"], them.credentials)
        assert (first.status, first.body["status_code"]) == (200, 1000)
        token_c = first.body["data"]["token"]
        assert (first.body["data"]["country_code"], first.body["data"]["party_id"]) == ("NL", "AAA")
        assert first.body["data"]["url"] == f"{both.cpo.url}/ocpi/cpo/versions"
        assert (await ask("POST", url, invited["token"], them.credentials)).status == 401
        assert (await ask("POST", url, token_c, them.credentials)).status == 405
        shown = await ask("GET", url, token_c)
        assert shown.body["data"]["token"] == token_c
        assert (await ask("DELETE", url, token_c)).body["status_code"] == 1000
        assert (await ask("GET", url, token_c)).status == 401


async def test_of_two_registrations_at_once_one_wins(both: Pair) -> None:
    invited = await both.invite("cpo")
    url = f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials"
    async with partner() as them:
        answers = await asyncio.gather(*(ask("POST", url, invited["token"], them.credentials) for _ in range(5)))
    assert sorted(answer.status for answer in answers) in ([200, 405, 405, 405, 405], [200, 401, 405, 405, 405])
    assert len([answer for answer in answers if answer.status == 200]) == 1


def endpoints_at(base: str) -> list[dict[str, str]]:
    return [{"identifier": name, "url": f"{base}{name}"} for name in ("credentials", "locations", "tokens")]


FAULTS: dict[str, tuple[int, dict[str, Any]]] = {
    "does not answer": (3001, {"hang": True}),
    "answers 500": (3001, {"status": 500}),
    "answers garbage": (3001, {"text": "<html>"}),
    "knows nobody": (3001, {"status": 401}),
    "answers 2000": (3001, {"code": 2000}),
    "redirects": (3001, {"status": 302}),
    "is of another version": (3002, {"version": "2.2.1"}),
    "has no credentials module": (3003, {"without": "credentials"}),
    "has no locations": (3003, {"without": "locations"}),
    "has senseless details": (3001, {"endpoints": "none"}),
    "sends us to a cloud's own address": (3001, {"endpoints": endpoints_at("http://169.254.169.254/")}),
    "sends us to an address with a query": (3001, {"endpoints": endpoints_at("https://partner.example/?to=")}),
    "sends us elsewhere than to a web server": (3001, {"endpoints": endpoints_at("file:///etc/")}),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_partner_that_cannot_be_called_back_is_not_registered_and_its_token_stays_good(both: Pair, fault: str) -> None:
    code, how = FAULTS[fault]
    invited = await both.invite("cpo", modules=["locations", "tokens"])
    url = f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials"
    before = await both.cpo.partner(invited["id"])
    async with partner(**how) as them:
        answer = await ask("POST", url, invited["token"], them.credentials)
    assert (answer.status, answer.body["status_code"]) == (200, code), answer.body
    after = await both.cpo.partner(invited["id"])
    assert not after["steps"][-1]["ok"]
    assert {**after, "steps": [], "last_updated": 0} == {**before, "steps": [], "last_updated": 0}
    async with partner() as them:
        assert (await ask("POST", url, invited["token"], them.credentials)).body["status_code"] == 1000


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_handshake_of_ours_that_fails_says_where_and_can_be_tried_again(both: Pair, fault: str) -> None:
    _, how = FAULTS[fault]
    async with partner(**how) as them:
        wanted = both.wanted("cpo") | {"modules": ["locations", "tokens"], "versions_url": them.url, "token": "their-token-a"}
        failed = await both.cpo.tried("POST", "/partners", wanted)
        assert failed.status == 422, failed.body
        assert not failed.body["steps"][-1]["ok"]
        assert them.registered == 0
        connection = await both.cpo.partner(failed.body["id"])
        assert (connection["state"], connection["partner"], connection["pushes"]) == ("asked", "", [])
        them.mend()
        assert (await both.cpo.admin("POST", f"/partners/{failed.body['id']}/connect"))["state"] == "connected"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"token": ""}, "token"),
        ({"token": "with blank"}, "token"),
        ({"party_id": "TOOLONG"}, "party_id"),
        ({"country_code": None}, "country_code"),
        ({"business_details": {}}, "business_details.name"),
        ({"url": 7}, "url"),
        ({"party_id": "BBB", "country_code": "NL"}, "party_id"),  # one of ours
    ],
)
async def test_credentials_that_are_wrong_are_refused_by_the_name_of_the_field(
    both: Pair, wrong: dict[str, Any], field: str
) -> None:
    invited = await both.invite("cpo")
    async with partner() as them:
        body = {name: value for name, value in (them.credentials | wrong).items() if value is not None}
        answer = await ask("POST", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", invited["token"], body)
    assert (answer.status, answer.body["status_code"]) == (200, 2001), answer.body
    assert field in answer.body["status_message"]
    last = (await both.cpo.partner(invited["id"]))["steps"][-1]
    assert (last["ok"], field in last["detail"]) == (False, True)


async def test_a_partner_that_is_somebody_else_than_expected_is_refused(both: Pair) -> None:
    invited = await both.invite("cpo", expected="FR-XYZ")
    async with partner() as them:
        answer = await ask("POST", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", invited["token"], them.credentials)
    assert answer.body["status_code"] == 2001
    assert "FR-XYZ" in answer.body["status_message"]


async def test_a_party_that_is_known_at_another_address_cannot_be_taken_over(both: Pair) -> None:
    await both.connected()
    second = await both.invite("cpo", party="NL-BBB")
    async with partner(country="DE", party="EMS", host="localhost") as them:
        answer = await ask("POST", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", second["token"], them.credentials)
    assert answer.body["status_code"] == 2001
    assert "another address" in answer.body["status_message"]


async def test_a_partner_that_wants_base64_gets_base64(both: Pair) -> None:
    async with partner(base64_only=True) as them:
        wanted = both.wanted("cpo") | {"versions_url": them.url, "token": "their-token-a"}
        made = await both.cpo.admin("POST", "/partners", wanted)
    assert (made["state"], made["token_encoding"]) == ("connected", "base64")
    assert [step["ok"] for step in made["steps"]].count(False) >= 1


async def test_a_partner_that_registers_and_wants_base64_is_called_back_in_base64(both: Pair) -> None:
    invited = await both.invite("cpo")
    async with partner(base64_only=True) as them:
        answer = await ask("POST", f"{both.cpo.url}/ocpi/cpo/2.1.1/credentials", invited["token"], them.credentials)
    assert answer.body["status_code"] == 1000
    assert (await both.cpo.partner(invited["id"]))["token_encoding"] == "base64"


async def test_of_many_versions_the_highest_that_both_speak_is_taken_and_senseless_ones_are_passed_over(both: Pair) -> None:
    async with partner() as them:
        honestly = them.answer
        names = ("2.0", "2.1", "2.1.1", "2.2.1", "2.10", "newest")
        versions: list[Any] = [{"version": name, "url": f"{them.base}/{name}"} for name in names]

        async def answer(request: web.Request) -> web.StreamResponse:
            if not request.path.endswith("/versions"):
                return await honestly(request)
            odd = [{"version": None}, "2.1.1", {"version": "2.1.1", "url": ""}]
            return web.json_response({"data": [*odd, *versions], "status_code": 1000, "timestamp": STAMP})

        them.answer = answer  # type: ignore[method-assign]
        made = await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
    assert (made["state"], made["version"]) == ("connected", "2.1.1")
    assert them.asked[0].endswith("/2.1.1")


async def test_connections_of_several_parties_are_made_in_one_step(both: Pair) -> None:
    wanted = [both.wanted("cpo") | {"party": party} for party in (CPO, "NL-BBB")]
    made = await both.cpo.admin("POST", "/partners/bundle", {"connections": wanted})
    assert [each["bundle"] for each in made["data"]] == [made["bundle"]] * 2
    for each in made["data"]:
        body = both.wanted("emsp") | {"versions_url": each["versions_url"], "token": each["token"]}
        assert (await both.emsp.admin("POST", "/partners", body))["partner"] == each["party"]


class Them:
    """A partner made of nothing but a web server: an eMSP of 2.1.1, with whatever is to be wrong with it."""

    def __init__(self, country: str, party: str, how: dict[str, Any]) -> None:
        self.party = (country, party)
        self.how = how
        self.base = ""
        self.registered = 0
        self.base64_only = bool(how.pop("base64_only", False))
        self.asked: list[str] = []
        self.token_b = ""  # what they have to say to us
        self.results: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"{self.base}/versions"

    @property
    def credentials(self) -> dict[str, Any]:
        country, party = self.party
        return {
            "token": "their-token",
            "url": self.url,
            "business_details": {"name": "Them"},
            "country_code": country,
            "party_id": party,
        }

    def mend(self) -> None:
        self.how = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        said = request.headers["Authorization"].removeprefix("Token ")
        if self.base64_only and said.startswith("their"):
            return web.json_response({"status_code": 2000, "timestamp": STAMP}, status=401)
        if self.how.get("hang"):
            await asyncio.sleep(60)
        if "text" in self.how:
            return web.Response(text=self.how["text"])
        if status := self.how.get("status"):
            return web.json_response({"status_code": 2000, "timestamp": STAMP}, status=status, headers={"Location": "/x"})
        if code := self.how.get("code"):
            return web.json_response({"status_code": code, "timestamp": STAMP})
        if "/results/" in request.path:
            self.results.append((request.path.rpartition("/")[2], await request.json()))
            return web.json_response({"status_code": 1000, "timestamp": STAMP})
        if allowed := self.how.get("allowed"):
            return web.json_response({"data": {"allowed": allowed}, "status_code": 1000, "timestamp": STAMP})
        if request.path.endswith("/versions"):
            data: Any = [{"version": self.how.get("version", "2.1.1"), "url": f"{self.base}/2.1.1"}]
        elif request.path.endswith("/credentials"):
            self.registered += 1
            self.token_b = (await request.json())["token"]
            data = self.credentials | {"token": "their-token-c"}
        else:
            modules = ("credentials", "locations", "sessions", "cdrs", "tariffs", "tokens")
            known = [name for name in modules if name != self.how.get("without")]
            endpoints = [{"identifier": name, "url": f"{self.base}/2.1.1/{name}"} for name in known]
            data = {"version": "2.1.1", "endpoints": self.how.get("endpoints", endpoints)}
        return web.json_response({"data": data, "status_code": 1000, "timestamp": STAMP})


@asynccontextmanager
async def partner(country: str = "DE", party: str = "XYZ", host: str = "127.0.0.1", **how: Any) -> AsyncIterator[Them]:
    """A partner on a free port."""
    them = Them(country, party, how)
    runner = web.AppRunner(_application(_asked(them)), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    them.base = f"http://{host}:{site._server.sockets[0].getsockname()[1]}/ocpi/emsp"  # type: ignore[union-attr]
    try:
        yield them
    finally:
        await runner.cleanup()


def _application(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


def _asked(them: Them) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await them.answer(request)

    return answer
