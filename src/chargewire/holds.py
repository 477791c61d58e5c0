"""How long the event loop was held: while something computes on it, no station and no customer is heard."""

import asyncio
from collections import deque
from collections.abc import Iterator
from time import monotonic

from chargewire.api.metrics import family

EVERY_S = 0.02
MINUTE_S = 60.0


class Holds:
    """Wakes up fifty times a second and sees how late it is. The goal is to be never more than 10 ms late."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()  # (when, how late), ever smaller: the first is the longest
        self.longest_s = 0.0  # since the start

    async def watch(self) -> None:
        """For ever."""
        while True:
            due = monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            now = monotonic()
            self._note(now, now - due)

    def lines(self) -> Iterator[str]:
        """For `/metrics`."""
        minute = self._late[0][1] if self._late else 0.0
        samples = [((("over", "minute"),), minute), ((("over", "start"),), self.longest_s)]
        yield from family("chargewire_loop_longest_hold_seconds", "gauge", "Longest hold of the event loop.", samples)

    def _note(self, now: float, late: float) -> None:
        self.longest_s = max(self.longest_s, late)
        while self._late and self._late[-1][1] <= late:
            self._late.pop()
        self._late.append((now, late))
        while now - self._late[0][0] > MINUTE_S:
            self._late.popleft()
