"""Lists of the admin API: `{"data": […], "next": …}`, oldest first; `next` is the cursor of the next page, or null."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response
from msgspec import Meta, Struct

from chargewire.api.asking import capped, query_of
from chargewire.api.context import Api, Asking
from chargewire.api.faults import JSON, BadParameter
from chargewire.charging.errors import Unknown
from chargewire.csms.directory import TYPES
from chargewire.journal.memory import ListQuery, Ref, Stored
from chargewire.protocols.platform.moments import stamped
from chargewire.sharing.keys import Unsealable

DEFAULT_LIMIT, MOST = 100, 1000
Describe = Callable[[Sequence[Stored]], Awaitable[list[dict[str, Any]]]]


class ListAsked(Struct, frozen=True, kw_only=True):
    limit: Annotated[str | None, Meta(description="objects per page, 100 if not given, at most 1000")] = None
    cursor: Annotated[str | None, Meta(description="`next` of the page before")] = None
    cpo: Annotated[str | None, Meta(description="only those of this CPO")] = None
    emsp: Annotated[str | None, Meta(description="only those of this eMSP (tokens, tariffs)")] = None


class Listed(Struct, frozen=True):
    """A page of the admin API."""

    data: list[dict[str, Any]]
    next: str | None


async def answer_list(request: Asking, api: Api, kind: str, describe: Describe) -> Response[bytes]:
    """One page of the objects of a kind."""
    asked = query_of(request, ListAsked)
    owners = _owners(api, kind, asked)
    after = None
    context = msgspec.json.encode(["admin", kind, owners]).decode()
    if asked.cursor:
        try:
            after = tuple(msgspec.json.decode(api.keys.open(asked.cursor, context)))
        except Unsealable as error:
            raise BadParameter("cursor", "does not belong to this list") from error
    query = ListQuery(kind=kind, owners=owners, limit=capped(asked.limit, DEFAULT_LIMIT, MOST), after=after)
    page = await api.journal.walk(query)
    following = api.keys.seal(msgspec.json.encode(page.next).decode(), context) if page.next is not None else None
    described = await describe(page.rows)
    data = [each | times(stored) for each, stored in zip(described, page.rows, strict=True)]
    return answer(Listed(data, following))


async def stored_at(api: Api, what: str, refs: Sequence[Ref]) -> Stored:
    """The first object that one of some names has. Raises Unknown."""
    found = await api.journal.get_many(refs) if refs else {}
    stored = next((each for each in found.values() if not each.deleted), None)
    if stored is None:
        raise Unknown(what, refs[0].key if refs else "")
    return stored


async def plain(rows: Sequence[Stored]) -> list[dict[str, Any]]:
    """Objects as they are kept, with what they have by default."""
    return [whole_of(stored) for stored in rows]


async def plain_owned(rows: Sequence[Stored]) -> list[dict[str, Any]]:
    """The same, with whose they are."""
    return [{"owner": stored.ref.owner, **whole_of(stored)} for stored in rows]


def whole_of(stored: Stored) -> dict[str, Any]:
    """One object as it is kept; of a party also what was not said and so is as usual (`publish_all_cdrs`, `currency`)."""
    if stored.ref.kind not in ("network", "cpo", "emsp"):
        kept: dict[str, Any] = msgspec.json.decode(stored.body)
        return kept
    return msgspec.structs.asdict(msgspec.json.decode(stored.body, type=TYPES[stored.ref.kind]))


def times(stored: Stored) -> dict[str, str]:
    """When it was made and last changed."""
    return {"created": stamped(stored.created_at), "last_updated": stamped(stored.last_updated)}


def answer(content: Any, status: int = 200) -> Response[bytes]:
    """JSON as an answer."""
    body: Any = msgspec.json.encode(content)
    return Response(body, status_code=status, media_type=JSON)


def _owners(api: Api, kind: str, asked: ListAsked) -> tuple[str, ...]:
    if kind == "tariff" and not asked.cpo:  # an eMSP has retail ones
        emsps = (asked.emsp.upper(),) if asked.emsp else tuple(emsp.party for emsp in api.directory.emsps())
        cpos = () if asked.emsp else tuple(cpo.party for cpo in api.directory.cpos())
        return tuple(sorted({*cpos, *emsps}))
    if kind in ("location", "station", "tariff", "session", "cdr", "heldcdr"):
        return (asked.cpo.upper(),) if asked.cpo else tuple(sorted(cpo.party for cpo in api.directory.cpos()))
    if kind == "token":
        return (asked.emsp.upper(),) if asked.emsp else tuple(sorted(emsp.party for emsp in api.directory.emsps()))
    return ("",)
