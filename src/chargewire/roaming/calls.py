"""Calls to a roaming partner: a request with our token, and the OCPI envelope that comes back.

A call is made once: OCPI wants nothing queued for later (2.1.1 transport_and_format, Offline behaviour). Redirects are not
followed, addresses are checked at each connection (`outgoing.guard`).
"""

import re
from base64 import b64encode
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Raw, Struct

import chargewire
from chargewire.outgoing.connection import Answer, Failure
from chargewire.outgoing.http import Client, Origin
from chargewire.protocols.ocpi.codes import is_success

_LINK = re.compile(r"<([^<>]*)>([^,]*)")
_LONGEST_TOTAL = 18  # digits


class PartnerError(Exception):
    """Base of what can be wrong with a partner's answer."""


class Unreachable(PartnerError):
    """There is no answer. `kind`: as `outgoing.connection.Failure`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Declined(PartnerError):
    """The partner answered, and it is no success. `code`: the OCPI status code, 0 if there was no envelope."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"HTTP {status}" + (f", OCPI {code}" if code else "") + (f": {message}" if message else ""))
        self.status = status
        self.code = code
        self.message = message


class Replied(Struct, frozen=True, kw_only=True):
    """A successful answer. `data` is JSON as it came, empty if there was none."""

    status: int
    code: int
    data: bytes = b""
    location: str = ""
    next_url: str = ""
    total: int | None = None


class _Envelope(Struct):
    status_code: int
    status_message: str | None = None
    data: Raw = Raw()


_SENDABLE = re.compile("[!-~]+")
_envelope = msgspec.json.Decoder(_Envelope, strict=False)


def authorization(token: str, encoding: str) -> str:
    """The header's value; raw in 2.1.1, though some partners want Base64 (transport_and_format, Authorization)."""
    return f"Token {b64encode(token.encode()).decode() if encoding == 'base64' else token}"


class PartnerCalls:
    """Makes the calls, over a client that bounds how large answers may be."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, method: str, url: str, token: str, *, encoding: str = "raw", body: bytes | None = None) -> Replied:
        """One exchange. Raises Unreachable, Declined."""
        answer = await self._exchange(method, url, token, encoding, body)
        try:
            envelope = _envelope.decode(answer.body) if answer.body else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            envelope = None
        if not 200 <= answer.status < 300 or envelope is None or not is_success(envelope.status_code):
            code = envelope.status_code if envelope else 0
            message = (envelope.status_message or "") if envelope else "no OCPI envelope" if answer.status < 300 else ""
            raise Declined(answer.status, code, without(message, token)[:500])
        return Replied(
            status=answer.status,
            code=envelope.status_code,
            data=bytes(envelope.data),
            location=answer.location,
            next_url=_next_url(answer.link, url),
            total=int(answer.total) if answer.total.isdecimal() and len(answer.total) <= _LONGEST_TOTAL else None,
        )

    async def _exchange(self, method: str, url: str, token: str, encoding: str, body: bytes | None) -> Answer:
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            parts, port = urlsplit(""), None
        tls = parts.scheme == "https"
        if parts.scheme not in ("http", "https") or not parts.hostname or not _SENDABLE.fullmatch(url):
            raise Unreachable("blocked", f"{url[:200]!r} is not a URL that is called")
        if parts.scheme == "http" and not self._client.allow_private:
            raise Unreachable("blocked", "only https is called")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"{method} {target} HTTP/1.1\r\n"
            f"Host: {parts.netloc.rpartition('@')[2]}\r\n"
            f"Authorization: {authorization(token, encoding)}\r\n"
            "Accept: application/json\r\n"
            f"User-Agent: chargewire/{chargewire.__version__}\r\n"
        )
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        origin = Origin(tls, parts.hostname, port or (443 if tls else 80))
        try:
            return await self._client.exchange(origin, head.encode("ascii") + b"\r\n" + (body or b""))
        except Failure as failure:
            raise Unreachable(failure.kind, failure.message) from failure


def without(message: str, *secrets: str) -> str:
    """What a partner says, without the tokens that it repeats: messages are shown and kept."""
    for secret in filter(None, secrets):
        for written in (secret, b64encode(secret.encode()).decode()):
            message = message.replace(written, "…")
    return message


def _next_url(link: str, base: str) -> str:
    """The URL of `<…>; rel="next"` (RFC 8288); "" if there is none."""
    for target, parameters in _LINK.findall(link):
        if "next" in parameters.replace('"', "").lower():
            try:
                return str(urljoin(base, target))
            except ValueError:
                return str(target)  # whoever follows it says that it is none
    return ""
