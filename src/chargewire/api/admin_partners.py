"""`/admin/v1/partners`: roaming connections, made by a handshake and shown with its steps."""

from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath
from msgspec import Struct

from chargewire.api.admin_lists import answer, stored_at, times
from chargewire.api.context import Api, Asking
from chargewire.api.faults import Problem, problem
from chargewire.api.gate import admin
from chargewire.charging.errors import Refused
from chargewire.csms.described import describe_connection
from chargewire.csms.ids import new_id
from chargewire.csms.intake import read
from chargewire.csms.partnering import (
    PartnerChange,
    PartnerInput,
    TheirInvitation,
    amend,
    connection_of,
    invite_again,
    open_bundle,
    open_connection,
    take_invitation,
)
from chargewire.journal.memory import Ref
from chargewire.roaming.steps import HandshakeFailed
from chargewire.sharing.subscription import Subscription


class BundleInput(Struct, frozen=True, kw_only=True):
    """Connections of several parties of ours with one partner, made in one step: 2.1.1 knows one party a connection."""

    connections: tuple[PartnerInput, ...]
    name: str | None = None


class PullAsked(Struct, frozen=True, kw_only=True):
    """`whole`: without a filter, so that what is missing is gone."""

    whole: bool = False


class CommandInput(Struct, frozen=True, kw_only=True):
    """What a command is about: `token_uid` and `location_id` (START_SESSION), `session_id` (STOP_SESSION), or the three of a
    connector (UNLOCK_CONNECTOR)."""

    token_uid: str | None = None
    location_id: str | None = None
    evse_uid: str | None = None
    connector_id: str | None = None
    session_id: str | None = None


class Leaving(Struct, frozen=True, kw_only=True):
    """`anyway`: also if the partner cannot be told."""

    anyway: bool = False


@get("/partners")
async def list_partners(request: Asking) -> Response[bytes]:
    """All roaming connections, without tokens."""
    every = sorted(admin(request).directory.connections(), key=lambda each: each.id)
    return answer({"data": [describe_connection(each) for each in every], "next": None})


@get("/partners/{connection_id:str}")
async def get_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """One roaming connection: its state, the partner's endpoints, the steps of the last handshake."""
    api = admin(request)
    connection_of(api.registry, connection_id)
    stored = await stored_at(api, "partner", [Ref("subscription", "", connection_id)])
    described = describe_connection(msgspec.json.decode(stored.body, type=Subscription))
    return answer(described | {"pulls": await api.office.puller.state(connection_id)} | times(stored))


@post("/partners", opt={"body": PartnerInput})
async def make_partner(request: Asking) -> Response[bytes]:
    """Make a roaming connection. Without `versions_url` the answer holds TOKEN_A for the partner; with it we start."""
    api = admin(request)
    connection, token = await open_connection(api.registry, await request.body())
    return await _started(api, connection, token)


@post("/partners/bundle", opt={"body": BundleInput})
async def make_bundle(request: Asking) -> Response[bytes]:
    """Make several connections with one partner, all or none; a handshake that fails then does not undo the others."""
    api = admin(request)
    given = read(await request.body(), BundleInput)
    if not given.connections:
        raise Refused("must not be empty", "connections")
    bundle = given.name or new_id()
    made = await open_bundle(api.registry, given.connections, bundle)
    return answer({"bundle": bundle, "data": [await _result(api, *each) for each in made]}, 201)


@patch("/partners/{connection_id:str}", opt={"body": PartnerChange})
async def patch_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """Change what is given; `state`: live or suspended."""
    api = admin(request)
    return answer(describe_connection(await amend(api.registry, connection_id, await request.body())))


@post("/partners/{connection_id:str}/connect", opt={"body": TheirInvitation})
async def connect_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """Start the handshake, with a new `versions_url` and `token` if the body gives them."""
    api = admin(request)
    body = await request.body()
    connection, _ = connection_of(api.registry, connection_id)
    if body.strip():
        connection = await take_invitation(api.registry, connection_id, body)
    return await _started(api, connection, "")


@post("/partners/{connection_id:str}/invite")
async def invite_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """Give a new TOKEN_A, shown this once; the old one is dead."""
    api = admin(request)
    connection, token = await invite_again(api.registry, connection_id)
    return answer(_with_invitation(api, connection, token), 201)


