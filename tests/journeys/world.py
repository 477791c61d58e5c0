"""What a journey needs around Chargewire: the server as a real process, its admin, a customer that pulls, a receiver."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

ADMIN = "admin-token-for-tests"


@dataclass
class Server:
    """`chargewire serve` in a process of its own, on free ports."""

    data: Path
    database: str | None = None
    options: tuple[str, ...] = ()
    url: str = ""
    ocpp_url: str = ""
    process: asyncio.subprocess.Process | None = None

    async def start(self, port: int = 0, ocpp_port: int = 0) -> None:
        """Returns once both `listening` lines are there."""
        command = [sys.executable, "-m", "chargewire", "serve", "--data", str(self.data), "--port", str(port)]
        command += ["--ocpp-port", str(ocpp_port), "--admin-token", ADMIN, *self.options]
        if self.database:
            command += ["--database", self.database]
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=dict(os.environ)
        )
        assert self.process.stdout
        while not (self.url and self.ocpp_url):
            line = await asyncio.wait_for(self.process.stdout.readline(), 30)
            if not line:
                raise AssertionError(f"serve ended: {await asyncio.to_thread(Path(log.name).read_text)}")
            found = re.match(r"listening (http|ws)(s?://\S+)", line.decode())
            if found and found[1] == "http":
                self.url = "http" + found[2]
            elif found:
                self.ocpp_url = "ws" + found[2]

    async def kill(self) -> None:
        """As a power cut does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def again(self) -> None:
        """Start once more on the same ports."""
        port, ocpp_port = int(self.url.rsplit(":", 1)[1]), int(self.ocpp_url.rsplit(":", 1)[1].split("/")[0])
        self.url = self.ocpp_url = ""
        await self.start(port, ocpp_port)

    async def _end(self, how: signal.Signals) -> None:
        if self.process and self.process.returncode is None:
            self.process.send_signal(how)
            await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def served(data: Path, database: str | None = None, *options: str) -> AsyncIterator[Server]:
    """A running server, ended afterwards."""
    server = Server(data, database, options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@dataclass
class Asked:
    """An HTTP answer: status, headers, JSON."""

    status: int
    headers: dict[str, str]
    body: Any


async def ask(method: str, url: str, token: str, body: object = None, **headers: str) -> Asked:
    """One request with an OCPI token header."""
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, json=body, headers={"Authorization": f"Token {token}"} | headers) as answer,
    ):
        text = await answer.text()
        return Asked(answer.status, dict(answer.headers), json.loads(text) if text else None)


async def admin(server: Server, method: str, path: str, body: object = None) -> Any:
    """An admin call that has to succeed."""
    answer = await ask(method, f"{server.url}/admin/v1{path}", ADMIN, body)
    assert answer.status < 300, (method, path, answer.status, answer.body)
    return answer.body


async def pull(server: Server, token: str, path: str) -> Any:
    """The `data` of a Platform API call that has to succeed."""
    answer = await ask("GET", f"{server.url}/api/{path}", token)
    assert answer.status == 200, (path, answer.status, answer.body)
    assert answer.body["status_code"] == 1000, answer.body
    return answer.body["data"]


async def pull_all(server: Server, token: str, path: str) -> list[Any]:
    """Every page of a list, by its `Link` headers."""
    url: str | None = f"{server.url}/api/{path}"
    rows: list[Any] = []
    while url:
        answer = await ask("GET", url, token)
        assert answer.status == 200, (url, answer.body)
        assert answer.body["status_code"] == 1000, answer.body
        rows += answer.body["data"]
        found = re.search(r'<([^>]+)>;\s*rel="next"', answer.headers.get("Link", ""))
        url = found[1] if found else None
    return rows


