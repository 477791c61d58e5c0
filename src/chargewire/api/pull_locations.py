"""`/api/1.0/locations`: places with their EVSEs and connectors, as a list and each alone."""

from typing import Annotated

from litestar import Response, get
from litestar.params import FromPath
from msgspec import Meta, Struct
from msgspec.structs import replace

from chargewire.api.asking import capped, micros, query_of, whole
from chargewire.api.context import Api, Asking
from chargewire.api.faults import JSON
from chargewire.api.gate import enter
from chargewire.api.paging import Crawl, PageSent
from chargewire.charging.location import Status
from chargewire.csms.seen import SeenPlace, Window
from chargewire.csms.turns import Turns
from chargewire.protocols.platform import places
from chargewire.protocols.platform.envelope import of_object
from chargewire.protocols.platform.moments import moment

LIMIT = 1000


class LocationsQuery(Struct, frozen=True, kw_only=True):
    date_from: Annotated[str | None, Meta(description="`last_updated` of it or anything in it, at or after this time")] = None
    date_to: Annotated[str | None, Meta(description="`last_updated` before this time")] = None
    limit: Annotated[str | None, Meta(description="locations per page, 1000 if not given, at most 1000")] = None
    offset: Annotated[str | None, Meta(description="locations to skip; better follow `Link`")] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link`")] = None


@get("/locations", opt={"query": LocationsQuery, "answer": list[places.Location]})
async def list_locations(request: Asking) -> PageSent:
    """All locations in scope that have an EVSE, published or not; oldest first."""
    caller = enter(request, "locations")
    asked = query_of(request, LocationsQuery)
    crawl = Crawl(request, caller, {"date_from": asked.date_from, "date_to": asked.date_to})
    cursor = crawl.resume(asked.continuation_token)
    window = Window(
        updated_from=micros("date_from", asked.date_from),
        updated_to=micros("date_to", asked.date_to),
        offset=whole("offset", asked.offset, 0),
        limit=capped(asked.limit, LIMIT, LIMIT),
        after=tuple(cursor.after) if cursor and cursor.after else None,
    )
    views = caller.api.views
    total = cursor.total if cursor else await views.count_locations(caller.scope, window)
    window = replace(window, known_total=None if cursor else total)
    part = await views.locations(caller.scope, window)
    rows, turns = [], Turns()
    for place in part.rows:
        rows.append(rendered(place))
        await turns.give()
    return crawl.page(rows, window.limit, part.next, total)


@get("/locations/{location_id:str}", opt={"answer": places.Location})
async def get_location(request: Asking, location_id: FromPath[str]) -> Response[bytes]:
    """One location."""
    caller = enter(request, "locations")
    return _one(caller.api, rendered(await caller.api.views.location(caller.scope, location_id)))


@get("/locations/{location_id:str}/{evse_uid:str}", opt={"answer": places.Evse})
async def get_evse(request: Asking, location_id: FromPath[str], evse_uid: FromPath[str]) -> Response[bytes]:
    """One EVSE of a location."""
    caller = enter(request, "locations")
    place = await caller.api.views.location(caller.scope, location_id)
    seen = place.evse(evse_uid)
    gone = seen.evse.location_id != place.location.id
    rendered_evse = places.evse_json(seen.evse, seen.last_updated, status=Status.REMOVED if gone else None)
    return _one(caller.api, rendered_evse)


@get("/locations/{location_id:str}/{evse_uid:str}/{connector_id:str}", opt={"answer": places.Connector})
async def get_connector(
    request: Asking, location_id: FromPath[str], evse_uid: FromPath[str], connector_id: FromPath[str]
) -> Response[bytes]:
    """One connector of an EVSE."""
    caller = enter(request, "locations")
    place = await caller.api.views.location(caller.scope, location_id)
    return _one(caller.api, places.connector_json(*place.connector(evse_uid, connector_id)))


def rendered(place: SeenPlace) -> bytes:
    """A location as JSON."""
    evses = (places.StampedEvse(seen.evse, seen.last_updated) for seen in place.evses)
    return places.location_json(place.location, evses, place.last_updated)


def _one(api: Api, data: bytes) -> Response[bytes]:
    return Response(of_object(data, moment(api.now())), media_type=JSON)
