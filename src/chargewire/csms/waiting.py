"""CDRs that wait for a tariff: the session is over, nobody said what it costs. They are priced once somebody does.

They are tried again for as long as they wait: all the time in their first day, then once an hour. None is ever given up.
"""

from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from chargewire.charging.cdr import Cdr
from chargewire.charging.checks import CHECKS
from chargewire.charging.errors import AlreadyDone, Refused, Unknown
from chargewire.charging.flags import NO_TARIFF, UNPRICEABLE
from chargewire.charging.location import Connector, Evse
from chargewire.charging.session import Session, Started
from chargewire.charging.tariff import Tariff
from chargewire.csms.corrections import find_cdr
from chargewire.csms.directory import Directory
from chargewire.csms.ids import session_ref
from chargewire.csms.registry import Registry
from chargewire.csms.signed import signed_at
from chargewire.csms.tariff_versions import holding_at, versions_of
from chargewire.csms.tariffs import cdr_write, priced, usable
from chargewire.journal.memory import Journal, ListQuery, LostRace, Ref, Stored, Unit, Write
from chargewire.log import event

_cdr = msgspec.json.Decoder(Cdr)
_session = msgspec.json.Decoder(Session)
_evse = msgspec.json.Decoder(Evse)


class Waiting(Struct, frozen=True, kw_only=True):
    """Why a session has no CDR yet. Journal kind `waiting`, owner = the CPO, key = the session id.

    `tariff_id`: that of its connector when it began. `at`, `evse` and `connector`: when that was, and where.
    """

    tariff_id: str | None
    why: str = NO_TARIFF
    at: datetime | None = None
    evse: str = ""
    connector: str = ""


_waiting = msgspec.json.Decoder(Waiting)


def waiting_for(started: Started, why: str) -> Waiting:
    """What is kept of a session that is over and has no price."""
    where = started.connector
    return Waiting(tariff_id=where.tariff_id, why=why, at=started.at, evse=started.evse.uid, connector=where.id)


async def price_waiting(journal: Journal, directory: Directory, owners: tuple[str, ...], since: int | None = None) -> int:
    """Price what waits and can be priced by now; how many CDRs that gave. `since`: only what waits from then on (µs)."""
    priced_now = 0
    search = Search(journal)
    query = ListQuery(kind="waiting", owners=owners, created_from=since, limit=200)
    while True:
        page = await journal.walk(query)
        for stored in page.rows:
            priced_now += await _price_one(search, directory, stored)
        if page.next is None:
            return priced_now
        query = replace(query, after=tuple(page.next))


class Search:
    """Tariffs for what waits: that of the connector when the session began; if it is not there, that of the connector now.

    What is read is kept: a tariff that is missing is asked for once in a pass, not once a session.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._versions: dict[tuple[str, str], list[Tariff]] = {}
        self._connectors: dict[tuple[str, str], tuple[Connector, ...]] = {}

    async def tariff(self, owner: str, waiting: Waiting, at: datetime) -> Tariff | None:
        """The tariff for a session that began at that moment, if there is one by now."""
        for tariff_id in (waiting.tariff_id, await self._named_now(owner, waiting)):
            if tariff_id:
                named = (owner, tariff_id)
                if named not in self._versions:
                    self._versions[named] = await versions_of(self.journal, *named)
                if found := usable(holding_at(self._versions[named], at), "wholesale", owner):
                    return found
        return None

    async def _named_now(self, owner: str, waiting: Waiting) -> str | None:
        place = (owner, waiting.evse)
        if place not in self._connectors:
            stored = await self.journal.get(Ref("evse", *place)) if waiting.evse else None
            self._connectors[place] = _evse.decode(stored.body).connectors if stored else ()
        return next((each.tariff_id for each in self._connectors[place] if each.id == waiting.connector), None)


async def retry(registry: Registry, session_id: str) -> dict[str, object]:
    """Try to price a session that waits, at once. Raises Unknown."""
    ref = Ref("waiting", session_ref(session_id).owner, session_id)
    stored = await registry.journal.get(ref)
    if stored is None:
        raise Unknown("waiting session", session_id)
    done = await _price_one(Search(registry.journal), registry.directory, stored)
    left = None if done else await registry.journal.get(ref)
    waiting = _waiting.decode((left or stored).body)
    return {"session_id": session_id, "priced": done, "why": waiting.why if left else None, "tariff_id": waiting.tariff_id}


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


async def _price_one(search: Search, directory: Directory, stored: Stored) -> bool:
    """Whether it is priced now. What turns out to be beyond any sum of money is left to people: no tariff helps."""
    journal, owner, waiting = search.journal, stored.ref.owner, _waiting.decode(stored.body)
    if not CHECKS[waiting.why].retries or (waiting.at and await search.tariff(owner, waiting, waiting.at) is None):
        return False
    found = await journal.get(session_ref(stored.ref.key))
    if found is None:
        return False
    session = _session.decode(found.body)
    started = session.started
    tariff = await search.tariff(owner, waiting, started.at)
    if tariff is None:
        return False
    session = replace(session, flags=tuple(flag for flag in session.flags if flag != NO_TARIFF))
    cdr = priced(session, tariff)
    if cdr is None:
        await _leave_to_people(journal, stored, started.location.id)
        return False
    cdr = replace(cdr, tariff=tariff, remark=await signed_at(journal, found.ref))
    done = Write(ref=stored.ref, content=stored.body, expect=stored.version, what="priced", deleted=True)
    write = cdr_write(owner, cdr, directory.cpo(owner))
    try:
        await journal.append(Unit(place=started.location.id, writes=[write, done]))
    except LostRace:
        return False
    event("cdr.priced_late", session_id=session.id, cdr_id=cdr.id)
    return True


async def _leave_to_people(journal: Journal, stored: Stored, place: str) -> None:
    content = replace(_waiting.decode(stored.body), why=UNPRICEABLE)
    write = Write(ref=stored.ref, content=content, expect=stored.version, what="why")
    with suppress(LostRace):
        await journal.append(Unit(place=place, writes=[write]))
