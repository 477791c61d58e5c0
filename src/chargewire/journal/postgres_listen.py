"""Hearing what other processes commit: LISTEN on a connection of its own, made again when it is lost."""

import asyncio
from contextlib import suppress
from typing import Any

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.postgres_link import Line, is_away
from chargewire.journal.statements import queries
from chargewire.journal.waking import Heads

CHANNEL = "chargewire_change"
AGAIN_S = 0.5
CHECKED_S = 30.0  # a connection that is silent for so long is asked whether it is still there

_sql = queries("postgres")


class Listener:
    """Announces every partition's last change, whoever made it."""

    def __init__(self, url: str, heads: Heads) -> None:
        self._line = Line(url)
        self._heads = heads
        self._schema = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when it listens. Raises MemoryUnavailable."""
        lost = await self._listen()
        self._task = asyncio.create_task(self._stay(lost))

    async def stop(self) -> None:
        """Hear no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._line.close()

    async def _stay(self, lost: asyncio.Event) -> None:
        while True:
            try:
                await self._until_lost(lost)
                await self._line.drop()
                lost = await self._listen()
            except Exception as error:
                if not isinstance(error, MemoryUnavailable) and not is_away(error):
                    raise
                lost = asyncio.Event()
                lost.set()
                await asyncio.sleep(AGAIN_S)

    async def _until_lost(self, lost: asyncio.Event) -> None:
        while not lost.is_set():
            try:
                await asyncio.wait_for(lost.wait(), CHECKED_S)
            except TimeoutError:
                await (await self._line.connection()).fetchval("SELECT 1")

    async def _listen(self) -> asyncio.Event:
        connection = await self._line.connection()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        self._schema = await connection.fetchval(_sql["schema"])
        await connection.add_listener(CHANNEL, self._heard)
        for part, changes, _ in await connection.fetch(_sql["heads"]):
            self._heads.announce(part, changes)
        return lost

    def _heard(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        schema, part, seq = payload.rsplit(" ", 2)
        if schema == self._schema:
            self._heads.announce(int(part), int(seq))
