"""One push as people read it: a coloured line that says what happened, not what the JSON looks like."""

from datetime import datetime
from typing import Any

import click
import msgspec
from msgspec import Struct

_COLOURS = {"sessions": "cyan", "cdrs": "green", "locations": "yellow", "notifications": "bright_black"}


class Received(Struct, frozen=True, kw_only=True):
    """One request. The path begins with the module, or with a folder of the customer's and then the module."""

    at: datetime
    method: str
    path: str
    body: Any

    @property
    def module(self) -> str:
        """sessions, cdrs, locations, notifications, or the path's first word."""
        words = self._words()
        return next((word for word in words if word in _COLOURS), words[0] if words else "other")

    @property
    def object(self) -> list[str]:
        """The path behind the module: country, party, id …"""
        words = self._words()
        return words[words.index(self.module) + 1 :] if self.module in words else words

    @property
    def folder(self) -> str:
        """The path before the module: customers use it to tell subscriptions apart."""
        words = self._words()
        return "/".join(words[: words.index(self.module)]) if self.module in words else ""

    def _words(self) -> list[str]:
        return [word for word in self.path.split("/") if word]


def described(received: Received) -> str:
    """The line for a terminal."""
    body = received.body if isinstance(received.body, dict) else {}
    describe = _DESCRIBE.get(received.module)
    text = describe(received, body) if describe else str(received.body)[:120]
    head = f"{received.folder:<10} {received.method:<5} {received.module:<13}".lstrip() if received.folder else ""
    head = head or f"{received.method:<5} {received.module:<13}"
    return f"{click.style(head, fg=_COLOURS.get(received.module))} {text}"


def _session(received: Received, body: dict[str, Any]) -> str:
    party, key = _owner(received), str(received.object[-1] if received.object else body.get("id", ""))
    periods = f", {len(body['charging_periods'])} periods" if body.get("charging_periods") else ""
    status = str(body.get("status", ""))
    bold = click.style(f"{status:<9}", bold=status != "ACTIVE")
    return f"{party} {_short(key)} {bold} {_number(body.get('kwh'), 3)} kWh{periods}"


def _cdr(_: Received, body: dict[str, Any]) -> str:
    place = (body.get("location") or {}).get("name", "") if isinstance(body.get("location"), dict) else ""
    cost = f"{_number(body.get('total_cost'), 2)} {body.get('currency', '')}"
    energy = f"{_number(body.get('total_energy'), 3)} kWh in {_number(body.get('total_time'), 2)} h"
    return f"{_short(str(body.get('id', '')))} {energy} = {click.style(cost, bold=True)} {place}"


def _location(received: Received, body: dict[str, Any]) -> str:
    party, words = _owner(received), received.object
    if len(words) >= 4:
        return f"{party} {words[3]} is {click.style(str(body.get('status', 'changed')), bold=True)}"
    statuses = ", ".join(str(evse.get("status")) for evse in body.get("evses") or () if isinstance(evse, dict))
    return f"{party} {words[2] if len(words) > 2 else ''} {body.get('name', '')} [{statuses}]"


def _notification(_: Received, body: dict[str, Any]) -> str:
    where = body.get("evse_id") or body.get("charge_station_id") or ""
    return f"{where} {body.get('message_action', '')} {_told(body.get('charge_station_message_payload'))}"


_DESCRIBE = {"sessions": _session, "cdrs": _cdr, "locations": _location, "notifications": _notification}


def _told(payload: Any) -> str:
    """A station's status out of its message, which is JSON in a string."""
    try:
        message = msgspec.json.decode(str(payload))
    except msgspec.MsgspecError:
        return str(payload)[:100]
    if not isinstance(message, dict) or "status" not in message:
        return str(payload)[:100]
    error = message.get("errorCode", "NoError")
    return f"{message['status']}" + (f" ({error})" if error != "NoError" else "")


def _owner(received: Received) -> str:
    return "-".join(received.object[:2]) if len(received.object) > 2 else ""


def _short(key: str) -> str:
    return key if len(key) <= 14 else f"{key[:5]}…{key[-8:]}"


def _number(value: Any, digits: int) -> str:
    try:
        return f"{float(value):.{digits}f}"
    except (TypeError, ValueError):
        return "?"
