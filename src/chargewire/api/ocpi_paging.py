"""Lists as OCPI 2.1.1 pages them (transport_and_format, Pagination).

Oldest creation first, so that pages do not shift while they are crawled; what is new is added at the end, and `X-Total-Count`
grows. `Link` keeps the filters and names the next offset. Beside it stands a sealed cursor, which makes a large offset cheap
and loses nothing when objects fall out of a filter meanwhile; whoever counts offsets by himself gets the same pages.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from chargewire.api.asking import capped, micros, query_of, whole
from chargewire.api.context import Asking
from chargewire.api.gate import Partner
from chargewire.api.paging import TOKEN, PageSent, next_url
from chargewire.csms.seen import Part, Window
from chargewire.csms.turns import Turns
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.platform.envelope import of_list
from chargewire.sharing.keys import Unsealable
from chargewire.sharing.scope import Scope

DEFAULT_LIMIT, MOST = 100, 1000

Walk = Callable[[Scope, Window], Awaitable[Part]]
Count = Callable[[Scope, Window], Awaitable[int]]


class ListAsked(Struct, frozen=True, kw_only=True):
    """What every list takes. What is not named here is not looked at."""

    date_from: Annotated[str | None, Meta(description="`last_updated` at or after this time")] = None
    date_to: Annotated[str | None, Meta(description="`last_updated` before this time")] = None
    offset: Annotated[str | None, Meta(description="objects to skip, 0 if not given")] = None
    limit: Annotated[str | None, Meta(description="objects per page, 100 if not given, at most 1000")] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link`")] = None


class SinceAsked(ListAsked, frozen=True, kw_only=True):
    """The same for sessions, of which 2.1.1 wants `date_from` (mod_sessions, CPO GET)."""

    date_from: Annotated[str, Meta(description="`last_updated` at or after this time")]


class Place(Struct, frozen=True, array_like=True):
    """Where a crawl is: `after` as the journal walks, and the offset that it stands for."""

    after: list[Any]
    offset: int


async def answer_list(
    request: Asking,
    partner: Partner,
    count: Count,
    walk: Walk,
    rendered: Callable[[Any], bytes],
    shape: type[ListAsked] = ListAsked,
) -> PageSent:
    """One page. Raises BadParameter."""
    asked = query_of(request, shape)
    window = Window(
        updated_from=micros("date_from", asked.date_from),
        updated_to=micros("date_to", asked.date_to),
        offset=whole("offset", asked.offset, 0),
        limit=capped(asked.limit, DEFAULT_LIMIT, MOST),
    )
    total = await count(partner.scope, window)
    window = replace(window, known_total=total)
    context = msgspec.json.encode([partner.connection.id, request.scope["path"], asked.date_from, asked.date_to]).decode()
    place = _place(partner, asked.continuation_token, context)
    begun = window.offset
    if place is not None and place.offset == begun:
        window = replace(window, after=tuple(place.after), offset=0)
    part = await walk(partner.scope, window)
    rows, turns = [], Turns()
    for each in part.rows:
        rows.append(rendered(each))
        await turns.give()
    headers = [(b"x-total-count", str(total).encode()), (b"x-limit", str(window.limit).encode())]
    if part.next is not None:
        following = Place(part.next, begun + len(rows))
        sealed = partner.api.keys.seal(msgspec.json.encode(following).decode(), context)
        url = next_url(
            request,
            partner.api.settings.public_url,
            {"offset": following.offset, "limit": window.limit, TOKEN: sealed},
        )
        headers.append((b"link", f'<{url}>; rel="next"'.encode("latin-1")))
    return PageSent(of_list(rows, moment(partner.api.now())), headers)


def _place(partner: Partner, token: str | None, context: str) -> Place | None:
    """The place of a cursor; None if there is none, or if it is of another list, where the offset alone counts."""
    if not token:
        return None
    try:
        return msgspec.json.decode(partner.api.keys.open(token, context), type=Place)
    except Unsealable:
        return None
