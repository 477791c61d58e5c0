"""When partners are pulled from: at once when they have connected, then every few hours, and when somebody asks for it."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import random

from msgspec import Struct

from chargewire.charging.errors import ChargingError, MemoryUnavailable, Refused
from chargewire.csms.registry import Registry
from chargewire.journal.memory import JournalError
from chargewire.log import event, trouble
from chargewire.roaming.calls import PartnerError
from chargewire.roaming.pulled import read_pulled
from chargewire.roaming.pulling import Puller, modules_of
from chargewire.sharing.subscription import Subscription

TURN_S = 15.0
AGAIN_S = 300.0  # after a list that could not be read
AT_ONCE = 4  # connections that are pulled from at the same time
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Due(Struct):
    """When a connection is pulled from next. `since`: of its newest token; another one means that it was connected anew."""

    at: datetime
    since: datetime


class PullTimes:
    """`start` it and `stop` it; `begin` pulls now."""

    def __init__(self, registry: Registry, puller: Puller) -> None:
        self._registry = registry
        self._puller = puller
        self._due: dict[str, _Due] = {}
        self._turns: dict[str, asyncio.Lock] = {}  # by connection: one list after the other
        self._waiting: set[tuple[str, bool]] = set()  # for their turn: connections, and whether for whole lists
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def start(self) -> None:
        """From now on, whenever it is time, and at once when a partner has connected."""
        self._registry.directory.on_change(lambda ref: self._woken.set() if ref.kind == "subscription" else None)
        self._spawn(self._keep_going())

    async def stop(self) -> None:
        """End what is under way; it goes on where it was."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, connection: Subscription, *, whole: bool = False) -> list[str]:
        """Pull from a partner now, in the background; what is pulled. Raises Refused."""
        roaming = connection.roaming
        if roaming is None or connection.state != "live":
            raise Refused("is not connected", "state")
        modules, turn = modules_of(roaming), self._turns.setdefault(connection.id, asyncio.Lock())
        at = self._registry.now() + timedelta(seconds=roaming.pull_every_s * _splay())
        self._due[connection.id] = _Due(at, _since(connection))
        if (connection.id, whole) not in self._waiting:
            self._waiting.add((connection.id, whole))
            self._spawn(self._pull_all(connection, modules, turn, whole))
        return modules

    # inside

    async def _keep_going(self) -> None:
        while True:
            self._woken.clear()
            next_s = TURN_S
            for connection in self._registry.directory.connections():
                try:
                    next_s = min(next_s, await self._begin_if_due(connection))
                except MemoryUnavailable:
                    break
                except Exception as error:  # what is wrong with one must not cost the others theirs
                    trouble("partner.not_pulled", cause=error, connection_id=connection.id)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), next_s)

    async def _begin_if_due(self, connection: Subscription) -> float:
        """How many seconds later to look at it again."""
        roaming, now = connection.roaming, self._registry.now()
        if roaming is None or connection.state != "live" or not roaming.pull_every_s:
            self._due.pop(connection.id, None)
            return TURN_S
        wait_s = (await self._due_at(connection) - now).total_seconds()
        if wait_s <= 0:
            self.begin(connection)
            return TURN_S
        return max(wait_s, 0.1)

    async def _due_at(self, connection: Subscription) -> datetime:
        """After a restart, when it would have been without; if it has connected since, as soon as the partner is ready."""
        due, since = self._due.get(connection.id), _since(connection)
        if due is None or due.since != since:
            roaming = connection.roaming
            assert roaming is not None
            last = [await read_pulled(self._registry, connection.id, module) for module in modules_of(roaming)]
            began = [each.began_at for each in last]
            at = roaming.ready_at or since
            if all(each is not None and each >= since for each in began):
                every = timedelta(seconds=roaming.pull_every_s * _splay())
                at = min((each + every for each in began if each is not None), default=at)
            due = self._due[connection.id] = _Due(at, since)
        return due.at

    async def _pull_all(self, connection: Subscription, modules: list[str], turn: asyncio.Lock, whole: bool) -> None:
        async with turn, self._room:
            self._waiting.discard((connection.id, whole))
            for module in modules:
                connection = self._registry.directory.subscription(connection.id) or connection
                try:
                    done = await self._puller.pull(connection, module, whole=whole)
                except (PartnerError, ChargingError, JournalError) as error:
                    trouble("partner.not_pulled", connection_id=connection.id, module=module, why=error)
                    self._soon(connection)
                except Exception as error:  # what a partner says must not cost the next module its turn
                    trouble("partner.not_pulled", cause=error, connection_id=connection.id, module=module)
                    self._soon(connection)
                else:
                    event("partner.pulled", connection_id=connection.id, module=module, read=done.read, changed=done.changed)

    def _soon(self, connection: Subscription) -> None:
        soon = self._registry.now() + timedelta(seconds=AGAIN_S * _splay())
        if (due := self._due.get(connection.id)) is not None:
            due.at = min(due.at, soon)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _since(connection: Subscription) -> datetime:
    """When both sides were last given their tokens."""
    return max((token.created_at for token in connection.tokens), default=_EPOCH)


def _splay() -> float:
    """Not all partners at once."""
    return 0.9 + 0.2 * random()  # noqa: S311  (nobody gains by guessing it)
