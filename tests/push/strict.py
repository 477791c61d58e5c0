"""A receiver that takes nothing but OCPI 2.1.1: its addresses, its verbs, its objects, field by field."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from chargewire.protocols.ocpi.v211 import cdrs, locations, sessions, tariffs, tokens
from push.depot import Got, Receiver

TYPES: dict[tuple[str, str, int], type[Struct] | None] = {  # by module, method and how many segments follow it
    ("locations", "PUT", 3): locations.Location,
    ("locations", "PUT", 4): locations.Evse,
    ("locations", "PATCH", 4): locations.EvsePatch,
    ("sessions", "PUT", 3): sessions.Session,
    ("sessions", "PATCH", 3): sessions.SessionPatch,
    ("cdrs", "POST", 0): cdrs.Cdr,
    ("tariffs", "PUT", 3): tariffs.Tariff,
    ("tariffs", "DELETE", 3): None,
    ("tokens", "PUT", 3): tokens.Token,
}


def strict(receiver: Receiver) -> Callable[[Got], Any]:
    """What the receiver answers. It says where it keeps a CDR, and of an EVSE or a PATCH whether it has what that is about."""
    known: set[str] = set()

    def answer(got: Got) -> Any:
        _, module, *path = got.path.split("/")
        problem = _problem(got, module, path)
        assert not problem, (got.method, got.path, problem)
        about = "/".join([module, *path[:3]])
        if got.method == "PATCH" or len(path) == 4:
            if about not in known:
                return web.json_response({"status_code": 2003, "timestamp": "2026-01-01T00:00:00Z"}, status=404)
        elif got.method == "DELETE":
            if about not in known:
                return web.json_response({"status_code": 2000, "timestamp": "2026-01-01T00:00:00Z"}, status=404)
            known.discard(about)
        elif module != "cdrs":
            known.add(about)
        if module == "cdrs":
            receiver.got.append(got)
            reply = {"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z"}
            return web.json_response(reply, headers={"Location": f"/kept/{got.body['id']}"})
        return None

    return answer


def _problem(got: Got, module: str, path: list[str]) -> str:
    if (module, got.method, len(path)) not in TYPES:
        return "is no request of OCPI 2.1.1"
    kind = TYPES[module, got.method, len(path)]
    if kind is None:
        return "" if got.body is None else "has a body"
    try:
        decoded = msgspec.convert(got.body, kind, strict=True)
    except msgspec.ValidationError as error:
        return str(error)
    if unknown := set(got.body) - set(kind.__struct_fields__):
        return f"has fields that nobody knows: {unknown}"
    if path and module != "locations" and got.method == "PUT" and path[2] not in (got.body.get("id"), got.body.get("uid")):
        return "is not what its address says"
    return "" if msgspec.json.decode(msgspec.json.encode(decoded)) == got.body else "is not said as it is read"
