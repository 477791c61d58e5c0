"""CDRs that wait for a tariff: the session is over, nobody said what it costs. They are priced once somebody does."""

import msgspec
from msgspec import Struct

from chargewire.charging.cdr import Cdr
from chargewire.charging.errors import AlreadyDone, Refused, Unknown
from chargewire.charging.flags import NO_TARIFF, UNPRICEABLE
from chargewire.charging.session import Session
from chargewire.csms.corrections import find_cdr
from chargewire.csms.directory import Directory
from chargewire.csms.ids import session_ref
from chargewire.csms.registry import Registry
from chargewire.csms.tariffs import cdr_write, priced, tariff_for
from chargewire.journal.memory import Journal, ListQuery, LostRace, Ref, Stored, Unit, Write
from chargewire.log import event

_cdr = msgspec.json.Decoder(Cdr)
_session = msgspec.json.Decoder(Session)


class Waiting(Struct, frozen=True, kw_only=True):
    """Why a session has no CDR yet. Journal kind `waiting`, owner = the CPO, key = the session id."""

    tariff_id: str | None
    why: str = NO_TARIFF


_waiting = msgspec.json.Decoder(Waiting)


async def price_waiting(journal: Journal, directory: Directory, owners: tuple[str, ...]) -> int:
    """Price what waits and can be priced by now; how many CDRs that gave."""
    priced_now = 0
    missing: set[tuple[str, str | None]] = set()  # tariffs that are still not there: asked for once, not once a session
    query = ListQuery(kind="waiting", owners=owners, limit=200)
    while True:
        page = await journal.walk(query)
        for stored in page.rows:
            waiting = _waiting.decode(stored.body)
            if waiting.why == UNPRICEABLE:  # for people to look at: no tariff makes a number of it
                continue
            tariff = (stored.ref.owner, waiting.tariff_id)
            if tariff not in missing and await _price_one(journal, directory, stored):
                priced_now += 1
            else:
                missing.add(tariff)
        if page.next is None:
            return priced_now
        query = msgspec.structs.replace(query, after=tuple(page.next))


async def retry(registry: Registry, session_id: str) -> dict[str, object]:
    """Try to price a session that waits, at once. Raises Unknown."""
    ref = Ref("waiting", session_ref(session_id).owner, session_id)
    stored = await registry.journal.get(ref)
    if stored is None:
        raise Unknown("waiting session", session_id)
    done = await _price_one(registry.journal, registry.directory, stored)
    waiting = _waiting.decode(stored.body)
    return {"session_id": session_id, "priced": done, "why": None if done else waiting.why, "tariff_id": waiting.tariff_id}


async def publish_held(registry: Registry, cdr_id: str) -> Cdr:
    """Publish a CDR that was held back or dropped. Raises Unknown, Refused, AlreadyDone."""
    stored = await find_cdr(registry.journal, registry.directory, cdr_id)
    if stored.ref.kind != "heldcdr":
        raise Refused("is published", "id")
    cdr = _cdr.decode(stored.body)
    done = Write(ref=stored.ref, content=stored.body, expect=stored.version, what="published", deleted=True)
    ref = Ref("cdr", stored.ref.owner, cdr.id)
    write = Write(ref=ref, content=cdr, expect=0, what="new", counterparty=stored.counterparty)
    try:
        await registry.journal.append(Unit(place=cdr.location.id, writes=[write, done]))
    except LostRace as error:
        raise AlreadyDone(f"CDR {cdr_id} was published before") from error
    event("cdr.published", cdr_id=cdr_id)
    return cdr


async def _price_one(journal: Journal, directory: Directory, waiting: Stored) -> bool:
    found = await journal.get(session_ref(waiting.ref.key))
    if found is None:
        return False
    session = _session.decode(found.body)
    started = session.started
    tariff = await tariff_for(journal, waiting.ref.owner, started.connector, started.at)
    if tariff is None:
        return False
    cdr = priced(session, tariff)
    if cdr is None:
        return False
    cdr = msgspec.structs.replace(cdr, tariff=tariff)
    done = Write(ref=waiting.ref, content=waiting.body, expect=waiting.version, what="priced", deleted=True)
    write = cdr_write(waiting.ref.owner, cdr, directory.cpo(waiting.ref.owner))
    try:
        await journal.append(Unit(place=started.location.id, writes=[write, done]))
    except LostRace:
        return False
    event("cdr.priced_late", session_id=session.id, cdr_id=cdr.id)
    return True
