"""Roaming with another implementation of OCPI 2.1.1: PyPI `extrawest-ocpi`, in a process and an environment of its own.

What it does otherwise than the specification says is asserted here, so that we hear of it when that changes; it is written down
in docs/reference/interoperability.md.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from journeys.foreign_station import foreign_station
from journeys.world import ask, token, until
from roaming.pair import Pair
from roaming.test_roaming import received

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "foreign" / "bin" / "python"
TOKEN_A = "foreign-token-a-0123456789"
STAMP = "2026-11-24T06:00:00Z"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no environment for extrawest-ocpi: `make test` builds it")


@dataclass
class Foreign:
    url: str

    @property
    def versions_url(self) -> str:
        return f"{self.url}/ocpi/versions"

    async def state(self) -> Any:
        return (await ask("GET", f"{self.url}/control/state", "none")).body

    async def held(self, module: str) -> dict[str, Any]:
        """What it keeps of a module, by id."""
        return (await self.state())["held"].get(module, {})  # type: ignore[no-any-return]

    async def give(self, module: str, key: str, content: Any) -> None:
        await ask("PUT", f"{self.url}/control/objects/{module}/{key}", "none", content)

    async def push(self, module: str, key: str) -> Any:
        """Have it push one of its objects to us, as the package does."""
        state = await self.state()
        receivers = [{"endpoints_url": state["theirs"]["credentials"]["url"].replace("versions", "2.1.1")}]
        receivers[0]["auth_token"] = state["theirs"]["credentials"]["token"]
        body = {"module_id": module, "object_id": key, "receivers": receivers}
        return (await ask("POST", f"{self.url}/push/2.1.1", state["tokens_c"][0], body)).body


@asynccontextmanager
async def foreign(role: str) -> AsyncIterator[Foreign]:
    """The other implementation, as a CPO or an eMSP."""
    program = ROOT / "tests" / "foreign" / "partner.py"
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), str(program), "--role", role, "--token-a", TOKEN_A, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    try:
        assert process.stdout
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        found = re.match(r"listening (\S+)", line)
        assert found, line
        yield Foreign(found[1])
    finally:
        process.terminate()
        await process.wait()


async def test_it_registers_us_as_its_emsp_and_takes_what_a_cpo_of_ours_has(both: Pair) -> None:
    async with foreign("EMSP") as them:
        made = await both.cpo.admin(
            "POST", "/partners", both.wanted("cpo") | {"versions_url": them.versions_url, "token": TOKEN_A}
        )
        assert (made["state"], made["partner"], made["token_encoding"]) == ("connected", "DE-EXW", "raw")
        # it decodes the token of GET versions as Base64 whatever the version, and answers 3000 to one that is none
        assert [step["what"] for step in made["steps"] if not step["ok"]] in ([], ["GET versions"])

        async def has(module: str, key: str) -> bool:
            return key in await them.held(module)

        await until(lambda: has("locations", "LOC-AAA"), 10, "the location, by PUT")
        await until(lambda: has("tariffs", "T1"), 10, "the tariff, by PUT")
        driver = token("04FFEEDD", "DE-EXW-C1-X")
        await them.give("tokens", "04FFEEDD", driver)
        pushed = await them.push("tokens", "04FFEEDD")
        assert [each["status_code"] for each in pushed["receiver_responses"]] == [201], pushed
        [kept] = await received(both.cpo, made, "tokens")
        assert (kept["uid"], kept["auth_id"]) == ("04FFEEDD", "DE-EXW-C1-X")
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            await station.status("Faulted", error="GroundFailure")

            async def faulted() -> bool:
                place = (await them.held("locations"))["LOC-AAA"]
                return [evse["status"] for evse in place["evses"]] == ["OUTOFORDER"]

            await until(faulted, 10, "the status, by PATCH")
            started = await station.start_session("04FFEEDD", 0)
            assert started.id_tag_info["status"] == "Accepted"
            await until(lambda: sessions(them), 10, "the session, by PUT")
            await station.stop_session(started.transaction_id, 5000)
        await until(lambda: has_completed(them), 10, "the end of the session")

        # it wants the end of a CDR under the name that 2.2 gave it: ours is refused, and an operator sees it
        async def refused() -> bool:
            pushed = (await both.cpo.admin("GET", "/deliveries"))["data"]
            return any(each["module"] == "cdrs" and "end_date_time" in each["last_error"] for each in pushed)

        await until(refused, 10, "the CDR, refused")


async def test_a_driver_of_its_is_asked_about_in_real_time(both: Pair) -> None:
    async with foreign("EMSP") as them:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.versions_url, "token": TOKEN_A})
        await them.give("tokens", "04FFEEDD", token("04FFEEDD", "DE-EXW-C1-X") | {"whitelist": "NEVER"})
        await them.push("tokens", "04FFEEDD")
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            started = await station.start_session("04FFEEDD", 0)
            assert started.id_tag_info["status"] == "Accepted"
        assert ["do", "AuthorizeToken"] in (await them.state())["asked"]  # and it answers with a list of one


async def test_its_commands_reach_our_stations_and_it_hears_what_came_of_them(both: Pair) -> None:
    async with foreign("EMSP") as them:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.versions_url, "token": TOKEN_A})
        said = (await them.state())["theirs"]["credentials"]["token"]
        async with foreign_station(both.cpo.ocpp_url, "CS-AAA") as station:
            await station.boot()
            body = {
                "response_url": f"{them.url}/ocpi/emsp/2.1.1/commands/7",
                "token": token("04FFEEDD", "DE-EXW-C1-X"),
                "location_id": "LOC-AAA",
            }
            answer = await ask("POST", f"{both.cpo.url}/ocpi/cpo/2.1.1/commands/START_SESSION", said, body)
            assert answer.body["data"] == {"result": "ACCEPTED"}

            async def told() -> bool:
                return (await them.held("commands")).get("7") == {"result": "ACCEPTED"}

            await until(told, 10, "the result")


async def test_it_registers_us_as_its_cpo_and_gives_what_it_has(both: Pair) -> None:
    async with foreign("CPO") as them:
        await them.give("locations", "L1", PLACE)
        await them.give("tariffs", "T1", TARIFF)
        await them.give("cdrs", "c1", CDR)
        made = await both.emsp.admin(
            "POST", "/partners", both.wanted("emsp") | {"versions_url": them.versions_url, "token": TOKEN_A}
        )
        assert made["state"] == "connected"
        assert "commands" not in made["endpoints"]  # it has the module, and does not list it for a CPO of 2.1.1
        [place] = await received(both.emsp, made, "locations")  # by GET
        assert place["evses"][0]["uid"] == "E1"
        [tariff] = await received(both.emsp, made, "tariffs")
        assert tariff["elements"] == [TARIFF["elements"][0] | {"restrictions": None}]  # null for what is absent
        [cdr] = await received(both.emsp, made, "cdrs")
        assert cdr["total_cost"] == 4.0

        async def token_there() -> bool:
            return "04AABBCC" in await them.held("tokens")

        await until(token_there, 10, "our token, by PUT")
        await them.give("locations", "L2", PLACE | {"id": "L2"})
        pushed = await them.push("locations", "L2")
        assert [each["status_code"] for each in pushed["receiver_responses"]] == [201], pushed
        await received(both.emsp, made, "locations", lambda each: each["id"] == "L2")
        await them.give("cdrs", "c2", CDR | {"id": "c2"})
        pushed = await them.push("cdrs", "c2")
        [headers] = [each["response"] for each in pushed["receiver_responses"]]
        assert headers["location"].startswith(f"{both.emsp.url}/ocpi/emsp/2.1.1/cdrs/")


async def test_it_can_be_rotated_and_left(both: Pair) -> None:
    async with foreign("EMSP") as them:
        made = await both.cpo.admin(
            "POST", "/partners", both.wanted("cpo") | {"versions_url": them.versions_url, "token": TOKEN_A}
        )
        before = (await them.state())["tokens_c"]
        rotated = await both.cpo.admin("POST", f"/partners/{made['id']}/rotate")
        assert rotated["state"] == "connected"
        assert (await them.state())["tokens_c"] != before
        left = await both.cpo.admin("POST", f"/partners/{made['id']}/unregister")
        assert left["state"] == "unregistered"
        assert (await them.state())["tokens_c"] == []


async def sessions(them: Foreign) -> list[Any]:
    return list((await them.held("sessions")).values())


async def has_completed(them: Foreign) -> bool:
    return [each["status"] for each in await sessions(them)] == ["COMPLETED"]


TARIFF = {
    "id": "T1",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "TIME", "price": 2.0, "step_size": 300}]}],
    "last_updated": STAMP,
}
PLACE = {
    "id": "L1",
    "type": "ON_STREET",
    "address": "F.Rooseveltlaan 3A",
    "city": "Gent",
    "postal_code": "9000",
    "country": "BEL",
    "coordinates": {"latitude": "51.047590", "longitude": "3.729940"},
    "time_zone": "Europe/Brussels",  # which it requires
    "evses": [
        {
            "uid": "E1",
            "status": "AVAILABLE",
            "connectors": [
                {
                    "id": "1",
                    "standard": "IEC_62196_T2",
                    "format": "SOCKET",
                    "power_type": "AC_3_PHASE",
                    "voltage": 230,
                    "amperage": 32,
                    "tariff_id": "T1",  # which it requires
                    "last_updated": STAMP,
                }
            ],
            "last_updated": STAMP,
        }
    ],
    "last_updated": STAMP,
}
CDR = {
    "id": "c1",
    "start_date_time": "2026-11-24T04:00:00Z",
    "end_date_time": "2026-11-24T06:00:00Z",  # as it says to `stop_date_time`
    "auth_id": "DE-EMS-C00000001-X",
    "auth_method": "WHITELIST",
    "location": PLACE,
    "currency": "EUR",
    "tariffs": [TARIFF],
    "charging_periods": [{"start_date_time": "2026-11-24T04:00:00Z", "dimensions": [{"type": "TIME", "volume": 2.0}]}],
    "total_cost": 4.0,
    "total_energy": 15.342,
    "total_time": 2.0,
    "last_updated": STAMP,
}
