"""What roaming partners have written to us, for an operator to read."""

from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from chargewire.api.admin_lists import ListAsked, Listed, answer, times
from chargewire.api.asking import capped, query_of
from chargewire.api.context import Asking
from chargewire.api.faults import BadParameter, NotThere
from chargewire.api.gate import admin
from chargewire.api.ocpi_received import cdr_id
from chargewire.charging.errors import Unknown
from chargewire.charging.settling import Settlement
from chargewire.csms.partner_objects import KINDS, PartnerObject, object_id_of, ref_of
from chargewire.csms.partnering import connection_of
from chargewire.csms.settling import settle_again
from chargewire.journal.memory import ListQuery, Stored
from chargewire.journal.stamps import from_stamp
from chargewire.protocols.ocpi.v211.cdrs import Cdr, stated_of
from chargewire.protocols.ocpi.v211.reading import understood
from chargewire.sharing.keys import Unsealable
from chargewire.sharing.subscription import ROAMED, Roaming

DEFAULT_LIMIT, MOST = 100, 1000
_object = msgspec.json.Decoder(PartnerObject)


@get("/partners/{connection_id:str}/{module:str}", opt={"query": ListAsked, "answer": Listed})
async def list_partner_objects(request: Asking, connection_id: FromPath[str], module: FromPath[str]) -> Response[bytes]:
    """What a partner wrote of a module (`locations`, `sessions`, `cdrs`, `tariffs` to our eMSP, `tokens` to our CPO)."""
    return await _page(request, connection_id, module)


@get("/partners/{connection_id:str}/cdrs", opt={"query": ListAsked, "answer": Listed})
async def list_partner_cdrs(request: Asking, connection_id: FromPath[str]) -> Response[bytes]:
    """The CDRs of a partner (a list like the others; it has a route of its own because there is more below it)."""
    return await _page(request, connection_id, "cdrs")


async def _page(request: Asking, connection_id: str, module: str) -> Response[bytes]:
    api = admin(request)
    asked = query_of(request, ListAsked)
    _, roaming = connection_of(api.registry, connection_id)
    context = msgspec.json.encode(["partner", connection_id, module]).decode()
    after = None
    if asked.cursor:
        try:
            after = tuple(msgspec.json.decode(api.keys.open(asked.cursor, context)))
        except Unsealable as error:
            raise BadParameter("cursor", "does not belong to this list") from error
    query = _query(connection_id, roaming, module, capped(asked.limit, DEFAULT_LIMIT, MOST), after)
    page = await api.journal.walk(query)
    following = api.keys.seal(msgspec.json.encode(page.next).decode(), context) if page.next is not None else None
    return answer(Listed([_shown(stored) for stored in page.rows], following))


@get("/partners/{connection_id:str}/cdrs/{name:str}/check", opt={"answer": Settlement})
async def check_partner_cdr(request: Asking, connection_id: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """What a partner's CDR states against what its periods add up to and its own tariff gives, by what is known now."""
    api = admin(request)
    connection, roaming = connection_of(api.registry, connection_id)
    if roaming.role != "EMSP":
        raise NotThere
    stored = await api.journal.get(ref_of(connection, "cdrs", cdr_id(name)))
    if stored is None:
        raise Unknown("CDR", name)
    stated = stated_of(understood(Cdr, _object.decode(stored.body).content).value)
    return answer(await settle_again(api.registry, connection, stated, from_stamp(stored.created_at)))


def _query(connection_id: str, roaming: Roaming, module: str, limit: int, after: tuple[Any, ...] | None) -> ListQuery:
    _, written = ROAMED[roaming.role]
    if module not in written or module == "commands":
        raise NotThere
    owners = (roaming.partner,) if roaming.partner else ()
    if module == "tokens":
        return ListQuery(kind="token", owners=owners, limit=limit, after=after)
    return ListQuery(kind=KINDS[module], owners=owners, counterparty=connection_id, limit=limit, after=after)


def _shown(stored: Stored) -> dict[str, Any]:
    """`object` is what the partner said, as it said it; `flags` what was wrong with it."""
    if stored.ref.kind == "token":
        return {"id": stored.ref.key, "object": msgspec.json.decode(stored.body), "flags": [], **times(stored)}
    kept = _object.decode(stored.body)
    return {"id": object_id_of(stored), "object": kept.content, "flags": kept.flags, **times(stored)}


ROUTES: list[Any] = [list_partner_objects, list_partner_cdrs, check_partner_cdr]
