"""Long work on the event loop, in pieces: nothing holds the loop for more than about ten milliseconds."""

import asyncio
from time import monotonic

HOLD_S = 0.004


class Turns:
    """`give` after each piece lets others have their turn once the pieces since the last turn have taken long enough."""

    def __init__(self) -> None:
        self._since = monotonic()

    async def give(self) -> None:
        if monotonic() - self._since > HOLD_S:
            await asyncio.sleep(0)
            self._since = monotonic()
