"""Drivers who come and go at a station by chance, the same ones for the same seed."""

import asyncio
import random
from collections.abc import Sequence

from msgspec import Struct

from chargewire.simulator.car import Car
from chargewire.simulator.station import Station


class Habit(Struct, frozen=True, kw_only=True):
    """How people use a connector: seconds of the clock, in ranges."""

    tokens: Sequence[str]
    stay_s: tuple[float, float] = (60.0, 240.0)
    pause_s: tuple[float, float] = (5.0, 60.0)
    sessions: int = 0  # per connector; 0 = without end
    lingers: float = 0.3  # share of those who stay until they want to go, even if the car is full


async def use(station: Station, number: int, habit: Habit, rng: random.Random) -> int:
    """Visit one connector again and again; gives how many sessions there were when it is over."""
    done = 0
    await asyncio.sleep(rng.uniform(0, habit.pause_s[1]))
    while not habit.sessions or done < habit.sessions:
        if await _visit(station, number, habit, rng):
            done += 1
        await asyncio.sleep(rng.uniform(*habit.pause_s))
    return done


async def bring_car(station: Station, number: int, rng: random.Random, stay_s: tuple[float, float]) -> None:
    """A driver who started by app plugs in, charges and leaves."""
    await asyncio.sleep(rng.uniform(1, 3))
    if station.charger.plugs[number].car is None:
        station.charger.arrive(number, Car.arriving(rng))
        await asyncio.sleep(rng.uniform(*stay_s))
        station.charger.leave(number)


async def _visit(station: Station, number: int, habit: Habit, rng: random.Random) -> bool:
    """One driver: plugs in, shows a card, charges, leaves. False if there was no charging."""
    plug = station.charger.plugs[number]
    token, car, stay_s = rng.choice(habit.tokens), Car.arriving(rng), rng.uniform(*habit.stay_s)
    lingers = rng.random() < habit.lingers
    if plug.car or not plug.free:
        return False
    station.charger.arrive(number, car)
    await asyncio.sleep(min(rng.uniform(0.5, 3.0), stay_s))
    started = await station.present(number, token)
    if started:
        await _charge(station, number, stay_s, lingers)
        if plug.transaction:
            await station.present(number, token)
            await asyncio.sleep(min(rng.uniform(0.5, 4.0), stay_s))
    if plug.car is car:
        station.charger.leave(number)
    return started


async def _charge(station: Station, number: int, stay_s: float, lingers: bool) -> None:
    """Wait until the driver wants to go, the car is full, or the session is ended by somebody else."""
    plug = station.charger.plugs[number]
    until = asyncio.get_running_loop().time() + stay_s
    while plug.transaction and (left := until - asyncio.get_running_loop().time()) > 0:
        if plug.car and plug.car.full and not lingers:
            return
        await asyncio.sleep(min(left, 1.0))
