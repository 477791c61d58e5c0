"""Up to which stamp everything is visible: nothing that is still being written has a stamp below it."""

from collections.abc import Callable

Clock = Callable[[], int]  # µs since 1970 UTC


class Frontier:
    """Knows the batches that are open, and gives each new one a stamp to begin at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[int, int] = {}  # partition → stamp at which its open batch began
        self._last = 0  # the highest stamp that was used
        self._promised = 0  # the highest answer that `complete_until` gave

    def begin(self, part: int) -> int:
        """A batch begins: the lowest stamp that it may use."""
        floor = self._open[part] = max(self._clock(), self._promised)
        return floor

    def end(self, part: int, stamp: int = 0) -> None:
        """The batch is over; `stamp` is the last one that it used."""
        self._open.pop(part, None)
        self._last = max(self._last, stamp)

    def complete_until(self) -> int:
        """Every object with a stamp below this is visible; no later batch will use one."""
        self._promised = max(self._promised, min(self._open.values(), default=max(self._clock(), self._last + 1)))
        return self._promised
