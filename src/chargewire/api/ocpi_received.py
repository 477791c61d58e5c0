"""What a partner owns and writes to us: tokens to our CPO; locations, sessions, CDRs and tariffs to our eMSP.

A partner writes and reads only under its own party (OCPI 2.1.1 transport_and_format, client owned objects): any other answers
like one that does not exist. Everything is durable before the answer.
"""

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post, put

from chargewire.api.asking import query_of
from chargewire.api.context import Asking
from chargewire.api.faults import JSON, BadParameter
from chargewire.api.gate import Partner, enter_partner
from chargewire.api.ocpi_faults import json_body, said
from chargewire.api.ocpi_paths import named
from chargewire.api.ocpi_versions import ocpi_url
from chargewire.charging.errors import Refused, Unknown
from chargewire.csms.partner_objects import LARGE, ONE, Outcome, drop, read
from chargewire.csms.partner_tokens import TokenOutcome, read_token
from chargewire.protocols.ocpi import codes
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import cdrs, locations, sessions, tariffs, tokens
from chargewire.protocols.ocpi.v211.reading import Heard, T
from chargewire.protocols.ocpi.v211.reading import read as read_json
from chargewire.protocols.platform.envelope import of_object
from chargewire.roaming import receiving

WHOLE = "/2.1.1/locations/{country_code:str}/{party_id:str}/{location_id:str}"
PLACES = [WHOLE, f"{WHOLE}/{{evse_uid:str}}", f"{WHOLE}/{{evse_uid:str}}/{{connector_id:str}}"]
SESSION = "/2.1.1/sessions/{country_code:str}/{party_id:str}/{session_id:str}"
TARIFF = "/2.1.1/tariffs/{country_code:str}/{party_id:str}/{tariff_id:str}"
TOKEN = "/2.1.1/tokens/{country_code:str}/{party_id:str}/{token_uid:str}"  # noqa: S105  (a path)

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class TypeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """2.1.1 has no such parameter; partners of 2.2 send it here, too."""

    type: str | None = None


@get(TOKEN, opt={"query": TypeAsked, "answer": tokens.Token})
async def get_token(request: Asking) -> Response[bytes]:
    """A token as the partner said it."""
    partner = _owner(request, "CPO", "tokens", "token_uid")
    known = await read_token(partner.api.journal, partner.party, named(request, "token_uid"))
    if _type_asked(request) not in (None, known.token.type):
        raise Unknown("token", known.token.uid)
    return _one(partner, tokens.token_json(known.token, known.heard_at))


@put(TOKEN, opt={"body": tokens.Token})
async def put_token(request: Asking) -> Response[bytes]:
    """Add or replace a token of the partner; it is no longer accepted once `valid` is false."""
    partner = _owner(request, "CPO", "tokens", "token_uid")
    heard = await _heard(tokens.Token, await json_body(request))
    receiving.same_id("uid", named(request, "token_uid"), heard.value.uid)
    if _type_asked(request) not in (None, heard.value.type):
        raise Refused(f"is {heard.value.type!r}, the URL says otherwise", "type")
    return _kept(request, await receiving.keep_token(partner.api.registry, partner.roaming, heard))


@patch(TOKEN)
async def patch_token(request: Asking) -> Response[bytes]:
    """Change some fields of a token."""
    partner = _owner(request, "CPO", "tokens", "token_uid")
    body, uid = await json_body(request), named(request, "token_uid")
    return _kept(request, await receiving.amend_token(partner.api.registry, partner.roaming, uid, body))


@get(PLACES, opt={"answer": locations.Location})
async def get_place(request: Asking) -> Response[bytes]:
    """A location, EVSE or connector as the partner said it."""
    partner, path = _place(request)
    kept = await read(partner.api.journal, partner.connection, "locations", path.location_id)
    return _one(partner, msgspec.json.encode(path.of(kept.content)))


@put(PLACES, opt={"body": locations.Location})
async def put_place(request: Asking) -> Response[bytes]:
    """Add or replace a location, an EVSE or a connector; what is above it must be known."""
    partner, path = _place(request)
    body = await json_body(request)
    if path.evse_uid:
        return _kept(request, await receiving.keep_part(partner.api.registry, partner.connection, path, body))
    return await _put(request, partner, "locations", path.location_id, locations.Location, body)


@patch(PLACES)
async def patch_place(request: Asking) -> Response[bytes]:
    """Change some fields of a location, an EVSE or a connector."""
    partner, path = _place(request)
    body = await json_body(request)
    if path.evse_uid:
        return _kept(request, await receiving.amend_part(partner.api.registry, partner.connection, path, body))
    return await _patch(request, partner, "locations", path.location_id, body)


@get(SESSION, opt={"answer": sessions.Session})
async def get_session(request: Asking) -> Response[bytes]:
    """A session as the partner said it."""
    return await _get(_owner(request, "EMSP", "sessions", "session_id"), "sessions", named(request, "session_id"))


@put(SESSION, opt={"body": sessions.Session})
async def put_session(request: Asking) -> Response[bytes]:
    """Add or replace a session. One that is COMPLETED changes no more."""
    partner = _owner(request, "EMSP", "sessions", "session_id")
    body = await json_body(request)
    return await _put(request, partner, "sessions", named(request, "session_id"), sessions.Session, body)


@patch(SESSION)
async def patch_session(request: Asking) -> Response[bytes]:
    """Change some fields of a session; `charging_periods` is replaced as a whole."""
    partner = _owner(request, "EMSP", "sessions", "session_id")
    return await _patch(request, partner, "sessions", named(request, "session_id"), await json_body(request))