@post("/partners/{connection_id:str}/rotate")
async def rotate_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """New tokens on both sides, and the partner's endpoints learnt anew (PUT credentials)."""
    api = admin(request)
    try:
        return answer(describe_connection(await api.office.handshakes.renew(connection_id)))
    except HandshakeFailed as error:
        return _failed(error)


@post("/partners/{connection_id:str}/unregister", opt={"body": Leaving})
async def unregister_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """End the connection with the partner (DELETE credentials); it can be invited again."""
    api = admin(request)
    body = await request.body()
    leaving = read(body, Leaving) if body.strip() else Leaving()
    try:
        return answer(describe_connection(await api.office.handshakes.unregister(connection_id, anyway=leaving.anyway)))
    except HandshakeFailed as error:
        return _failed(error)


@post("/partners/{connection_id:str}/pull", opt={"body": PullAsked})
async def pull_partner(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """Pull the partner's lists now, in the background; `pulls` of the connection tell how far it is."""
    api = admin(request)
    connection, _ = connection_of(api.registry, connection_id)
    body = await request.body()
    asked = read(body, PullAsked) if body.strip() else PullAsked()
    return answer({"modules": api.office.pull_times.begin(connection, whole=asked.whole)}, 202)


@post("/partners/{connection_id:str}/commands/{command:str}", opt={"body": CommandInput})
async def command_partner(request: Asking, connection_id: FromPath[str], command: FromPath[str]) -> Response[bytes]:
    """Ask a partner's station to do something; what came of it is under `/commands/{id}`."""
    api = admin(request)
    connection, _ = connection_of(api.registry, connection_id)
    given = msgspec.to_builtins(read(await request.body(), CommandInput))
    asked = {name: value for name, value in given.items() if value is not None}
    return answer(await api.office.commands.send(connection, command, asked), 202)


@get("/partners/{connection_id:str}/commands/{command_id:str}")
async def get_partner_command(request: Asking, connection_id: FromPath[str], command_id: FromPath[str]) -> Response[bytes]:
    """What came of a command: SENT, then ACCEPTED, REJECTED, NOT_SUPPORTED, UNKNOWN_SESSION, TIMEOUT or FAILED."""
    api = admin(request)
    connection, _ = connection_of(api.registry, connection_id)
    return answer(await api.office.commands.sent(connection, command_id))


@delete("/partners/{connection_id:str}", status_code=204)
async def remove_partner(request: Asking, connection_id: FromPath[str]) -> None:
    """Forget a connection; one that is connected must be unregistered first, one in a handshake be waited for."""
    await admin(request).office.handshakes.forget(connection_id)


async def _started(api: Api, connection: Subscription, token: str) -> Response[bytes]:
    if token:
        return answer(_with_invitation(api, connection, token), 201)
    try:
        return answer(describe_connection(await api.office.handshakes.connect(connection.id)), 201)
    except HandshakeFailed as error:
        return _failed(error, connection.id)


async def _result(api: Api, connection: Subscription, token: str) -> dict[str, Any]:
    if token:
        return _with_invitation(api, connection, token)
    try:
        return describe_connection(await api.office.handshakes.connect(connection.id))
    except HandshakeFailed as error:
        after, _ = connection_of(api.registry, connection.id)
        return describe_connection(after) | {"error": error.message}


def _with_invitation(api: Api, connection: Subscription, token: str) -> dict[str, Any]:
    """What is handed to the partner: TOKEN_A, and where our versions are."""
    assert connection.roaming is not None
    url = api.office.handshakes.versions_url(connection.roaming)
    return describe_connection(connection) | {"token": token, "versions_url": url}


def _failed(error: HandshakeFailed, connection_id: str = "") -> Response[bytes]:
    """Problem details with the steps, so that people see how far it came."""
    body = problem(Problem(title="Handshake failed", status=422, detail=error.message))
    told: dict[str, Any] = msgspec.json.decode(body.content)
    told |= {"code": error.code, "steps": msgspec.to_builtins(error.steps)}
    if connection_id:
        told["id"] = connection_id
    content: Any = msgspec.json.encode(told)
    return Response(content, status_code=422, media_type=body.media_type)


ROUTES = [
    list_partners,
    get_partner,
    make_partner,
    make_bundle,
    patch_partner,
    connect_partner,
    invite_partner,
    rotate_partner,
    unregister_partner,
    pull_partner,
    command_partner,
    get_partner_command,
    remove_partner,
]
