"""Threads with a connection each: one that writes, some that read. Their results go back to the event loop.

Lighter than an executor: a queue on the way there, one callback on the way back.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.sqlite_files import OUT_OF_REACH, unavailable

T = TypeVar("T")
Work = Callable[[apsw.Connection], Any]
Job = tuple[Work, asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Threads:
    """Do jobs, each with the connection of its thread; one thread does them in the order they were given.

    Errors of the database come back as MemoryUnavailable.
    """

    def __init__(self, name: str, connections: list[apsw.Connection]) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._connections = connections
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, args=(connection,), name=name, daemon=True) for connection in connections
        ]
        for thread in self._threads:
            thread.start()

    def run(self, work: Callable[[apsw.Connection], T]) -> "asyncio.Future[T]":
        """Have a job done; the future is of the running loop. Raises MemoryUnavailable after `stop`."""
        if self._stopped:
            raise MemoryUnavailable("the journal is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((work, loop, future))
        return future

    def stop(self) -> None:
        """Finish what was given, then end; the connections are closed."""
        self._stopped = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        for connection in self._connections:
            connection.close()

    def _work(self, connection: apsw.Connection) -> None:
        while (job := self._jobs.get()) is not None:
            work, loop, future = job
            result: Any = None
            error: Exception | None = None
            try:
                result = work(connection)
            except OUT_OF_REACH as cause:
                error = unavailable(cause)
                error.__cause__ = cause
            except Exception as cause:
                error = cause
            try:
                loop.call_soon_threadsafe(_tell, future, result, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue


def _tell(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
