"""The thread that writes: whatever it is given is done one after the other, the results go back to the event loop."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from chargewire.journal.sqlite_files import OUT_OF_REACH, unavailable

T = TypeVar("T")
Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class WritingThread:
    """Does jobs in the order they were given. Errors of the database come back as MemoryUnavailable."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="journal-writer", daemon=True)
        self._thread.start()

    def run(self, job: Callable[[], T]) -> "asyncio.Future[T]":
        """Have a job done; the future is of the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((job, loop, future))
        return future

    def stop(self) -> None:
        """Finish what was given, then end."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, loop, future = item
            result: Any = None
            error: BaseException | None = None
            try:
                result = job()
            except OUT_OF_REACH as cause:
                error = unavailable(cause)
                error.__cause__ = cause
            except Exception as cause:
                error = cause
            try:
                loop.call_soon_threadsafe(_tell, future, result, error)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue


def _tell(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
