"""Errors as OCPI 2.1.1 answers them: its envelope on every answer, and a real HTTP status beside the OCPI code.

What is wrong with an understandable request on something that exists is HTTP 200 with a code of 2xxx (status_codes); what is
no JSON is 400, nobody 401, nothing there 404, the wrong verb 405. A memory that is away is 503: nothing has been kept.
"""

from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from chargewire.api.context import Asking, api_of
from chargewire.api.faults import JSON, RETRY_AFTER_S, BadParameter, NotIn, NotThere, Suspended
from chargewire.api.gate import bearer, decoded
from chargewire.charging.errors import ChargingError, MemoryUnavailable, Refused, Unknown
from chargewire.journal.memory import LostRace, Unstorable
from chargewire.log import trouble
from chargewire.protocols.ocpi import codes
from chargewire.protocols.ocpi.moments import moment


class NotJson(Exception):
    """The body is no JSON at all."""


class WrongState(Exception):
    """The verb is not for now: to register twice, to unregister a stranger (2.1.1 credentials: HTTP 405)."""


class Handshake(Exception):
    """A registration that cannot be: `code` is 3001, 3002 or 3003."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer without rendered data (2.1.1 transport_and_format, Response format)."""

    status_code: int
    status_message: str
    timestamp: str


def ocpi_fault(request: Asking, error: Exception) -> Response[bytes]:
    """An error in OCPI's envelope."""
    status, code, message, headers = _answer_to(error)
    if status == 500:
        trouble("request.failed", cause=error, path=request.scope["path"])
    return said(request, code, message, status=status, headers=headers)


def unrouted_fault(request: Asking, error: Exception) -> Response[bytes]:
    """The same where no handler was found: a stranger learns nothing of what there is."""
    token, directory = bearer(request), api_of(request).directory
    known = directory.partner_by_token(token) or directory.partner_by_token(decoded(token))
    return ocpi_fault(request, error if known else NotIn())


def said(
    request: Asking, code: int, message: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """An answer that has nothing but a code and words."""
    envelope = Said(status_code=code, status_message=message, timestamp=moment(api_of(request).now()))
    body: Any = msgspec.json.encode(envelope)
    return Response(body, status_code=status, media_type=JSON, headers=headers or {})


async def json_body(request: Asking) -> bytes:
    """The body of a request, once it is sure to be JSON. Raises NotJson."""
    body = await request.body()
    try:
        body.decode()  # what is skipped over by the next line need not be text
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NotJson from error
    return body


def _answer_to(error: Exception) -> tuple[int, int, str, dict[str, str]]:
    match error:
        case BadParameter() | Refused():
            return 200, codes.INVALID_PARAMETERS, str(error), {}
        case NotJson():
            return 400, codes.INVALID_PARAMETERS, "the body is no JSON", {}
        case NotIn():
            return 401, codes.CLIENT_ERROR, "Authorization: Token … is missing or not known", {"WWW-Authenticate": "Token"}
        case Suspended():
            return 403, codes.CLIENT_ERROR, "the connection is suspended", {}
        case NotThere():
            return 404, codes.CLIENT_ERROR, "no such module on this connection", {}
        case Unknown():
            return 404, codes.UNKNOWN_LOCATION if error.what == "location" else codes.CLIENT_ERROR, str(error), {}
        case WrongState():
            return 405, codes.CLIENT_ERROR, str(error), {}
        case Handshake():
            return 200, error.code, str(error), {}
        case Unstorable():
            return 200, codes.INVALID_PARAMETERS, "holds what cannot be kept", {}
        case MemoryUnavailable() | LostRace():
            return 503, codes.SERVER_ERROR, "cannot be read or kept at the moment", {"Retry-After": RETRY_AFTER_S}
        case HTTPException() if error.status_code < 500:
            return error.status_code, codes.CLIENT_ERROR, error.detail, error.headers or {}
        case ChargingError():
            return 200, codes.CLIENT_ERROR, str(error), {}
        case _:
            return 500, codes.SERVER_ERROR, "something went wrong on our side", {}
