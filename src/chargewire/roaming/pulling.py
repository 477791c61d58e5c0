"""Pulling from partners what they own: as eMSP their locations, tariffs, sessions and CDRs, as CPO their tokens.

A list is asked for from a little before the last time that it was read to its end. Lists of locations and tariffs are read
without a filter once a day: only then what is missing is gone (2.1.1 transport_and_format, Pagination). `date_to` is never
asked for, so that no page loses an object that changes while it is read. The place is moved once everything of a page is
durable; what comes twice changes nothing, and what was pushed meanwhile stays.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from chargewire.charging.errors import Refused, Unknown
from chargewire.csms.connecting import PARTNER_TOKEN
from chargewire.csms.partner_objects import KINDS, drop, object_id_of
from chargewire.csms.registry import Registry
from chargewire.journal.memory import ListQuery, Unstorable
from chargewire.log import trouble
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.tokens import Token
from chargewire.roaming.calls import Declined, PartnerCalls, Replied
from chargewire.roaming.crawling import Leaf, crawl
from chargewire.roaming.pulled import REPLACED, Progress, Pulled, read_pulled, write_pulled
from chargewire.roaming.receiving import TYPES, expire_location, keep, keep_token
from chargewire.sharing.keys import Keys
from chargewire.sharing.subscription import Roaming, Subscription

PULLED = {"EMSP": ("tariffs", "locations", "sessions", "cdrs"), "CPO": ("tokens",)}
OVERLAP = timedelta(minutes=15)  # clocks differ, and a write may be seen after a later one
EVER = "2010-01-01T00:00:00Z"  # `date_from` of sessions, which is required there
PAGE = 100
TOGETHER = 50  # objects that share a commit
SAVED_EVERY = 10  # pages after which a list goes on, should it break off
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Puller:
    """Reads one list at a time of each connection and module."""

    def __init__(self, registry: Registry, calls: PartnerCalls, keys: Keys) -> None:
        self._registry = registry
        self._calls = calls
        self._keys = keys
        self._running: dict[str, Progress] = {}  # by connection and module

    async def state(self, connection_id: str) -> list[dict[str, Any]]:
        """What was pulled last, and what is being pulled."""
        found = []
        for module in (*PULLED["EMSP"], *PULLED["CPO"]):
            last = await read_pulled(self._registry, connection_id, module)
            running = self._running.get(f"{connection_id}/{module}")
            if running is not None or last != Pulled(module=module):
                shown: dict[str, Any] = msgspec.to_builtins(last)
                found.append(shown | {"running": msgspec.to_builtins(running) if running else None})
        return found

    async def pull(self, connection: Subscription, module: str, *, whole: bool = False) -> Pulled:
        """Read a list to its end and keep what is in it. Raises PartnerError, Refused, MemoryUnavailable."""
        name, registry = f"{connection.id}/{module}", self._registry
        if name in self._running:
            raise Refused("is being pulled", "module")
        progress = self._running[name] = Progress(module=module, began_at=registry.now())
        try:
            last = await read_pulled(registry, connection.id, module)
            progress = self._running[name] = _begun(connection, last, progress, whole=whole)
            url = progress.url
            try:
                complete = await self._read_list(connection, last, progress)
            except Exception as error:
                gone = isinstance(error, Declined) and progress.url == url  # where it was to go on: from the beginning then
                reached = last.reached(None if gone else progress)
                await write_pulled(registry, connection.id, reached.failed(str(error), registry.now()))
                raise
            done = last.ended(progress, registry.now(), complete=complete)
            await write_pulled(registry, connection.id, done)
            return done
        finally:
            del self._running[name]

    async def _read_list(self, connection: Subscription, last: Pulled, progress: Progress) -> bool:
        """Keep what the list holds, and forget what it does not; whether it was complete."""
        seen: set[str] = set()
        pages = nameless = 0
        asked_at = self._registry.now()
        async for leaf in crawl(lambda url: self._ask(connection.id, url), progress.url):
            nameless += await self._keep_page(connection, progress, leaf, asked_at, seen)
            progress.url, progress.total, pages = leaf.following, leaf.total, pages + 1
            if leaf.following and pages % SAVED_EVERY == 0:
                await write_pulled(self._registry, connection.id, last.reached(progress))
            asked_at = self._registry.now()
        if not progress.whole or progress.module not in REPLACED:
            return True
        if nameless or (progress.total is not None and len(seen) < progress.total):
            trouble("partner.incomplete", connection_id=connection.id, module=progress.module, total=progress.total)
            return False
        progress.gone = await self._expire(connection, progress, seen)
        return True

    async def _ask(self, connection_id: str, url: str) -> Replied:
        """A page, as long as there is a connection, and with the token of the moment. Raises PartnerError, Refused."""
        connection = self._registry.directory.subscription(connection_id)
        if connection is None or connection.roaming is None or connection.state != "live":
            raise Refused("is not connected", "state")
        token = self._keys.open(connection.roaming.token, PARTNER_TOKEN)
        return await self._calls.call("GET", url, token, encoding=connection.roaming.token_encoding)

    async def _keep_page(
        self, connection: Subscription, progress: Progress, leaf: Leaf, asked_at: datetime, seen: set[str]
    ) -> int:
        """Keep a page's objects and note their ids; how many have none that can be read."""
        kind: Any = Token if progress.module == "tokens" else TYPES[progress.module]
        good, bad = await asyncio.to_thread(reading.read_list, kind, leaf.data)
        progress.unreadable += len(bad)
        for each in bad[:3]:
            trouble("partner.unreadable", connection_id=connection.id, module=progress.module, object_id=each.id, why=each.why)
        seen.update(each.id.lower() for each in bad if each.id)
        for begin in range(0, len(good), TOGETHER):
            together = good[begin : begin + TOGETHER]
            done = await asyncio.gather(
                *(self._keep(connection, progress, heard, asked_at) for heard in together), return_exceptions=True
            )
            for error in done:
                if isinstance(error, BaseException):
                    raise error
        progress.read += len(good)
        seen.update(_id_of(progress.module, heard).lower() for heard in good)
        return len([each for each in bad if not each.id])

    async def _keep(self, connection: Subscription, progress: Progress, heard: reading.Heard[Any], asked_at: datetime) -> None:
        module, registry = progress.module, self._registry
        try:
            if module == "tokens":
                assert connection.roaming is not None
                token = await keep_token(registry, connection.roaming, heard, asked_at=asked_at)
                progress.changed += token.changed
            else:
                outcome = await keep(registry, connection, module, heard, asked_at=asked_at)
                progress.changed += outcome.changed
        except (Refused, Unstorable) as error:  # final, and said otherwise now; or nothing that a database can hold
            progress.unreadable += 1
            object_id = _id_of(module, heard)
            trouble("partner.refused", connection_id=connection.id, module=module, object_id=object_id, why=error)

    async def _expire(self, connection: Subscription, progress: Progress, seen: set[str]) -> int:
        """What is not in a list without filter is gone, unless we heard of it since the list was asked for."""
        assert connection.roaming is not None
        query = ListQuery(
            kind=KINDS[progress.module], owners=(connection.roaming.partner,), counterparty=connection.id, limit=500
        )
        began = int((progress.began_at - _EPOCH) / timedelta(microseconds=1))
        missing: list[str] = []
        while True:
            page = await self._registry.journal.walk(query)
            missing += [
                object_id
                for stored in page.rows
                if (object_id := object_id_of(stored)).lower() not in seen and stored.last_updated < began
            ]
            if page.next is None:
                break
            query = msgspec.structs.replace(query, after=tuple(page.next))
        return sum([await self._forget(connection, progress.module, object_id) for object_id in missing])

    async def _forget(self, connection: Subscription, module: str, object_id: str) -> bool:
        """Whether that changed anything: a location may have been marked already."""
        try:
            if module == "locations":
                return (await expire_location(self._registry, connection, object_id)).changed
            await drop(self._registry, connection, module, object_id)
        except Unknown:
            return False
        return True


def _begun(connection: Subscription, last: Pulled, progress: Progress, *, whole: bool) -> Progress:
    """A pull that begins, or goes on where the last one broke off."""
    assert connection.roaming is not None
    home = connection.roaming.endpoints.get(progress.module)
    if home is None:
        raise Refused("is not a module of the partner", "module")
    if not whole and (again := last.going_on(home, progress.began_at)):
        return again
    progress.whole = whole or last.wants_whole(progress.began_at)
    progress.home = home
    parameters = {"limit": str(PAGE)}
    if not progress.whole and last.began_at is not None:
        parameters["date_from"] = moment(last.began_at - OVERLAP)
    elif progress.module == "sessions":
        parameters["date_from"] = EVER
    progress.url = f"{home}{'&' if '?' in home else '?'}{urlencode(parameters)}"
    return progress


def _id_of(module: str, heard: reading.Heard[Any]) -> str:
    return str(heard.value.uid if module == "tokens" else heard.value.id)


def modules_of(roaming: Roaming) -> list[str]:
    """What is pulled from a partner: what the connection is about and the partner has."""
    return [module for module in PULLED[roaming.role] if roaming.about(module) and module in roaming.endpoints]
