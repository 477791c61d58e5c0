"""A roaming partner that runs on another implementation of OCPI 2.1.1 (PyPI `extrawest-ocpi`), for tests.

    python partner.py --role CPO|EMSP --token-a TOKEN [--country NL] [--party EXW]

Runs in an environment of its own (`requirements.lock` beside this file), never in ours. Prints `listening http://…`, then
serves OCPI under `/ocpi` as that package does, its own push under `/push`, and for the test under `/control`: what it holds and
what it was asked (`GET /control/state`), objects to begin with (`PUT /control/objects/{module}/{id}`).
"""

import argparse
import os
import socket
from typing import Any
from uuid import uuid4

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--role", choices=("CPO", "EMSP"), required=True)
PARSER.add_argument("--token-a", required=True)
PARSER.add_argument("--country", default="DE")
PARSER.add_argument("--party", default="EXW")
OPTIONS = PARSER.parse_args()
LISTENING = socket.create_server(("127.0.0.1", 0))
HOST = f"127.0.0.1:{LISTENING.getsockname()[1]}"
os.environ |= {  # read by the package when it is imported
    "OCPI_HOST": HOST,
    "PROTOCOL": "http",
    "COUNTRY_CODE": OPTIONS.country,
    "PARTY_ID": OPTIONS.party,
    "COMMAND_AWAIT_TIME": "1",
}

import uvicorn  # noqa: E402
from fastapi import Body  # noqa: E402
from py_ocpi import get_application  # noqa: E402
from py_ocpi.core.authentication.authenticator import Authenticator  # noqa: E402
from py_ocpi.core.crud import Crud  # noqa: E402
from py_ocpi.core.enums import Action, ModuleID, RoleEnum  # noqa: E402
from py_ocpi.modules.versions.enums import VersionNumber  # noqa: E402

KEYS = {"tokens": "uid"}
HELD: dict[str, dict[str, Any]] = {}  # module → id → object
ASKED: list[list[Any]] = []  # what the package was asked to do, in order
TOKENS_A = [OPTIONS.token_a]
TOKENS_C: list[str] = []
THEIRS: dict[str, Any] = {}  # the credentials and endpoints of whoever has registered


class Tokens(Authenticator):
    """Which tokens are good."""

    @classmethod
    async def get_valid_token_c(cls) -> list[str]:
        return TOKENS_C

    @classmethod
    async def get_valid_token_a(cls) -> list[str]:
        return TOKENS_A


class Store(Crud):
    """What the package leaves to whoever uses it: here, dictionaries."""

    @classmethod
    async def get(cls, module: ModuleID, role: RoleEnum, id: Any, *args: Any, **given: Any) -> Any:
        if module == ModuleID.credentials_and_registration:
            return own_credentials(given["auth_token"])
        if module == ModuleID.commands:  # the result that a station gave
            return {"result": "ACCEPTED"}
        return HELD.get(module.value, {}).get(str(id))

    @classmethod
    async def list(cls, module: ModuleID, role: RoleEnum, filters: dict, *args: Any, **given: Any) -> tuple[list, int, bool]:
        rows = list(HELD.get(module.value, {}).values())
        begin, end = filters["offset"], filters["offset"] + filters["limit"]
        ASKED.append(["list", module.value, begin])
        return rows[begin:end], len(rows), end >= len(rows)

    @classmethod
    async def create(cls, module: ModuleID, role: RoleEnum, data: Any, *args: Any, **given: Any) -> Any:
        ASKED.append(["create", module.value])
        if module == ModuleID.credentials_and_registration:
            return register(data, given["auth_token"])
        HELD.setdefault(module.value, {})[data[KEYS.get(module.value, "id")]] = data
        return data

    @classmethod
    async def update(cls, module: ModuleID, role: RoleEnum, data: Any, id: Any, *args: Any, **given: Any) -> Any:
        ASKED.append(["update", module.value])
        if module == ModuleID.credentials_and_registration:
            return register(data, given["auth_token"])
        HELD.setdefault(module.value, {})[str(id)] = data
        return data

    @classmethod
    async def delete(cls, module: ModuleID, role: RoleEnum, id: Any, *args: Any, **given: Any) -> None:
        ASKED.append(["delete", module.value])
        if module == ModuleID.credentials_and_registration:
            TOKENS_C.clear()
            TOKENS_A.append(OPTIONS.token_a)
        HELD.get(module.value, {}).pop(str(id), None)

    @classmethod
    async def do(cls, module: ModuleID, role: Any, action: Action, *args: Any, data: Any = None, **given: Any) -> Any:
        ASKED.append(["do", action.value])
        if action == Action.get_client_token:
            return THEIRS["credentials"]["token"]
        if action == Action.authorize_token:
            return {"allowed": "ALLOWED"}
        return {"result": "ACCEPTED"}


def register(data: Any, token: str) -> dict[str, Any]:
    """Keep whoever registers, with a new token for it; the one that it came with is dead."""
    THEIRS.update(data)
    new = f"exw-{uuid4().hex}"
    for tokens in (TOKENS_A, TOKENS_C):
        if token in tokens:
            tokens.remove(token)
    TOKENS_C.append(new)
    return own_credentials(new)


def own_credentials(token: str) -> dict[str, Any]:
    """Our side's credentials."""
    return {
        "token": token,
        "url": f"http://{HOST}/ocpi/versions",
        "business_details": {"name": "Extrawest"},
        "party_id": OPTIONS.party,
        "country_code": OPTIONS.country,
    }


app = get_application(
    version_numbers=[VersionNumber.v_2_1_1],
    roles=[RoleEnum(OPTIONS.role)],
    crud=Store,
    modules=list(ModuleID),
    authenticator=Tokens,
    http_push=True,
)


@app.get("/control/state")
async def state() -> dict[str, Any]:
    return {"held": HELD, "asked": ASKED, "theirs": THEIRS, "tokens_c": TOKENS_C}


@app.put("/control/objects/{module}/{name}")
async def put_object(module: str, name: str, body: dict = Body()) -> None:  # noqa: B008  (how the framework is told)
    HELD.setdefault(module, {})[name] = body


if __name__ == "__main__":
    print(f"listening http://{HOST}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[LISTENING])
