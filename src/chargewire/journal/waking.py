"""Waking those who wait for the next change of a partition."""

import asyncio
from collections import defaultdict


class Heads:
    """The number of each partition's last change, as far as this process has heard."""

    def __init__(self, parts: int) -> None:
        self.known = [0] * parts
        self._waiting: dict[int, set[asyncio.Future[None]]] = defaultdict(set)

    def announce(self, part: int, seq: int) -> None:
        """A partition has come to `seq`; call it on the event loop."""
        if seq <= self.known[part]:
            return
        self.known[part] = seq
        for future in self._waiting.pop(part, ()):
            if not future.done():
                future.set_result(None)

    async def wait(self, part: int, after: int) -> None:
        """Returns once `part` has a change with a number greater than `after`."""
        while self.known[part] <= after:
            future = asyncio.get_running_loop().create_future()
            self._waiting[part].add(future)
            try:
                await future
            finally:
                self._waiting[part].discard(future)
