"""`/api/{1.0,2.0}/cdrs`: charge detail records, whole or by the eMSP and the customer of the driver."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import FromPath
from msgspec import Meta, Struct
from msgspec.structs import replace

from chargewire.api.asking import capped, micros, query_of, whole
from chargewire.api.context import Asking
from chargewire.api.gate import enter
from chargewire.api.paging import Crawl, PageSent
from chargewire.charging import cdr as charging
from chargewire.csms.seen import Window
from chargewire.journal.memory import Stored
from chargewire.protocols.platform.cdrs import Cdr, cdr_json, extended_cdr_json
from chargewire.protocols.platform.moments import Stamp

PIECE = 20  # CDRs that are written before others get a turn
DEFAULT_LIMIT, DEFAULT_LIMIT_BY_EMSP, MOST = 1000, 100, 1000
_cdr = msgspec.json.Decoder(charging.Cdr)


class CdrsQuery(Struct, frozen=True, kw_only=True):
    date_from: Annotated[str | None, Meta(description="`last_updated` at or after this time")] = None
    date_to: Annotated[str | None, Meta(description="`last_updated` before this time")] = None
    limit: Annotated[str | None, Meta(description="CDRs per page, at most 1000; more is taken as 1000")] = None
    offset: Annotated[str | None, Meta(description="CDRs to skip (version 1.0); better follow `Link`")] = None
    continuation_token: Annotated[str | None, Meta(description="from `Link` (version 2.0, and 1.0 too)")] = None


@get("/cdrs", opt={"query": CdrsQuery, "answer": list[Cdr], "versions": ("1.0", "2.0")})
async def list_cdrs(request: Asking) -> PageSent:
    """CDRs of the CPOs in scope, and of the drivers of the eMSPs in scope; oldest first."""
    return await _list(request, "", "", DEFAULT_LIMIT)


@get("/cdrs/{emsp:str}", opt={"query": CdrsQuery, "answer": list[Cdr], "versions": ("1.0", "2.0")})
async def list_cdrs_of_emsp(request: Asking, emsp: FromPath[str]) -> PageSent:
    """CDRs made at the CPOs in scope by drivers of one eMSP, named by its party (`NL-EMS`)."""
    return await _list(request, emsp, "", DEFAULT_LIMIT_BY_EMSP)


@get("/cdrs/{emsp:str}/{customer:str}", opt={"query": CdrsQuery, "answer": list[Cdr], "versions": ("1.0", "2.0")})
async def list_cdrs_of_customer(request: Asking, emsp: FromPath[str], customer: FromPath[str]) -> PageSent:
    """The same, of one customer of that eMSP."""
    return await _list(request, emsp, customer, DEFAULT_LIMIT_BY_EMSP)


async def _list(request: Asking, emsp: str, customer: str, default: int) -> PageSent:
    caller = enter(request, "cdrs")
    asked = query_of(request, CdrsQuery)
    crawl = Crawl(request, caller, {"date_from": asked.date_from, "date_to": asked.date_to})
    cursor = crawl.resume(asked.continuation_token)
    window = Window(
        updated_from=micros("date_from", asked.date_from),
        updated_to=micros("date_to", asked.date_to),
        offset=whole("offset", asked.offset, 0),
        limit=capped(asked.limit, default, MOST),
        after=tuple(cursor.after) if cursor and cursor.after else None,
    )
    views, scope, emsp = caller.api.views, caller.scope, emsp.upper()
    as_json = extended_cdr_json if scope.extended else cdr_json
    if customer:  # not counted: that would mean to read all of the eMSP's
        part = await views.cdrs_of_customer(scope, window, emsp, customer)
        return crawl.page(await _rendered(part.rows, as_json), window.limit, part.next, None)
    total = cursor.total if cursor else await views.count_cdrs(scope, window, emsp)
    window = replace(window, known_total=None if cursor else total)
    if scope.extended:
        part = await views.cdr_rows(scope, window, emsp)
        return crawl.page(await _rendered(part.rows, as_json), window.limit, part.next, total)
    part = await views.cdr_pages(scope, window, emsp)
    return crawl.page(part.rows, window.limit, part.next, total)


async def _rendered(stored: list[Stored], as_json: Callable[[charging.Cdr, Stamp], bytes]) -> list[bytes]:
    rows = []
    for number, each in enumerate(stored):
        if number % PIECE == PIECE - 1:
            await asyncio.sleep(0)
        rows.append(as_json(_cdr.decode(each.body), each.last_updated))
    return rows
