"""An instance without sockets: the application is called as an ASGI server calls it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from chargewire.api.build import build_api
from chargewire.api.context import ApiSettings
from chargewire.api.renderings import RENDERINGS
from chargewire.csms.directory import Directory
from chargewire.csms.registry import Registry
from chargewire.journal import open_journal
from chargewire.journal.memory import Journal
from chargewire.roaming.office import Office
from chargewire.sharing.keys import Keys

ADMIN = "admin-token-of-tests"


class Answer(msgspec.Struct):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def next(self) -> str | None:
        """The path and query of the next page."""
        link = self.headers.get("link")
        return link[link.index("http") : link.index(">")].partition("//")[2].partition("/")[2] if link else None


class House:
    """One instance."""

    def __init__(self, journal: Journal, directory: Directory, registry: Registry, keys: Keys, settings: ApiSettings) -> None:
        self.journal = journal
        self.directory = directory
        self.registry = registry
        self.keys = keys
        desk = NoDesk()
        self.office = Office(journal, directory, registry, keys, desk, allow_private=True)
        self.app = build_api(journal, directory, registry, desk, keys, settings, self.office)

    async def ask(
        self, method: str, url: str, token: str | None = None, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; `body` is sent as JSON, or as it is if it is bytes."""
        parts = urlsplit(url if url.startswith("/") else f"/{url}")
        sent = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        given = {"host": "chargewire.test", **(headers or {})}
        if token is not None:
            given["authorization"] = f"Token {token}"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": quote(parts.path, safe="/%").encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        messages = [{"type": "http.request", "body": sent, "more_body": False}]
        answer = Answer(0, {}, b"")

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        await self.app(scope, receive, send)  # type: ignore[arg-type]
        return answer

    async def get(self, url: str, token: str | None = None) -> Answer:
        return await self.ask("GET", url, token)

    async def admin(self, method: str, path: str, body: Any = None) -> Answer:
        return await self.ask(method, f"/admin/v1/{path}", ADMIN, body)

    async def put(self, path: str, body: Any) -> Any:
        """An admin PUT that has to succeed."""
        answer = await self.admin("PUT", path, body)
        assert answer.status in (200, 201), answer.body
        return answer.json

    async def subscribe(self, *cpos: str, modules: dict[str, list[str]] | None = None, **more: Any) -> str:
        """A subscription with everything pullable of some CPOs of `demo`; gives its token."""
        pulled = ("locations", "sessions", "cdrs", "metervalues", "notifications")
        grant = {"cpos": list(cpos) or "all", "modules": modules or {module: ["pull"] for module in pulled}}
        answer = await self.admin("POST", "subscriptions", {"name": "test", "network_id": "demo", "grants": [grant], **more})
        assert answer.status == 201, answer.body
        token: str = answer.json["token"]
        return token


class NoDesk:
    """A CSMS without a single station."""

    async def order(self, station_id: str, command: Any, *, asked_by: str, timeout_s: float = 30) -> Any:
        from chargewire.charging.errors import StationOffline

        raise StationOffline(f"station {station_id!r} is not connected")

    async def order_state(self, order_id: str) -> Any:
        from chargewire.charging.errors import Unknown

        raise Unknown("command", order_id)


@asynccontextmanager
async def open_house(url: str = "sqlite://:memory:", **settings: Any) -> AsyncIterator[House]:
    """A running instance with an empty journal."""
    journal = await open_journal(url, renderers=RENDERINGS)
    keys = Keys.random()
    directory = Directory(journal, keys)
    await directory.load()
    try:
        yield House(
            journal, directory, Registry(journal, directory, keys), keys, ApiSettings(**{"admin_token": ADMIN} | settings)
        )
    finally:
        await directory.close()
        await journal.close()


def place(cpo: str, station: str, **more: Any) -> dict[str, Any]:
    """A location with one station of two connectors, as an operator writes it."""
    connector = {"standard": "IEC_62196_T2", "format": "SOCKET", "power_type": "AC_3_PHASE", "voltage": 230, "amperage": 16}
    return {
        "cpo": cpo,
        "name": f"Place of {station}",
        "type": "ON_STREET",
        "address": "Stationsplein 1",
        "city": "Utrecht",
        "postal_code": "3511CE",
        "country": "NLD",
        "coordinates": {"latitude": "52.089400", "longitude": "5.110100"},
        "stations": [{"id": station, "evses": [{"connectors": [{**connector}]}, {"connectors": [{**connector}]}]}],
        **more,
    }


async def furnish(house: House) -> None:
    """A network with two CPOs and a location for each."""
    await house.put("networks/demo", {"name": "Demo"})
    for party in ("NL-AAA", "NL-BBB"):
        await house.put(f"cpos/{party}", {"network_id": "demo", "name": party})
    await house.put("locations/LOC-A", place("NL-AAA", "CS-A"))
    await house.put("locations/LOC-B", place("NL-BBB", "CS-B"))
