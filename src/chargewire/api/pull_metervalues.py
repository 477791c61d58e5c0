"""`/api/1.0/metervalues`: what was measured, one record per value."""

from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import msgspec
from litestar import get
from msgspec import Meta, Struct

from chargewire.api.asking import bounded, query_of, whole, window_of
from chargewire.api.context import Asking
from chargewire.api.faults import BadParameter
from chargewire.api.gate import Caller, enter
from chargewire.api.logs import Chunk, Place, chunk_size, unfold
from chargewire.api.paging import Crawl, PageSent
from chargewire.charging.reading import Reading
from chargewire.journal.memory import LogQuery, ReadingRow
from chargewire.protocols.platform.metervalues import EVSE_METER, STATION_METER, Filter, MeterValue, Source
from chargewire.protocols.platform.metervalues import records as records_of

LEAST, MOST = 10_000, 100_000
METERS = {"0": STATION_METER, "1": EVSE_METER, "S0": STATION_METER, "EVSE": EVSE_METER}
_readings = msgspec.json.Decoder(tuple[Reading, ...])


class MeterValuesQuery(Struct, frozen=True, kw_only=True):
    date_from: Annotated[str, Meta(description="`created` at or after this time")]
    date_to: Annotated[str, Meta(description="`created` before this time; at most 72 hours after date_from")]
    limit: Annotated[str, Meta(description="values per page, 10000 to 100000")]
    offset: Annotated[str | None, Meta(description="values to skip; better follow `Link`")] = None
    phase: Annotated[str | None, Meta(description="None, L1, L2, L3 …")] = None
    measurand: Annotated[str | None, Meta(description="with or without dots, e.g. EnergyActiveImportRegister")] = None
    context: Annotated[str | None, Meta(description="with or without dots, e.g. SamplePeriodic")] = None
    unit: Annotated[str | None, Meta(description="Wh, kWh, W, A …")] = None
    meter_type: Annotated[str | None, Meta(description="0: the station's own meter; 1: those of its EVSEs")] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link`")] = None


@get("/metervalues", opt={"query": MeterValuesQuery, "answer": list[MeterValue]})
async def list_metervalues(request: Asking) -> PageSent:
    """Meter values in the order in which they came."""
    caller = enter(request, "metervalues")
    asked = query_of(request, MeterValuesQuery)
    start, end = window_of(asked.date_from, asked.date_to)
    limit = bounded(asked.limit, LEAST, MOST)
    if asked.meter_type and asked.meter_type.upper() not in METERS:
        raise BadParameter("meter_type", "must be 0 or 1")
    wanted = Filter(
        phase=asked.phase,
        measurand=asked.measurand,
        context=asked.context,
        unit=asked.unit,
        meter_type=METERS[asked.meter_type.upper()] if asked.meter_type else None,
    )
    names = ("date_from", "date_to", "phase", "measurand", "context", "unit", "meter_type")
    crawl = Crawl(request, caller, {name: getattr(asked, name) for name in names})
    cursor = crawl.resume(asked.continuation_token)
    place = msgspec.convert(cursor.after, Place) if cursor else Place()
    query = LogQuery(
        owners=(),
        heard_from=start,
        heard_to=end,
        after=tuple(place.after) if place.after else None,
        offset=place.rows,
        limit=chunk_size(limit),
    )
    homes: dict[str, str] = {}
    rows, following = await unfold(
        _chunks(caller, query, homes),
        place,
        _Unfolding(homes, wanted),
        0 if cursor else whole("offset", asked.offset, 0),
        limit,
    )
    return crawl.page(rows, limit, msgspec.to_builtins(following), None)


class _Unfolding:
    """Turns a stored message into its records."""

    def __init__(self, homes: dict[str, str], wanted: Filter) -> None:
        self._homes = homes
        self._wanted = wanted
        self._wants = wanted.wants()

    def __call__(self, row: ReadingRow) -> Iterable[bytes]:
        source = Source(
            station_id=row.station,
            location_id=self._homes.get(row.station),
            evse_uid=row.evse,
            connector=row.connector,
            session_id=row.session,
            message_id=row.message_id,
            created=row.heard_at,
            uid=f"{row.part}-{row.seq}",
        )
        if not self._wanted.wants_meter(source):
            return ()
        return records_of(source, _readings.decode(row.samples), self._wants)


async def _chunks(caller: Caller, query: LogQuery, homes: dict[str, str]) -> AsyncIterator[Chunk]:
    async for part, known in caller.api.views.readings(caller.scope, query):
        homes |= known
        yield Chunk(part.rows, part.next)
