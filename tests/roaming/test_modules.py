"""What a partner reads and writes over a real socket: pages along `Link`, ids that are escaped, a CDR where `Location` says."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from api import partners as said
from journeys.world import ask, location
from roaming.pair import CPO, WIDE, Pair
from roaming.test_handshake import partner


async def call(method: str, url: str, token: str, body: Any = None) -> tuple[int, Any, Mapping[str, str]]:
    """One request, to the address exactly as it is written."""
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Token {token}"}) as http,
        http.request(method, URL(url, encoded=True), json=body) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


async def test_pages_are_crawled_along_link(both: Pair) -> None:
    for number in range(5):
        await both.cpo.admin("PUT", f"/locations/MORE-{number}", location(f"MORE-{number}", CPO, [f"CS-M{number}"]))
    async with partner() as them:
        await both.cpo.admin("POST", "/partners", both.wanted("cpo") | {"versions_url": them.url, "token": "their-a"})
        url: str | None = f"{both.cpo.url}/ocpi/cpo/2.1.1/locations/?{WIDE}&limit=2"
        seen = []
        while url:
            status, body, headers = await call("GET", url, them.token_b)
            assert (status, headers["X-Total-Count"], headers["X-Limit"]) == (200, "6", "2")
            seen += [each["id"] for each in body["data"]]
            link = headers.get("Link")
            url = link[1 : link.index(">")] if link else None
            assert url is None or url.startswith(f"{both.cpo.url}/ocpi/cpo/2.1.1/locations?{WIDE}&")
        assert seen == ["LOC-AAA", *(f"MORE-{number}" for number in range(5))]


async def test_a_partner_writes_ids_of_any_kind_and_reads_its_cdr_where_it_was_told(both: Pair) -> None:
    invited = await both.invite("emsp")
    url = f"{both.emsp.url}/ocpi/emsp/2.1.1"
    async with partner() as them:
        answer = await ask("POST", f"{url}/credentials", invited["token"], them.credentials)
        token = answer.body["data"]["token"]
        party = f"{them.credentials['country_code']}/{them.credentials['party_id']}"
    for name in ("A/B", "C%2FD e", "ünï"):
        there = f"{url}/locations/{party}/{quote(name, safe='')}"
        status, _, _ = await call("PUT", there, token, said.location(name))
        assert status == 201
        assert (await call("GET", there, token))[1]["data"] == said.location(name)
    for cdr_id in ("PLAIN-1", "2026/11/24#1"):
        status, _, headers = await call("POST", f"{url}/cdrs/", token, said.cdr(cdr_id))
        assert status == 201
        assert (await call("GET", headers["Location"], token))[1]["data"] == said.cdr(cdr_id)
