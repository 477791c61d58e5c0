"""`/api/1.0/sessions`: finished sessions with their totals; running ones and their intervals for those who ask."""

from typing import Annotated

import msgspec
from litestar import get
from msgspec import Meta, Struct
from msgspec.structs import replace

from chargewire.api.asking import capped, micros, query_of, whole, words
from chargewire.api.context import Asking
from chargewire.api.gate import enter
from chargewire.api.paging import Crawl, PageSent
from chargewire.charging.session import Session, SessionStatus
from chargewire.csms.seen import Window
from chargewire.csms.turns import Turns
from chargewire.journal.memory import Stored
from chargewire.protocols.platform import sessions as platform

DEFAULT_LIMIT, MOST = 100, 1000
_session = msgspec.json.Decoder(Session)


class SessionsQuery(Struct, frozen=True, kw_only=True):
    date_from: Annotated[str, Meta(description="`last_updated` at or after this time, e.g. 2026-11-24T06:00:00Z")]
    date_to: Annotated[str | None, Meta(description="`last_updated` before this time")] = None
    limit: Annotated[str | None, Meta(description="sessions per page, 100 if not given, at most 1000")] = None
    offset: Annotated[str | None, Meta(description="sessions to skip; better follow `Link`")] = None
    status: Annotated[
        str | None, Meta(description="ACTIVE, COMPLETED, INVALID, PENDING, several with commas; gives charging periods too")
    ] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link`")] = None


@get("/sessions", opt={"query": SessionsQuery, "answer": list[platform.Session]})
async def list_sessions(request: Asking) -> PageSent:
    """Sessions, oldest first.

    COMPLETED ones with their totals; with `status`, or for a subscription with the extended profile, in every status that
    is asked for and with their charging periods.
    """
    caller = enter(request, "sessions")
    asked = query_of(request, SessionsQuery)
    states = words("status", asked.status, [status.value for status in SessionStatus])
    detailed = bool(states) or caller.scope.extended
    if not detailed:
        states = (SessionStatus.COMPLETED.value,)
    crawl = Crawl(request, caller, {"date_from": asked.date_from, "date_to": asked.date_to, "status": asked.status})
    cursor = crawl.resume(asked.continuation_token)
    window = Window(
        updated_from=micros("date_from", asked.date_from),
        updated_to=micros("date_to", asked.date_to),
        offset=whole("offset", asked.offset, 0),
        limit=capped(asked.limit, DEFAULT_LIMIT, MOST),
        after=tuple(cursor.after) if cursor and cursor.after else None,
    )
    views, scope = caller.api.views, caller.scope
    total = cursor.total if cursor else await views.count_sessions(scope, window, states)
    window = replace(window, known_total=None if cursor else total)
    if detailed:
        part = await views.sessions(scope, window, states)
        rows = await _rendered(part.rows)
    else:
        part = await views.session_pages(scope, window, states)
        rows = part.rows
    return crawl.page(rows, window.limit, part.next, total)


async def _rendered(stored: list[Stored]) -> list[bytes]:
    rows, turns = [], Turns()
    for each in stored:
        rows.append(platform.session_json(_session.decode(each.body), each.last_updated))
        await turns.give()
    return rows
