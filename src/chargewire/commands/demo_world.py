"""The world of the demo: a network with three CPOs, their places, tariffs, cards, and who may see what."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.commands.calling import Caller

NETWORK = "demo"
EMSP = "NL-EMS"
CARDS = ("04A1B2C3D4E5F6", "04B7C8D9EAFB01", "04C2D3E4F5A6B7", "04D9E8F7A6B5C4")
HISTORY = "ACN-"  # before the names of the outlets of the recorded sessions
MIN_PATCH_S = 5  # to have something to watch; the usual 60 is for real sessions


class Cpo(Struct, frozen=True):
    party: str
    name: str


class Place(Struct, frozen=True, kw_only=True):
    """A location with equal stations. `power_kw` of each connector; `stations`: their identities."""

    id: str
    cpo: str
    name: str
    address: str
    postal_code: str
    city: str
    at: tuple[str, str]  # degrees north, degrees east
    stations: tuple[str, ...]
    type: str = "ON_STREET"
    connectors: int = 1
    power_kw: float = 11.0
    dc: bool = False
    phases: int = 3
    history: bool = False  # its stations are the outlets of the recorded sessions


class World(Struct, frozen=True):
    """Who and what there is, by environment."""

    cpos: tuple[Cpo, ...]
    acceptance: tuple[Place, ...]
    production: tuple[Place, ...]


def world(outlets: Iterable[str]) -> World:
    """The world of the demo; `outlets` are those of the recorded sessions."""
    read = msgspec.toml.decode(Path(__file__).with_name("demo.toml").read_bytes(), type=World)
    names = tuple(HISTORY + outlet for outlet in sorted(outlets))
    return replace(read, acceptance=tuple(replace(each, stations=names) if each.history else each for each in read.acceptance))


def furnish(admin: Caller, cpos: Sequence[Cpo], places: Sequence[Place], password: str | None) -> None:
    """Make the network, its parties, tariffs, cards and places; the same again changes nothing. Raises ClickException."""
    admin.call("PUT", f"networks/{NETWORK}", {"name": "Demo network"})
    admin.call("PUT", f"emsps/{EMSP}", {"name": "Oplaadpas Nederland", "network_ids": [NETWORK]})
    for cpo in cpos:
        party = {"network_id": NETWORK, "name": cpo.name, "currency": "EUR", "time_zone": "Europe/Amsterdam"}
        admin.call("PUT", f"cpos/{cpo.party}", party | {"publish_all_cdrs": True})
        for name, elements in _TARIFFS.items():
            admin.call("PUT", f"tariffs/{cpo.party}/{name}", _tariff(elements))
    for number, uid in enumerate(CARDS, start=1):
        admin.call("PUT", f"tokens/{EMSP}/{uid}", _card(number))
    for place in places:
        admin.call("PUT", f"locations/{place.id}", _location(place, password))


def subscribe(admin: Caller, name: str, cpos: object, modules: dict[str, list[str]], push_to: str, push_token: str) -> str:
    """A live subscription; gives its token. One of that name from an earlier run ends. Raises ClickException."""
    pushed = [module for module, directions in modules.items() if "push" in directions]
    endpoints = {module: {"url": f"{push_to}/{module}", "token": push_token, "min_patch_s": MIN_PATCH_S} for module in pushed}
    grants = [{"cpos": cpos, "modules": modules}]
    there = next((each["id"] for each in _listed(admin.call("GET", "subscriptions")) if each["name"] == name), None)
    if there:
        admin.call("DELETE", f"subscriptions/{there}")
    body = {"name": name, "network_id": NETWORK, "grants": grants, "endpoints": endpoints}
    return str(admin.call("POST", "subscriptions", body)["token"])


def _listed(answer: Any) -> list[dict[str, Any]]:
    """The objects of a list, bare or in an envelope."""
    if isinstance(answer, dict):
        answer = next((value for value in answer.values() if isinstance(value, list)), [])
    return [each for each in answer if isinstance(each, dict) and each.get("state") != "ended"]


_TARIFFS: dict[str, list[dict[str, Any]]] = {
    "AC": [
        {"price_components": [{"type": "ENERGY", "price": 0.36, "step_size": 1}]},
        {"price_components": [{"type": "PARKING_TIME", "price": 1.2, "step_size": 60}]},
    ],
    "DC": [
        {"price_components": [{"type": "FLAT", "price": 0.5, "step_size": 1}]},
        {"price_components": [{"type": "ENERGY", "price": 0.61, "step_size": 1}]},
    ],
}


def _tariff(elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"currency": "EUR", "elements": elements, "vat_percent": 21}


def _card(number: int) -> dict[str, Any]:
    return {
        "type": "RFID",
        "auth_id": f"NL-EMS-C{number:08d}-X",
        "visual_number": f"NL-EMS-{number:04d}",
        "issuer": "Oplaadpas Nederland",
        "valid": True,
        "whitelist": "ALLOWED",
    }


def _location(place: Place, password: str | None) -> dict[str, Any]:
    return {
        "cpo": place.cpo,
        "name": place.name,
        "type": place.type,
        "address": place.address,
        "postal_code": place.postal_code,
        "city": place.city,
        "country": "NLD",
        "coordinates": {"latitude": place.at[0], "longitude": place.at[1]},
        "time_zone": "Europe/Amsterdam",
        "opening_times": {"twentyfourseven": True},
        "stations": [
            {"id": station, "password": password, "evses": [_evse(place, number) for number in range(1, place.connectors + 1)]}
            for station in place.stations
        ],
    }


def _evse(place: Place, number: int) -> dict[str, Any]:
    watts = place.power_kw * 1000
    connector = {
        "connector_id": number,
        "standard": "IEC_62196_T2_COMBO" if place.dc else "IEC_62196_T2",
        "format": "CABLE" if place.dc else "SOCKET",
        "power_type": "DC" if place.dc else f"AC_{place.phases}_PHASE",
        "voltage": 400 if place.dc else 230,
        "amperage": round(watts / 400) if place.dc else round(watts / 230 / place.phases),
        "max_electric_power": round(watts),
        "tariff_id": "DC" if place.dc else "AC",
    }
    return {"capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"], "connectors": [connector]}