@post("/2.1.1/cdrs", opt={"body": cdrs.Cdr})
async def post_cdr(request: Asking) -> Response[bytes]:
    """Keep a CDR; `Location` in the answer says where it can be read. Sent again it must be the same."""
    partner = enter_partner(request, "EMSP", "cdrs", "write")
    heard = await _heard(cdrs.Cdr, await json_body(request))
    outcome = await receiving.keep(partner.api.registry, partner.connection, "cdrs", heard)
    answer = _kept(request, outcome)
    answer.headers["Location"] = f"{ocpi_url(request, partner)}/2.1.1/cdrs/{cdr_name(heard.value.id)}"
    return answer


@get("/2.1.1/cdrs/{name:str}", opt={"answer": cdrs.Cdr})
async def get_cdr(request: Asking) -> Response[bytes]:
    """A CDR as the partner sent it."""
    partner = enter_partner(request, "EMSP", "cdrs", "write")
    return await _get(partner, "cdrs", cdr_id(named(request, "name")))


@get(TARIFF, opt={"answer": tariffs.Tariff})
async def get_tariff(request: Asking) -> Response[bytes]:
    """A tariff as the partner said it."""
    return await _get(_owner(request, "EMSP", "tariffs", "tariff_id"), "tariffs", named(request, "tariff_id"))


@put(TARIFF, opt={"body": tariffs.Tariff})
async def put_tariff(request: Asking) -> Response[bytes]:
    """Add or replace a tariff."""
    partner = _owner(request, "EMSP", "tariffs", "tariff_id")
    body = await json_body(request)
    return await _put(request, partner, "tariffs", named(request, "tariff_id"), tariffs.Tariff, body)


@patch(TARIFF)
async def patch_tariff(request: Asking) -> Response[bytes]:
    """Change some fields of a tariff."""
    partner = _owner(request, "EMSP", "tariffs", "tariff_id")
    return await _patch(request, partner, "tariffs", named(request, "tariff_id"), await json_body(request))


@delete(TARIFF, status_code=200)
async def delete_tariff(request: Asking) -> Response[bytes]:
    """Forget a tariff."""
    partner = _owner(request, "EMSP", "tariffs", "tariff_id")
    await drop(partner.api.registry, partner.connection, "tariffs", named(request, "tariff_id"))
    return said(request, codes.SUCCESS, "Success")


def cdr_name(cdr_id: str) -> str:
    """A CDR's id as the last segment of a path; one that would have to be escaped is written in Base64."""
    if _PLAIN.fullmatch(cdr_id):
        return cdr_id
    return "~" + urlsafe_b64encode(cdr_id.encode()).decode().rstrip("=")


def cdr_id(name: str) -> str:
    """The id that a segment stands for. Raises Unknown."""
    if not name.startswith("~"):
        return name
    try:
        return receiving.checked_id(urlsafe_b64decode(name[1:] + "=" * (-len(name[1:]) % 4)).decode())
    except (ValueError, Refused) as error:
        raise Unknown("CDR", name) from error


def _owner(request: Asking, role: str, module: str, id_name: str) -> Partner:
    """Let a partner write or read what is its own. Raises NotIn, NotThere, Suspended, Unknown."""
    partner = enter_partner(request, role, module, "write")
    if f"{named(request, 'country_code')}-{named(request, 'party_id')}".upper() != partner.party.upper():
        raise Unknown(ONE.get(module, "token"), named(request, id_name))
    return partner


def _place(request: Asking) -> tuple[Partner, receiving.PartPath]:
    names = ("location_id", "evse_uid", "connector_id")
    part = receiving.PartPath(*(named(request, name) for name in names if name in request.path_params))
    return _owner(request, "EMSP", "locations", "location_id"), part


def _type_asked(request: Asking) -> str | None:
    asked = query_of(request, TypeAsked).type
    if asked is not None and asked.upper() not in ("RFID", "OTHER"):
        raise BadParameter("type", "must be RFID or OTHER")
    return asked.upper() if asked else None


async def _get(partner: Partner, module: str, object_id: str) -> Response[bytes]:
    kept = await read(partner.api.journal, partner.connection, module, object_id)
    return _one(partner, msgspec.json.encode(kept.content))


async def _put(
    request: Asking, partner: Partner, module: str, object_id: str, kind: type[msgspec.Struct], body: bytes
) -> Response[bytes]:
    heard = await _heard(kind, body)
    receiving.same_id("id", object_id, heard.value.id)  # type: ignore[attr-defined]
    return _kept(request, await receiving.keep(partner.api.registry, partner.connection, module, heard))


async def _heard(kind: type[T], body: bytes) -> Heard[T]:
    """What was sent; a large object is read beside the loop, which must not be held up."""
    return await asyncio.to_thread(read_json, kind, body) if len(body) > LARGE else read_json(kind, body)


async def _patch(request: Asking, partner: Partner, module: str, object_id: str, body: bytes) -> Response[bytes]:
    return _kept(request, await receiving.amend(partner.api.registry, partner.connection, module, object_id, body))


def _kept(request: Asking, outcome: Outcome | TokenOutcome) -> Response[bytes]:
    """200 for what was there, 201 for what is new (2.1.1 transport_and_format, Response format)."""
    words = "Success; what is kept is newer and stays" if outcome.outdated else "Success"
    return said(request, codes.SUCCESS, words, status=201 if outcome.created else 200)


def _one(partner: Partner, data: bytes) -> Response[bytes]:
    return Response(of_object(data, moment(partner.api.now())), media_type=JSON)


CPO: list[Any] = [get_token, put_token, patch_token]
EMSP: list[Any] = [
    get_place,
    put_place,
    patch_place,
    get_session,
    put_session,
    patch_session,
    post_cdr,
    get_cdr,
    get_tariff,
    put_tariff,
    patch_tariff,
    delete_tariff,
]
