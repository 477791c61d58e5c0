"""Pages and how to get the next one: a `Link` with a sealed cursor that belongs to one subscription and one list.

The cursor holds where to go on and the total that was counted at the first page, so that a crawl counts once. It opens only
for the same subscription, path and filters.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from litestar import Response
from msgspec import Struct

from chargewire.api.context import Asking
from chargewire.api.faults import JSON, BadParameter
from chargewire.api.gate import Caller
from chargewire.protocols.platform.envelope import of_list
from chargewire.protocols.platform.moments import moment, stamped
from chargewire.sharing.keys import Unsealable

TOKEN = "continuation_token"  # noqa: S105  (the name of the parameter)


class Cursor(Struct, frozen=True, array_like=True):
    """Where a crawl is."""

    after: list[Any] | None
    total: int | None = None


class Crawl:
    """One list as one subscription asks for it. `filters`: every parameter that decides what is in it."""

    def __init__(self, request: Asking, caller: Caller, filters: Mapping[str, str | int | None]) -> None:
        self._request = request
        self._caller = caller
        self._filters = {name: str(value) for name, value in filters.items() if value not in (None, "")}

    def resume(self, token: str | None) -> Cursor | None:
        """The cursor of a token; None without one. Raises BadParameter for one that is not of this crawl."""
        if not token:
            return None
        try:
            text = self._caller.api.keys.open(token, self._context())
        except Unsealable as error:
            raise BadParameter(TOKEN, "does not belong to this list") from error
        return msgspec.json.decode(text, type=Cursor)

    def page(self, rows: list[bytes], limit: int, after: list[Any] | None, total: int | None) -> Response[bytes]:
        """A page with the headers that tell how to go on; `after` None: it is the last."""
        api = self._caller.api
        headers = {"X-Limit": str(limit), "X-Complete-Until": stamped(api.views.complete_until())}
        if total is not None:
            headers["X-Total-Count"] = str(total)
        if after is not None:
            headers["Link"] = f'<{self._next(limit, Cursor(after, total))}>; rel="next"'
        return Response(of_list(rows, moment(api.now())), media_type=JSON, headers=headers)

    def _next(self, limit: int, cursor: Cursor) -> str:
        sealed = self._caller.api.keys.seal(msgspec.json.encode(cursor).decode(), self._context())
        query = urlencode({**self._filters, "limit": limit, TOKEN: sealed}, quote_via=quote, safe=":")
        return f"{base_url(self._request, self._caller.api.settings.public_url)}{self._request.scope['path']}?{query}"

    def _context(self) -> str:
        filters = sorted(self._filters.items())
        return msgspec.json.encode([self._caller.scope.subscription_id, self._request.scope["path"], filters]).decode()


def base_url(request: Asking, public_url: str | None) -> str:
    """Where the caller reaches us, without a slash at the end."""
    return public_url.rstrip("/") if public_url else f"{request.scope['scheme']}://{request.headers.get('host', 'localhost')}"
