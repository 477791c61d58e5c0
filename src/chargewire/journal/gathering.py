"""Group commit: while one batch is flushed the next one gathers. There is no timer to wait for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import Committed, JournalError, LostRace, NameTaken, Unstorable
from chargewire.journal.prepared import Prepared

LARGEST = 400  # units of one batch: to decide and to tell them may not hold the event loop for long
Outcome = Committed | LostRace | NameTaken
Flush = Callable[[Sequence[Prepared]], Awaitable[Sequence[Outcome]]]


class Gathering:
    """The units of one partition on their way into the database, one batch at a time, in the order they were given."""

    def __init__(self, flush: Flush, turn: AbstractAsyncContextManager[None] | None = None) -> None:
        """`turn`: what a batch waits for before it is closed and written; it grows meanwhile."""
        self._flush = flush
        self._turn = turn or nullcontext()
        self._units: list[Prepared] = []
        self._waiting: list[asyncio.Future[Committed]] = []
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    def add(self, unit: Prepared) -> asyncio.Future[Committed]:
        """Put a unit into the next batch; the future is done when it is durable, or holds what went wrong."""
        if self._closed:
            raise MemoryUnavailable("the journal is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Committed] = loop.create_future()
        self._units.append(unit)
        self._waiting.append(future)
        if self._running is None:
            self._running = loop.create_task(self._run())
        return future

    async def close(self) -> None:
        """Flush what was given, take nothing more."""
        self._closed = True
        while self._running is not None:
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            while self._units:
                async with self._turn:
                    units, self._units = self._units[:LARGEST], self._units[LARGEST:]
                    waiting, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
                    outcomes = await self._outcomes(units)
                _tell(waiting, outcomes)
        finally:
            self._running = None

    async def _outcomes(self, units: Sequence[Prepared]) -> Sequence[Outcome | JournalError | MemoryUnavailable]:
        """What became of each unit. A batch that is refused is halved until the one to blame is alone."""
        try:
            return await self._flush(units)
        except MemoryUnavailable as error:
            return [error] * len(units)
        except Exception as error:
            if len(units) == 1:
                refusal = Unstorable(str(error))
                refusal.__cause__ = error
                return [refusal]
            middle = len(units) // 2
            return [*await self._outcomes(units[:middle]), *await self._outcomes(units[middle:])]


def _tell(waiting: Sequence[asyncio.Future[Committed]], outcomes: Sequence[Outcome | Exception]) -> None:
    for future, outcome in zip(waiting, outcomes, strict=True):
        if future.done():  # whoever asked has gone
            continue
        if isinstance(outcome, Committed):
            future.set_result(outcome)
        elif isinstance(outcome, MemoryUnavailable):
            future.set_exception(MemoryUnavailable(*outcome.args))
        else:
            future.set_exception(outcome)
            future.exception()  # it is no news to the loop if nobody waits
