"""Pages and how to get the next one: a `Link` with a sealed cursor that belongs to one subscription and one list.

The cursor holds where to go on and the total that was counted at the first page, so that a crawl counts once. It opens only
for the same subscription, path and filters.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from chargewire.api.context import Asking
from chargewire.api.faults import BadParameter
from chargewire.api.gate import Caller
from chargewire.protocols.platform.envelope import of_list
from chargewire.protocols.platform.moments import moment, stamped
from chargewire.sharing.keys import Unsealable

TOKEN = "continuation_token"  # noqa: S105  (the name of the parameter)
_REPLACED = (b"limit=", b"offset=", b"continuation_token=", b"continuationtoken=")


class PageSent(ASGIResponse):
    """A page as bytes; goes out without being looked at again, which is a third of the time that a page takes."""

    def __init__(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.body = body
        self.status_code = 200
        self._sent = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._sent})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Cursor(Struct, frozen=True, array_like=True):
    """Where a crawl is."""

    after: list[Any] | None
    total: int | None = None


class Crawl:
    """One list as one subscription asks for it. `filters`: every parameter that decides what is in it."""

    def __init__(self, request: Asking, caller: Caller, filters: Mapping[str, str | int | None]) -> None:
        self._request = request
        self._caller = caller
        given = [(name, str(value)) for name, value in filters.items() if value not in (None, "")]
        self._context = msgspec.json.encode([caller.scope.subscription_id, request.scope["path"], given]).decode()

    def resume(self, token: str | None) -> Cursor | None:
        """The cursor of a token; None without one. Raises BadParameter for one that is not of this crawl."""
        if not token:
            return None
        try:
            text = self._caller.api.keys.open(token, self._context)
        except Unsealable as error:
            raise BadParameter(TOKEN, "does not belong to this list") from error
        return msgspec.json.decode(text, type=Cursor)

    def page(self, rows: list[bytes], limit: int, after: list[Any] | None, total: int | None) -> PageSent:
        """A page with the headers that tell how to go on; `after` None: it is the last."""
        api = self._caller.api
        headers = [
            (b"x-limit", str(limit).encode()),
            (b"x-complete-until", stamped(api.views.complete_until()).encode()),
        ]
        if total is not None:
            headers.append((b"x-total-count", str(total).encode()))
        if after is not None:
            headers.append((b"link", f'<{self._next(limit, Cursor(after, total))}>; rel="next"'.encode("latin-1")))
        return PageSent(of_list(rows, moment(api.now())), headers)

    def _next(self, limit: int, cursor: Cursor) -> str:
        sealed = self._caller.api.keys.seal(msgspec.json.encode(cursor).decode(), self._context)
        return next_url(self._request, self._caller.api.settings.public_url, {"limit": limit, TOKEN: sealed})


def next_url(request: Asking, public_url: str | None, place: Mapping[str, int | str]) -> str:
    """The same query as it was sent, at another place."""
    asked = request.scope["query_string"].split(b"&")
    kept = [part.decode("latin-1") for part in asked if part and not part.lower().startswith(_REPLACED)]
    query = "&".join([*kept, *(f"{name}={value}" for name, value in place.items())])
    return f"{base_url(request, public_url)}{quote(request.scope['path'])}?{query}"


def base_url(request: Asking, public_url: str | None) -> str:
    """Where the caller reaches us, without a slash at the end."""
    return public_url.rstrip("/") if public_url else f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"
