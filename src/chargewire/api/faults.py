"""What can be wrong with a request, and what each side answers: the Platform API in its envelope, the rest as RFC 9457."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException

from chargewire.api.context import Asking, api_of
from chargewire.charging.errors import AlreadyDone, ChargingError, MemoryUnavailable, Refused, StationOffline, Unknown
from chargewire.journal.memory import LostRace, NameTaken
from chargewire.log import trouble
from chargewire.protocols.platform.envelope import (
    BAD_PARAMETER,
    CLIENT_ERROR,
    SERVER_ERROR,
    UNKNOWN_LOCATION,
    of_error,
)
from chargewire.protocols.platform.moments import moment

JSON = "application/json"
PROBLEM = "application/problem+json"
RETRY_AFTER_S = "5"


class BadParameter(Exception):
    """A query parameter is missing or makes no sense."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class NotIn(Exception):
    """No token, or one that nobody has."""


class Suspended(Exception):
    """The token is good, its subscription is not live."""


class NotThere(Exception):
    """No such module, or none that the caller has been granted."""


def pull_fault(request: Asking, error: Exception) -> Response[bytes]:
    """An error in the Platform API's envelope."""
    status, code, message, headers = _pull_answer(error)
    if status == 500:
        trouble("request.failed", cause=error, path=request.scope["path"])
    body = of_error(code, message, moment(api_of(request).now()))
    return Response(body, status_code=status, media_type=JSON, headers=headers)


def _pull_answer(error: Exception) -> tuple[int, int, str, dict[str, str]]:
    match error:
        case BadParameter():
            return 200, BAD_PARAMETER, str(error), {}
        case NotIn():
            return 401, CLIENT_ERROR, "Authorization: Token … is missing or not known", {"WWW-Authenticate": "Token"}
        case Suspended():
            return 403, CLIENT_ERROR, "the subscription is not live", {}
        case NotThere():
            return 404, CLIENT_ERROR, "no such module for this subscription", {}
        case Unknown():
            return 404, UNKNOWN_LOCATION if error.what == "location" else CLIENT_ERROR, str(error), {}
        case MemoryUnavailable():
            return 503, SERVER_ERROR, "cannot be read at the moment", {"Retry-After": RETRY_AFTER_S}
        case HTTPException() if error.status_code < 500:
            return error.status_code, CLIENT_ERROR, error.detail, error.headers or {}
        case _:
            return 500, SERVER_ERROR, "something went wrong on our side", {}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `field` is the path of the field that is wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None


def admin_fault(request: Asking, error: Exception) -> Response[bytes]:
    """An error as problem details."""
    status, title, headers = _admin_answer(error)
    field = error.field if isinstance(error, Refused) else error.name if isinstance(error, BadParameter) else None
    detail = str(error) or title
    if isinstance(error, HTTPException):
        detail = error.detail
    if status == 500:
        trouble("request.failed", cause=error, path=request.scope["path"])
        detail = "something went wrong on our side"
    return problem(Problem(title=title, status=status, detail=detail, field=field), headers)


def _admin_answer(error: Exception) -> tuple[int, str, dict[str, str]]:
    match error:
        case NotIn():
            return 401, "Not logged in", {"WWW-Authenticate": "Token"}
        case Refused():
            return 422, "Refused", {}
        case BadParameter():
            return 400, "Bad parameter", {}
        case Unknown() | NotThere():
            return 404, "Not found", {}
        case StationOffline():
            return 409, "Station offline", {}
        case AlreadyDone():
            return 409, "Already done", {}
        case LostRace() | NameTaken():
            return 409, "Conflict", {}
        case MemoryUnavailable():
            return 503, "Cannot be kept at the moment", {"Retry-After": RETRY_AFTER_S}
        case HTTPException() if error.status_code < 500:
            return error.status_code, HTTPStatus(error.status_code).phrase, error.headers or {}
        case ChargingError():
            return 422, "Refused", {}
        case _:
            return 500, "Internal error", {}


def problem(given: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Problem details as an answer."""
    body: Any = msgspec.json.encode(msgspec.structs.replace(given, type="about:blank"))
    return Response(body, status_code=given.status, media_type=PROBLEM, headers=headers or {})
