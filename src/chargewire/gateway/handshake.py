"""Who knocks, and whether it is let in: the HTTP request of a WebSocket handshake, and what follows. No I/O but the desk's.

OCPP-J 1.6 §3 and its errata; security whitepaper ed. 2 §3 (profile 1: HTTP Basic).
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from chargewire.csms.port import Admission, StationDesk
from chargewire.protocols.ocpp.dialect import Dialect

PREFIX = b"/ocpp/"
LONGEST_IDENTITY = 128  # characters; OCPP 2.0.1 allows 48, 1.6 sets no limit
CheckPassword = Callable[[str, bytes], bool]
"""Whether a password belongs to a hash of `Station.password_hash`, in constant time."""


class Refused(Exception):
    """The handshake ends with this HTTP status; `reason` is for our metrics and log, never for the other side."""

    def __init__(self, status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status.value} {reason}")
        self.status = status
        self.reason = reason
        self.headers = headers or {}


class Knock(Struct, frozen=True):
    """A handshake request that makes sense."""

    identity: str
    key: str  # Sec-WebSocket-Key
    offered: tuple[str, ...] = ()  # sub-protocols in the station's order
    user: bytes | None = None
    password: bytes = b""
    forwarded_for: str = ""  # the peer of the proxy in between, if there is one and it says so


class Entry(Struct, frozen=True):
    """A station that may come in. `dialect` is None if there is no common one: then the handshake is completed without
    naming one and the connection closed (OCPP-J 1.6 §3.2). `named` is the sub-protocol to answer with, as it was written."""

    admission: Admission
    key: str
    dialect: Dialect | None
    named: str | None = None
    forwarded_for: str = ""


def read_knock(head: bytes) -> Knock:
    """Read an HTTP request head (without the empty line). Raises Refused.

    Headers that some stations leave out (Upgrade, Connection, the version: Grizzl-E, lbbrhzn #442) are not insisted on; the
    key is, for there is no answer without it.
    """
    request, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = request.partition(" ")
    target, _, version = rest.rpartition(" ")
    if not version.startswith("HTTP/1."):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-http")
    if method != "GET":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method", {"Allow": "GET"})
    headers = _headers(lines)
    identity = _identity(target.encode("latin-1"))
    if headers.get("sec-websocket-version", "13") != "13":
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, "websocket-version", {"Sec-WebSocket-Version": "13"})
    key = headers.get("sec-websocket-key", "")
    if not _is_key(key):
        raise Refused(HTTPStatus.UPGRADE_REQUIRED, "no-websocket", {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    offered = tuple(name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip())
    user, password = _credentials(headers.get("authorization"))
    forwarded_for = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return Knock(identity, key, offered, user, password, forwarded_for)


class Rules(Struct, frozen=True, kw_only=True):
    """What a station needs to be let in. `dialects` in our order of preference; `unnamed` is spoken with stations that name
    no sub-protocol (None: they are refused)."""

    dialects: tuple[Dialect, ...]
    check_password: CheckPassword
    allow_open: bool = True
    unnamed: str | None = "ocpp1.6"


async def let_in(knock: Knock, desk: StationDesk, rules: Rules) -> Entry:
    """What a knock leads to. Raises Refused, and what the desk raises."""
    admission = await desk.admit(knock.identity)
    if admission is None:
        raise Refused(HTTPStatus.NOT_FOUND, "unknown-station")
    _authenticate(knock, admission, rules)
    dialect, named = _negotiate(knock, admission, rules)
    return Entry(admission, knock.key, dialect, named, knock.forwarded_for)


def _authenticate(knock: Knock, admission: Admission, rules: Rules) -> None:
    """Raises Refused with 401. A station without password needs none, unless open stations are not allowed."""
    if admission.password_hash is None:
        if not rules.allow_open:
            raise _unauthorized("open-station")
        return
    if knock.user is None:
        raise _unauthorized("no-password")
    same_user = any(
        hmac.compare_digest(knock.user, name.encode()) for name in (knock.identity, admission.station_id)
    )  # the user is the identity of the URL, un-encoded
    known = [rules.check_password(admission.password_hash, form) for form in password_forms(knock.password)]
    if not (same_user and any(known)):
        raise _unauthorized("wrong-password")


def password_forms(sent: bytes) -> list[bytes]:
    """A key may have been set as hex digits and come as bytes, or the other way round (1.6 AuthorizationKey)."""
    forms = [sent, sent.hex().encode(), sent.hex().upper().encode()]
    with suppress(ValueError):
        forms.append(bytes.fromhex(sent.decode("ascii")))
    return forms


def _negotiate(knock: Knock, admission: Admission, rules: Rules) -> tuple[Dialect | None, str | None]:
    """The dialect to speak, and the offered name of it."""
    if not knock.offered:
        if not admission.known:
            return None, None
        return next((dialect for dialect in rules.dialects if dialect.subprotocol == rules.unnamed), None), None
    for dialect in rules.dialects:
        for name in knock.offered:
            if name.lower() == dialect.subprotocol:
                return dialect, name
    return None, None


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Refused(HTTPStatus.BAD_REQUEST, "header")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _identity(target: bytes) -> str:
    """The last segment of the path, percent-decoded. A path without identity, or with another beginning, is not found."""
    path = target.partition(b"?")[0]
    segment = path[len(PREFIX) :]
    if path[: len(PREFIX)].lower() != PREFIX or not segment or b"/" in segment:
        raise Refused(HTTPStatus.NOT_FOUND, "path")
    try:
        identity = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.NOT_FOUND, "identity") from None
    if len(identity) > LONGEST_IDENTITY or not identity.isprintable() or not identity.strip():
        raise Refused(HTTPStatus.NOT_FOUND, "identity")
    return identity


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _credentials(header: str | None) -> tuple[bytes | None, bytes]:
    """User and password of HTTP Basic: raw bytes, which need not be text and may hold colons."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None, b""
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None, b""
    return (user, password) if colon else (None, b"")


def _unauthorized(reason: str) -> Refused:
    return Refused(HTTPStatus.UNAUTHORIZED, reason, {"WWW-Authenticate": 'Basic realm="ocpp", charset="UTF-8"'})
