"""Pulling from partners what they own: as eMSP their locations, tariffs, sessions and CDRs, as CPO their tokens.

A list is asked for from a little before the last time that it was read to its end, and without a filter once a day: only then
what is missing is gone (2.1.1 transport_and_format, Pagination). `date_to` is never asked for, so that no page loses an object
that changes while it is read. The place is moved once everything of the list is durable; what comes twice changes nothing.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import random
from typing import Any

import msgspec
from msgspec import Struct

from chargewire.charging.errors import ChargingError, Refused, Unknown
from chargewire.csms.partner_objects import KINDS, drop, object_id_of
from chargewire.csms.partnering import PARTNER_TOKEN
from chargewire.csms.registry import Registry, again
from chargewire.journal.memory import JournalError, ListQuery, Ref, Unit, Write
from chargewire.log import event, trouble
from chargewire.protocols.ocpi.moments import moment
from chargewire.protocols.ocpi.v211 import reading
from chargewire.protocols.ocpi.v211.tokens import Token
from chargewire.roaming.calls import PartnerCalls, PartnerError
from chargewire.roaming.receiving import TYPES, expire_location, keep, keep_token
from chargewire.sharing.keys import Keys
from chargewire.sharing.subscription import Roaming, Subscription

PULLED = {"EMSP": ("tariffs", "locations", "sessions", "cdrs"), "CPO": ("tokens",)}
OVERLAP = timedelta(minutes=15)  # clocks differ, and a write may be seen after a later one
WHOLE_EVERY = timedelta(days=1)
EVER = "2010-01-01T00:00:00Z"  # `date_from` of sessions, which is required there
PAGE = 100
TURN_S = 15.0
AGAIN_S = 300.0  # after a list that could not be read
AT_ONCE = 4  # connections that are pulled from at the same time


class Pulled(Struct, frozen=True, kw_only=True):
    """How far a module of a connection is pulled. Journal kind `partnerpull`, owner "", key `{connection}/{module}`."""

    module: str
    began_at: datetime  # of the last pull that came to the end of the list
    whole_at: datetime | None = None  # of the last one without a filter
    ended_at: datetime | None = None
    read: int = 0
    changed: int = 0
    unreadable: int = 0  # objects that could not be understood; the others of their page were
    gone: int = 0
    error: str = ""  # of a later pull that did not come to the end
    failed_at: datetime | None = None


class Progress(Struct, kw_only=True):
    """A pull that goes on."""

    module: str
    began_at: datetime
    total: int | None = None
    read: int = 0
    changed: int = 0
    unreadable: int = 0
    gone: int = 0


_pulled = msgspec.json.Decoder(Pulled)


class Pulling:
    """Pulls when it is time, and when it is asked to."""

    def __init__(self, registry: Registry, calls: PartnerCalls, keys: Keys) -> None:
        self._registry = registry
        self._calls = calls
        self._keys = keys
        self._running: dict[str, Progress] = {}  # by connection and module
        self._due: dict[str, datetime] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def start(self) -> None:
        """From now on, whenever it is time, and at once when a partner has connected."""
        self._registry.directory.on_change(lambda ref: self._woken.set() if ref.kind == "subscription" else None)
        self._spawn(self._keep_going())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, connection: Subscription, *, whole: bool = False) -> list[str]:
        """Pull from a partner now, in the background; what is pulled. Raises Refused."""
        roaming = connection.roaming
        if roaming is None or connection.state != "live":
            raise Refused("is not connected", "state")
        modules = [module for module in PULLED[roaming.role] if roaming.about(module) and module in roaming.endpoints]
        self._due[connection.id] = self._registry.now() + timedelta(seconds=roaming.pull_every_s * _splay())
        self._spawn(self._pull_all(connection, modules, whole))
        return modules

    async def state(self, connection_id: str) -> list[dict[str, Any]]:
        """What was pulled last, and what is being pulled."""
        found = []
        for module in (*PULLED["EMSP"], *PULLED["CPO"]):
            stored = await self._registry.journal.get(_ref(connection_id, module))
            running = self._running.get(f"{connection_id}/{module}")
            if stored is None and running is None:
                continue
            last: Any = msgspec.to_builtins(_pulled.decode(stored.body)) if stored else {"module": module}
            found.append(last | {"running": msgspec.to_builtins(running) if running else None})
        return found

    async def pull(self, connection: Subscription, module: str, *, whole: bool = False) -> Pulled:
        """Read a list to its end and keep what is in it. Raises PartnerError, Refused, MemoryUnavailable."""
        roaming = connection.roaming
        assert roaming is not None, connection.id
        last = await self._last(connection.id, module)
        whole = whole or last is None or last.whole_at is None or self._registry.now() - last.whole_at > WHOLE_EVERY
        progress = Progress(module=module, began_at=self._registry.now())
        self._running[f"{connection.id}/{module}"] = progress
        try:
            seen = await self._read_list(connection, roaming, progress, None if whole or last is None else last.began_at)
            if whole and module in ("locations", "tariffs"):
                progress.gone = await self._expire(connection, module, seen)
        except (PartnerError, ChargingError) as error:
            kept = last or Pulled(module=module, began_at=datetime(1970, 1, 1, tzinfo=UTC))
            await self._write(
                connection.id, msgspec.structs.replace(kept, error=str(error)[:500], failed_at=self._registry.now())
            )
            raise
        finally:
            del self._running[f"{connection.id}/{module}"]
        done = Pulled(
            module=module,
            began_at=progress.began_at,
            whole_at=progress.began_at if whole else (last.whole_at if last else None),
            ended_at=self._registry.now(),
            read=progress.read,
            changed=progress.changed,
            unreadable=progress.unreadable,
            gone=progress.gone,
        )
        await self._write(connection.id, done)
        return done

    # inside

    async def _keep_going(self) -> None:
        while True:
            now = self._registry.now()
            for connection in self._registry.directory.connections():
                roaming = connection.roaming
                if roaming is None or connection.state != "live":
                    self._due.pop(connection.id, None)
                    continue
                due = self._due.setdefault(connection.id, roaming.ready_at or now)
                if roaming.pull_every_s and due <= now:
                    self.begin(connection)
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._idle_s(now))

    def _idle_s(self, now: datetime) -> float:
        """Until the next is due, and not for long."""
        return min(TURN_S, max((min(self._due.values(), default=now) - now).total_seconds(), 0.1))

    async def _pull_all(self, connection: Subscription, modules: list[str], whole: bool) -> None:
        async with self._room:
            for module in modules:
                if f"{connection.id}/{module}" in self._running:
                    continue
                try:
                    done = await self.pull(connection, module, whole=whole)
                except (PartnerError, ChargingError, JournalError) as error:
                    trouble("partner.not_pulled", connection_id=connection.id, module=module, why=error)
                    soon = self._registry.now() + timedelta(seconds=AGAIN_S * _splay())
                    self._due[connection.id] = min(self._due.get(connection.id, soon), soon)
                else:
                    event("partner.pulled", connection_id=connection.id, module=module, read=done.read, changed=done.changed)

    async def _read_list(
        self, connection: Subscription, roaming: Roaming, progress: Progress, since: datetime | None
    ) -> set[str]:
        """Keep what the list holds; the ids that were in it."""
        parameters = {"limit": str(PAGE)}
        if since is not None:
            parameters["date_from"] = moment(since - OVERLAP)
        elif progress.module == "sessions":
            parameters["date_from"] = EVER
        token = self._keys.open(roaming.token, PARTNER_TOKEN)
        url, seen = roaming.endpoints[progress.module], set()
        kind: Any = Token if progress.module == "tokens" else TYPES[progress.module]
        async for page in self._calls.pages(url, token, encoding=roaming.token_encoding, parameters=parameters):
            progress.total = page.total
            good, bad = reading.read_list(kind, page.data or b"[]")
            progress.unreadable += len(bad)
            for number, why in bad[:3]:
                trouble("partner.unreadable", connection_id=connection.id, module=progress.module, row=number, why=why)
            for heard in good:
                progress.read += 1
                seen.add(await self._keep(connection, roaming, progress, heard))
        return seen

    async def _keep(self, connection: Subscription, roaming: Roaming, progress: Progress, heard: reading.Heard[Any]) -> str:
        object_id = str(heard.value.uid if progress.module == "tokens" else heard.value.id)
        try:
            if progress.module == "tokens":
                token = await keep_token(self._registry, roaming, heard)
                progress.changed += token.created
            else:
                outcome = await keep(self._registry, connection, progress.module, heard)
                progress.changed += not outcome.outdated and outcome.created
        except Refused as error:  # final, and said otherwise now
            progress.unreadable += 1
            trouble("partner.refused", connection_id=connection.id, module=progress.module, object_id=object_id, why=error)
        return object_id.lower()

    async def _expire(self, connection: Subscription, module: str, seen: set[str]) -> int:
        """What is not in a list without filter is gone."""
        assert connection.roaming is not None
        query = ListQuery(kind=KINDS[module], owners=(connection.roaming.partner,), counterparty=connection.id, limit=500)
        gone = []
        while True:
            page = await self._registry.journal.walk(query)
            gone += [object_id for stored in page.rows if (object_id := object_id_of(stored)).lower() not in seen]
            if page.next is None:
                break
            query = msgspec.structs.replace(query, after=tuple(page.next))
        for object_id in gone:
            try:
                if module == "tariffs":
                    await drop(self._registry, connection, module, object_id)
                else:
                    await expire_location(self._registry, connection, object_id)
            except Unknown:
                continue
        return len(gone)

    async def _last(self, connection_id: str, module: str) -> Pulled | None:
        stored = await self._registry.journal.get(_ref(connection_id, module))
        last = _pulled.decode(stored.body) if stored else None
        return last if last is not None and last.ended_at is not None else None

    async def _write(self, connection_id: str, pulled: Pulled) -> None:
        ref, journal = _ref(connection_id, pulled.module), self._registry.journal

        async def once() -> None:
            before = await journal.get(ref)
            write = Write(ref=ref, content=pulled, expect=before.version if before else 0, what="pulled")
            await journal.append(Unit(place=f"partner/{connection_id}", writes=[write]))

        await again(once, self._registry.turns)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _splay() -> float:
    """Not all partners at once, not even after a restart."""
    return 0.9 + 0.2 * random()  # noqa: S311  (nobody gains by guessing it)


def _ref(connection_id: str, module: str) -> Ref:
    return Ref("partnerpull", "", f"{connection_id}/{module}")
