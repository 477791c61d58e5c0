"""`/admin/v1/cdrs`: what became of each session's price, why, and how it is corrected."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Meta, Struct

from chargewire.api.admin_lists import Listed, answer, times
from chargewire.api.asking import capped, query_of
from chargewire.api.context import Api, Asking
from chargewire.api.faults import BadParameter
from chargewire.api.gate import admin
from chargewire.charging.cdr import Cdr
from chargewire.csms.corrections import CREDIT, CorrectionInput, CreditInput, correct, credit, find_cdr
from chargewire.csms.explaining import Explanation, explain, explain_session
from chargewire.csms.waiting import publish_held, retry
from chargewire.journal.memory import ListQuery, Stored
from chargewire.portal.explained_picture import as_svg
from chargewire.portal.explained_text import as_text
from chargewire.sharing.keys import Unsealable

DEFAULT_LIMIT, MOST = 100, 1000
STATES: dict[str, tuple[str, tuple[str, ...]]] = {  # what is asked for → kind and states in the journal
    "published": ("cdr", ("",)),
    "credit": ("cdr", (CREDIT,)),
    "held": ("heldcdr", ("",)),
    "dropped": ("heldcdr", ("dropped",)),
    "waiting": ("waiting", ()),
}
_cdr = msgspec.json.Decoder(Cdr)


class CdrsAsked(Struct, frozen=True, kw_only=True):
    state: Annotated[str | None, Meta(description=f"one of {', '.join(STATES)}; published if not given")] = None
    flag: Annotated[str | None, Meta(description="only those that carry this flag")] = None
    cpo: Annotated[str | None, Meta(description="only those of this CPO")] = None
    limit: Annotated[str | None, Meta(description="objects looked at per page, 100 if not given, at most 1000")] = None
    cursor: Annotated[str | None, Meta(description="`next` of the page before")] = None


class PriceAsked(Struct, frozen=True, kw_only=True):
    price: Annotated[str | None, Meta(description="wholesale (if not given), retail or reimbursement")] = None


@get("/cdrs", opt={"query": CdrsAsked, "answer": Listed})
async def list_cdrs(request: Asking) -> Response[bytes]:
    """CDRs in one state, oldest first: published, credits, held back as small, dropped, or sessions that wait for a price."""
    api, asked = admin(request), query_of(request, CdrsAsked)
    state = asked.state or "published"
    if state not in STATES:
        raise BadParameter("state", f"must be one of {', '.join(STATES)}")
    kind, states = STATES[state]
    owners = (asked.cpo.upper(),) if asked.cpo else tuple(sorted(cpo.party for cpo in api.directory.cpos()))
    context = msgspec.json.encode(["cdrs", state, asked.flag, owners]).decode()
    query = ListQuery(
        kind=kind,
        owners=owners,
        states=states,
        limit=capped(asked.limit, DEFAULT_LIMIT, MOST),
        after=_after(api, asked.cursor, context),
    )
    page = await api.journal.walk(query)
    following = api.keys.seal(msgspec.json.encode(page.next).decode(), context) if page.next is not None else None
    return answer(Listed(_flagged(page.rows, asked.flag), following))


@get("/cdrs/{cdr_id:str}")
async def get_cdr(request: Asking, cdr_id: FromPath[str]) -> Response[bytes]:
    """One CDR as it is kept, whatever its state."""
    api = admin(request)
    return answer(_described(await find_cdr(api.journal, api.directory, cdr_id)))


@post("/cdrs/{cdr_id:str}/credit", opt={"body": CreditInput})
async def credit_cdr(request: Asking, cdr_id: FromPath[str]) -> Response[bytes]:
    """Take a CDR back, with a reason. It stays as it is; a credit with negated costs stands beside it."""
    api = admin(request)
    return answer({"credit": await credit(api.registry, cdr_id, await request.body())}, 201)


@post("/cdrs/{cdr_id:str}/correct", opt={"body": CorrectionInput})
async def correct_cdr(request: Asking, cdr_id: FromPath[str]) -> Response[bytes]:
    """Take a CDR back and put another in its place: with other energy, a shorter time, or by another tariff."""
    api = admin(request)
    taken_back, corrected = await correct(api.registry, cdr_id, await request.body())
    return answer({"credit": taken_back, "cdr": corrected}, 201)


@post("/cdrs/{cdr_id:str}/publish")
async def publish_cdr(request: Asking, cdr_id: FromPath[str]) -> Response[bytes]:
    """Publish a CDR that was held back or dropped."""
    api = admin(request)
    return answer(await publish_held(api.registry, cdr_id))


@get("/cdrs/{cdr_id:str}/explain", opt={"query": PriceAsked})
async def explain_cdr(request: Asking, cdr_id: FromPath[str]) -> Response[bytes]:
    """Why a CDR costs what it costs: which element priced which minutes and kWh, and the readings that it rests on."""
    return answer(await _explained(request, cdr_id))


@get("/cdrs/{cdr_id:str}/explain.txt", opt={"query": PriceAsked})
async def explain_cdr_in_words(request: Asking, cdr_id: FromPath[str]) -> Response[str]:
    """The same for people, with a picture of the power over time."""
    told = await _explained(request, cdr_id)
    return Response(await asyncio.to_thread(as_text, told), media_type="text/plain; charset=utf-8")


@get("/cdrs/{cdr_id:str}/explain.svg", opt={"query": PriceAsked})
async def picture_cdr(request: Asking, cdr_id: FromPath[str]) -> Response[str]:
    """The power over time, with the periods of the price."""
    told = await _explained(request, cdr_id)
    return Response(await asyncio.to_thread(as_svg, told), media_type="image/svg+xml")


@get("/sessions/{session_id:str}/explain")
async def explain_one_session(request: Asking, session_id: FromPath[str]) -> Response[bytes]:
    """What a session costs so far and why, running or over."""
    api = admin(request)
    return answer(await explain_session(api.journal, session_id))


@post("/waiting/{session_id:str}/retry")
async def retry_waiting(request: Asking, session_id: FromPath[str]) -> Response[bytes]:
    """Try at once to price a session that waits: with its CDR if that works, with why not if it does not."""
    api = admin(request)
    return answer(await retry(api.registry, session_id))


async def _explained(request: Asking, cdr_id: str) -> Explanation:
    api, asked = admin(request), query_of(request, PriceAsked)
    which = asked.price or "wholesale"
    if which not in ("wholesale", "retail", "reimbursement"):
        raise BadParameter("price", "must be wholesale, retail or reimbursement")
    return await explain(api.journal, api.directory, cdr_id, which)


def _after(api: Api, cursor: str | None, context: str) -> tuple[Any, ...] | None:
    if not cursor:
        return None
    try:
        return tuple(msgspec.json.decode(api.keys.open(cursor, context)))
    except Unsealable as error:
        raise BadParameter("cursor", "does not belong to this list") from error


def _flagged(rows: Sequence[Stored], flag: str | None) -> list[dict[str, Any]]:
    described = [_described(stored) for stored in rows]
    return [each for each in described if flag is None or flag in each.get("flags", ())]


def _described(stored: Stored) -> dict[str, Any]:
    kept: dict[str, Any] = msgspec.json.decode(stored.body)
    state = next(
        (name for name, (kind, states) in STATES.items() if kind == stored.ref.kind and (not states or stored.state in states)),
        stored.ref.kind,
    )
    if stored.ref.kind == "waiting":
        kept = {"session_id": stored.ref.key, "flags": [kept.get("why", "")], **kept}
    return {"owner": stored.ref.owner, "state": state, **kept, **times(stored)}


ROUTES = [
    list_cdrs,
    get_cdr,
    credit_cdr,
    correct_cdr,
    publish_cdr,
    explain_cdr,
    explain_cdr_in_words,
    picture_cdr,
    explain_one_session,
    retry_waiting,
]