@dataclass
class Push:
    """One request as the receiver got it."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class Receiver:
    """A customer's web server: keeps objects as OCPI says, by path; a PATCH changes what it names."""

    url: str = ""
    pushes: list[Push] = field(default_factory=list)
    objects: dict[str, Any] = field(default_factory=dict)
    fail_with: int = 0  # answer so instead of taking it, while set

    def of(self, module: str) -> dict[str, Any]:
        """What was received of a module, by the path after it."""
        return {path.removeprefix(f"/{module}"): body for path, body in self.objects.items() if path.startswith(f"/{module}")}

    async def _take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        if self.fail_with:
            return web.json_response({"status_code": 3000}, status=self.fail_with)
        self.pushes.append(Push(request.method, request.path, body, dict(request.headers)))
        if request.method == "POST":
            self.objects[f"{request.path}/{body['id']}"] = body
        elif request.method == "PUT" and request.path == "/notifications":
            self.objects[f"{request.path}/{len(self.pushes)}"] = body
        elif request.method == "PUT":
            self.objects[request.path] = body
        elif request.path in self.objects:
            self.objects[request.path] = self.objects[request.path] | body
        elif request.path.count("/") == 5 and request.path.rsplit("/", 1)[0] in self.objects:  # an EVSE of a known location
            location = self.objects[request.path.rsplit("/", 1)[0]]
            for evse in location["evses"]:
                if evse["uid"] == request.path.rsplit("/", 1)[1]:
                    evse.update(body)
        else:
            return web.json_response({"status_code": 2003, "timestamp": "2026-01-01T00:00:00Z"}, status=404)
        return web.json_response({"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{path:.*}", receiver._take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        yield receiver
    finally:
        await runner.cleanup()


TARIFF = {
    "id": "T1",
    "currency": "EUR",
    "elements": [
        {"price_components": [{"type": "FLAT", "price": 0.5, "step_size": 1}]},
        {"price_components": [{"type": "ENERGY", "price": 0.3, "step_size": 1}]},
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}


def token(uid: str, auth_id: str = "NL-EMS-C00000001-X") -> dict[str, Any]:
    """An OCPI 2.1.1 token."""
    return {
        "uid": uid,
        "type": "RFID",
        "auth_id": auth_id,
        "issuer": "Demo eMSP",
        "valid": True,
        "whitelist": "ALWAYS",
        "last_updated": "2026-01-01T00:00:00Z",
    }


def location(key: str, cpo: str, stations: list[str], connectors: int = 1, tariff_id: str | None = "T1") -> dict[str, Any]:
    """A location as the admin API takes it; EVSE n of a station has its OCPP connector n."""
    country, party = cpo.split("-")
    return {
        "cpo": cpo,
        "name": f"Location {key}",
        "type": "ON_STREET",
        "address": "Main Street 1",
        "city": "Utrecht",
        "postal_code": "3511 AA",
        "country": "NLD",
        "coordinates": {"latitude": "52.090737", "longitude": "5.121420"},
        "time_zone": "Europe/Amsterdam",
        "publish": True,
        "stations": [
            {
                "id": station,
                "password": None,
                "evses": [
                    {
                        "uid": f"{country}-{party}-E{station}-{number}",
                        "evse_id": f"{country}*{party}*E{station}*{number}",
                        "connectors": [
                            {
                                "id": "1",
                                "connector_id": number,
                                "standard": "IEC_62196_T2",
                                "format": "SOCKET",
                                "power_type": "AC_3_PHASE",
                                "voltage": 230,
                                "amperage": 32,
                                "tariff_id": tariff_id,
                            }
                        ],
                    }
                    for number in range(1, connectors + 1)
                ],
            }
            for station in stations
        ],
    }


async def furnish(
    server: Server, stations: dict[str, list[str]], *, uids: tuple[str, ...] = ("04AABBCC",), **extra: Any
) -> None:
    """A network `demo` with the CPOs that own the given stations (`{"NL-AAA": ["CS-1"]}`), a tariff and tokens."""
    await admin(server, "PUT", "/networks/demo", {"name": "Demo"})
    await admin(server, "PUT", "/emsps/NL-EMS", {"name": "Demo eMSP", "network_ids": ["demo"]})
    for cpo, names in stations.items():
        body = {"network_id": "demo", "name": f"CPO {cpo}", "currency": "EUR", "time_zone": "Europe/Amsterdam"}
        await admin(server, "PUT", f"/cpos/{cpo}", body | {"publish_all_cdrs": True})
        await admin(server, "PUT", f"/tariffs/{cpo}/T1", TARIFF)
        key = f"LOC-{cpo[3:]}"
        await admin(server, "PUT", f"/locations/{key}", location(key, cpo, names, **extra))
    for uid in uids:
        await admin(server, "PUT", f"/tokens/{uid}", token(uid))


async def subscribe(
    server: Server, receiver: Receiver | None = None, cpos: object = "all", profile: str = "compatible", **more: Any
) -> Any:
    """A live subscription over pull, and push if there is a receiver; with its token."""
    both = ["pull", "push"] if receiver else ["pull"]
    modules = dict.fromkeys(("locations", "sessions", "cdrs", "notifications"), both) | {"metervalues": ["pull"]}
    body: dict[str, Any] = {
        "name": "test",
        "network_id": "demo",
        "grants": [{"cpos": cpos, "modules": modules}],
        "profile": profile,
    } | more
    if receiver:
        names = ("locations", "sessions", "cdrs", "notifications")
        body["endpoints"] = {name: {"url": f"{receiver.url}/{name}", "token": "customer-token"} for name in names}
    return await admin(server, "POST", "/subscriptions", body)


async def until(condition: Any, timeout_s: float = 10.0, what: str = "") -> None:
    """Wait until `condition()` is true (it may be a coroutine function)."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert asyncio.get_running_loop().time() < deadline, f"never came true: {what or condition}"
        await asyncio.sleep(0.02)
