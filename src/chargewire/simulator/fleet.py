"""Many virtual stations in one process, switched on one after the other."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

from chargewire.simulator.drivers import Habit, bring_car, use
from chargewire.simulator.station import Station


class Fleet(AbstractAsyncContextManager["Fleet"]):
    """Runs stations while its block lasts; `per_second` of them are switched on, 0 = all at once."""

    def __init__(self, stations: Sequence[Station], per_second: float = 50.0) -> None:
        self.stations = stations
        self._per_second = per_second
        self._lives: list[asyncio.Task[None]] = []
        self._ramp: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._ramp = asyncio.create_task(self._switch_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [task for task in (self._ramp, *self._lives) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self) -> None:
        """Wait until every station has been accepted once."""
        await asyncio.gather(*(station.ready.wait() for station in self.stations))

    async def delivered(self) -> None:
        """Wait until every station has delivered what it had to tell."""
        await asyncio.gather(*(station.outbox.emptied() for station in self.stations))

    async def _switch_on(self) -> None:
        for station in self.stations:
            self._lives.append(asyncio.create_task(station.run()))
            if self._per_second:
                await asyncio.sleep(1 / self._per_second)


async def visited(fleet: Fleet, habit: Habit, seed: int) -> int:
    """Let drivers use every connector of a fleet; gives the number of sessions when all have had theirs."""
    work: list[Coroutine[Any, Any, int]] = []
    for station in fleet.stations:
        rng = random.Random(f"{seed}/{station.id}")  # noqa: S311  (arrivals)
        station.on_remote_start = _app_driver(station, rng, habit)
        work += [_use_when_ready(station, number, habit, random.Random(rng.random())) for number in station.charger.plugs]  # noqa: S311
    return sum(await gathered(work))


async def gathered(work: Iterable[Coroutine[Any, Any, int]]) -> list[int]:
    """All results; the first failure ends the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
    return [task.result() for task in tasks]


def _app_driver(station: Station, rng: random.Random, habit: Habit) -> Callable[[int], None]:
    def come(number: int) -> None:
        station.later(bring_car(station, number, rng, habit.stay_s))

    return come


async def _use_when_ready(station: Station, number: int, habit: Habit, rng: random.Random) -> int:
    await station.ready.wait()
    return await use(station, number, habit, rng)
