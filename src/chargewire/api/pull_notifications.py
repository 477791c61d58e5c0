"""`/api/1.0/chargestationnotifications`: the log of OCPP messages, of all stations and of one."""

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import FromPath
from msgspec import Meta, Struct

from chargewire.api.asking import EPOCH, bounded, query_of, whole, window_of
from chargewire.api.context import Asking
from chargewire.api.gate import Caller, enter
from chargewire.api.logs import Chunk, Place, chunk_size, unfold
from chargewire.api.paging import Crawl, PageSent
from chargewire.charging.notification import StationNotification
from chargewire.journal.memory import LogQuery, MessageRow
from chargewire.protocols.platform.notifications import CALL, CALL_RESULT, DIRECTIONS, Notification, logged_json

LEAST, MOST, MOST_OF_ONE = 10_000, 100_000, 100
OTHER_WAY = {"in": "out", "out": "in"}


class NotificationsQuery(Struct, frozen=True, kw_only=True):
    date_from: Annotated[str, Meta(description="`created` at or after this time")]
    date_to: Annotated[str, Meta(description="`created` before this time; at most 72 hours after date_from")]
    limit: Annotated[str, Meta(description="messages per page, 10000 to 100000")]
    offset: Annotated[str | None, Meta(description="messages to skip; better follow `Link`")] = None
    message_action: Annotated[str | None, Meta(description="OCPP action, e.g. StatusNotification")] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link`")] = None


class StationNotificationsQuery(Struct, frozen=True, kw_only=True):
    date_from: Annotated[str, Meta(description="`created` at or after this time")]
    date_to: Annotated[str, Meta(description="`created` before this time; at most 72 hours after date_from")]
    limit: Annotated[str, Meta(description="messages per page, at most 100")]
    message_action: Annotated[str | None, Meta(description="OCPP action, e.g. StatusNotification")] = None
    charge_station_notification_id: Annotated[str | None, Meta(description="OCPP message id")] = None
    message_type: Annotated[str | None, Meta(description="2: calls, 3: their answers")] = None
    direction: Annotated[str | None, Meta(description="ToGsop: from the station; ToChargePoint: to it")] = None
    level: Annotated[str | None, Meta(description="Info, Error")] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link`; also as continuationToken")] = None


class Wanted(Struct, frozen=True, kw_only=True):
    """Which messages are wanted; None = any."""

    message_id: str | None = None
    message_type: str | None = None
    direction: str | None = None
    level: str | None = None


@get("/chargestationnotifications", opt={"query": NotificationsQuery, "answer": list[Notification]})
async def list_notifications(request: Asking) -> PageSent:
    """Messages of all stations in scope and their answers, in both directions, in the order in which they were kept."""
    caller = enter(request, "notifications")
    asked = query_of(request, NotificationsQuery)
    start, end = window_of(asked.date_from, asked.date_to)
    limit = bounded(asked.limit, LEAST, MOST)
    skip = whole("offset", asked.offset, 0)
    names = ("date_from", "date_to", "message_action")
    crawl = Crawl(request, caller, {name: getattr(asked, name) for name in names})
    query = LogQuery(owners=(), heard_from=start, heard_to=end, action=asked.message_action or "", limit=chunk_size(limit))
    return await _answer(caller, crawl, query, Wanted(), asked.continuation_token, skip, limit)


@get("/chargestationnotifications/{station_id:str}", opt={"query": StationNotificationsQuery, "answer": list[Notification]})
async def list_notifications_of_station(request: Asking, station_id: FromPath[str]) -> PageSent:
    """The same of one station."""
    caller = enter(request, "notifications")
    asked = query_of(request, StationNotificationsQuery)
    start, end = window_of(asked.date_from, asked.date_to)
    limit = bounded(asked.limit, 1, MOST_OF_ONE)
    wanted = Wanted(
        message_id=asked.charge_station_notification_id,
        message_type=asked.message_type,
        direction=asked.direction.lower() if asked.direction else None,
        level=asked.level.lower() if asked.level else None,
    )
    crawl = Crawl(request, caller, {name: getattr(asked, name) for name in asked.__struct_fields__ if name in _FILTERS})
    query = LogQuery(
        owners=(),
        heard_from=start,
        heard_to=end,
        station=station_id,
        action=asked.message_action or "",
        limit=chunk_size(limit),
    )
    return await _answer(caller, crawl, query, wanted, asked.continuation_token, 0, limit)


_FILTERS = frozenset(StationNotificationsQuery.__struct_fields__) - {"limit", "continuation_token"}


async def _answer(
    caller: Caller, crawl: Crawl, query: LogQuery, wanted: Wanted, token: str | None, skip: int, limit: int
) -> PageSent:
    cursor = crawl.resume(token)
    place = msgspec.convert(cursor.after, Place) if cursor else Place()
    query = msgspec.structs.replace(query, after=tuple(place.after) if place.after else None, offset=place.rows)
    rows, following = await unfold(
        _chunks(caller, query), place, lambda row: _records(row, wanted), 0 if cursor else skip, limit
    )
    return crawl.page(rows, limit, msgspec.to_builtins(following), None)


def _records(row: MessageRow, wanted: Wanted) -> Iterable[bytes]:
    """The call and, if there is one, its answer, which goes the other way."""
    if wanted.message_id not in (None, row.message_id) or wanted.level not in (None, row.level.lower()):
        return
    for message_type, direction, payload in (
        (CALL, row.direction, row.call),
        (CALL_RESULT, OTHER_WAY[row.direction], row.answer),
    ):
        if not payload or wanted.message_type not in (None, message_type):
            continue
        if wanted.direction not in (None, DIRECTIONS[direction].lower()):
            continue
        yield logged_json(_notification(row, direction, payload), message_type, row.heard_at, row.part, row.seq)


def _notification(row: MessageRow, direction: str, payload: bytes) -> StationNotification:
    return StationNotification(
        id="",
        station_id=row.station,
        location_id=row.location,
        action=row.action,
        message_id=row.message_id,
        payload=payload.decode(errors="replace"),
        at=EPOCH + timedelta(microseconds=row.heard_at),
        evse_uid=row.evse,
        direction=direction,
        level=row.level,
    )


async def _chunks(caller: Caller, query: LogQuery) -> AsyncIterator[Chunk]:
    async for part in caller.api.views.messages(caller.scope, query):
        yield Chunk(part.rows, part.next)
