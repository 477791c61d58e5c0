"""What a CPO has before its stations connect, made by the admin API: a network, a CPO, locations, a tariff, a token."""

import json
import re
import urllib.request
from typing import Any

from bench.servers import ADMIN_TOKEN

CPO = "NL-BEN"
EMSP = "NL-EMS"
TOKEN = "BENCH"
PREFIX = "BENCH-"
STATIONS_PER_LOCATION = 10


def ask(http: str, method: str, path: str, body: object = None, token: str = ADMIN_TOKEN) -> Any:
    """One call to the HTTP port; raises HTTPError on any refusal."""
    request = urllib.request.Request(
        http + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def make_places(http: str, stations: int) -> None:
    """Register stations named BENCH-0, BENCH-1 …, with a tariff and the token BENCH."""
    ask(http, "PUT", "/admin/v1/networks/bench", {"name": "Bench"})
    ask(
        http,
        "PUT",
        f"/admin/v1/cpos/{CPO}",
        {"network_id": "bench", "name": "Bench CPO", "currency": "EUR", "time_zone": "Europe/Amsterdam"},
    )
    ask(http, "PUT", f"/admin/v1/emsps/{EMSP}", {"name": "Bench eMSP", "network_ids": ["bench"]})
    ask(http, "PUT", f"/admin/v1/tariffs/{CPO}/T1", _tariff())
    ask(http, "PUT", f"/admin/v1/tokens/{EMSP}/{TOKEN}", _token())
    for first in range(0, stations, STATIONS_PER_LOCATION):
        numbers = range(first, min(first + STATIONS_PER_LOCATION, stations))
        ask(http, "PUT", f"/admin/v1/locations/bench-{first}", _location(f"bench-{first}", numbers))


def longest_hold_ms(http: str) -> float:
    """For how long the server's event loop was held at most since its start, in ms."""
    request = urllib.request.Request(f"{http}/metrics", headers={"Authorization": f"Token {ADMIN_TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    found = re.search(r'chargewire_loop_longest_hold_seconds\{over="start"\} (\S+)', text)
    return float(found[1]) * 1000 if found else 0.0


def subscribe(http: str, **options: Any) -> str:
    """A subscription that may pull everything of the CPO; gives its token."""
    modules = {module: ["pull"] for module in ("locations", "sessions", "cdrs", "metervalues", "notifications")}
    body = {"name": "bench", "network_id": "bench", "grants": [{"cpos": "all", "modules": modules}], **options}
    return str(ask(http, "POST", "/admin/v1/subscriptions", body)["token"])


def _tariff() -> dict[str, Any]:
    components = [{"type": "ENERGY", "price": 0.35, "step_size": 1}, {"type": "FLAT", "price": 0.5, "step_size": 1}]
    return {"id": "T1", "currency": "EUR", "elements": [{"price_components": components}]}


def _token() -> dict[str, Any]:
    return {
        "uid": TOKEN,
        "type": "RFID",
        "auth_id": "NL-EMS-CBENCH001-X",
        "issuer": "Bench",
        "valid": True,
        "whitelist": "ALLOWED",
    }


def _location(location_id: str, numbers: range) -> dict[str, Any]:
    return {
        "cpo": CPO,
        "name": f"Bench {location_id}",
        "type": "ON_STREET",
        "address": "Teststraat 1",
        "city": "Amsterdam",
        "postal_code": "1011AB",
        "country": "NLD",
        "coordinates": {"latitude": "52.370000", "longitude": "4.890000"},
        "time_zone": "Europe/Amsterdam",
        "stations": [{"id": f"{PREFIX}{number}", "password": None, "evses": [_evse(number)]} for number in numbers],
    }


def _evse(number: int) -> dict[str, Any]:
    connector = {
        "id": "1",
        "connector_id": 1,
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "voltage": 230,
        "amperage": 16,
        "tariff_id": "T1",
    }
    return {"uid": f"NL-BEN-E{number}-1", "evse_id": f"NL*BEN*E{number}*1", "connectors": [connector]}
