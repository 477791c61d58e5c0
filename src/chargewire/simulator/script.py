"""A story for one station, as a list of steps in TOML: what happens at its connectors, in order.

[[step]]
do = "plug"
soc = 0.4

[[step]]
do = "authorize"
token = "04AABBCC"

[[step]]
do = "charge"
kwh = 2.5

[[step]]
do = "unplug"
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from chargewire.charging.facts import StatusReported
from chargewire.charging.location import Status
from chargewire.simulator.car import Car
from chargewire.simulator.station import Station

Seconds = Annotated[float, Meta(ge=0)]
Number = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]


class _Step(Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    pass


class Plug(_Step, frozen=True, kw_only=True, tag="plug"):
    """A car arrives."""

    connector: Number = 1
    capacity_kwh: Annotated[float, Meta(gt=0)] = 60.0
    soc: Share = 0.3
    target: Share = 1.0
    phases: Annotated[int, Meta(ge=1, le=3)] = 3
    max_ac_a: Annotated[float, Meta(gt=0)] = 16.0
    max_dc_kw: Annotated[float, Meta(gt=0)] = 120.0


class Authorize(_Step, frozen=True, kw_only=True, tag="authorize"):
    """A card is held before the connector: starts a session, or ends the one that it began."""

    token: Annotated[str, Meta(min_length=1, max_length=20)]
    connector: Number = 1
    accepted: bool | None = None  # what the CSMS should say; None: whatever it says


class Charge(_Step, frozen=True, kw_only=True, tag="charge"):
    """Wait until so much was charged, or the car is full, or the time is over: whichever comes first."""

    connector: Number = 1
    kwh: Annotated[float, Meta(gt=0)] | None = None
    soc: Share | None = None
    seconds: Seconds | None = None


class Stop(_Step, frozen=True, kw_only=True, tag="stop"):
    """The session ends, with a reason of OCPP 1.6."""

    connector: Number = 1
    reason: str = "Local"


class Unplug(_Step, frozen=True, kw_only=True, tag="unplug"):
    """The car leaves."""

    connector: Number = 1


class Wait(_Step, frozen=True, kw_only=True, tag="wait"):
    seconds: Seconds


class Await(_Step, frozen=True, kw_only=True, tag="await"):
    """Wait until a connector has a status; the script fails if it does not come in time."""

    status: Status
    connector: Number = 1
    seconds: Seconds = 30.0


class TellStatus(_Step, frozen=True, kw_only=True, tag="status"):
    """Report a status, whatever the truth is; connector 0 is the station."""

    status: Status
    connector: Annotated[int, Meta(ge=0)] = 1
    error: str = "NoError"


class Fault(_Step, frozen=True, kw_only=True, tag="fault"):
    """A connector breaks: its session, if any, stays and gets no energy."""

    connector: Number = 1
    error: str = "OtherError"


class Clear(_Step, frozen=True, kw_only=True, tag="clear"):
    """The fault is over."""

    connector: Number = 1


class Reconnect(_Step, frozen=True, kw_only=True, tag="reconnect"):
    """The connection breaks and comes back after a while."""

    seconds: Seconds = 1.0
    wait: bool = True  # for the connection, before the next step


class Reset(_Step, frozen=True, kw_only=True, tag="reset"):
    hard: bool = False


class Delivered(_Step, frozen=True, kw_only=True, tag="delivered"):
    """Wait until every transaction message is acknowledged."""

    seconds: Seconds = 60.0


Step = Plug | Authorize | Charge | Stop | Unplug | Wait | Await | TellStatus | Fault | Clear | Reconnect | Reset | Delivered


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The steps, gone through `repeat` times (0 = without end)."""

    step: tuple[Step, ...]
    repeat: Annotated[int, Meta(ge=0)] = 1


class ScriptFailed(Exception):
    """Something did not happen as the script has it."""


def read_script(path: Path) -> Script:
    """A script from a TOML or JSON file. Raises ValueError that tells where it is wrong."""
    data = path.read_bytes()
    try:
        if path.suffix == ".json":
            return msgspec.json.decode(data, type=Script)
        return msgspec.toml.decode(data, type=Script)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


async def play(station: Station, script: Script) -> None:
    """Go through a script. Raises ScriptFailed."""
    await station.ready.wait()
    rounds = 0
    while not script.repeat or rounds < script.repeat:
        for step in script.step:
            number = getattr(step, "connector", 1)
            if number and number not in station.charger.plugs:
                raise ScriptFailed(f"there is no connector {number}")
            await _HOW[type(step)](station, step)
        rounds += 1


async def _plug(station: Station, step: Plug) -> None:
    car = Car(
        capacity_wh=step.capacity_kwh * 1000,
        stored_wh=step.capacity_kwh * 1000 * step.soc,
        target=step.target,
        phases=step.phases,
        max_ac_a=step.max_ac_a,
        max_dc_w=step.max_dc_kw * 1000,
    )
    try:
        station.charger.arrive(step.connector, car)
    except ValueError as error:
        raise ScriptFailed(str(error)) from error


async def _authorize(station: Station, step: Authorize) -> None:
    accepted = await station.present(step.connector, step.token)
    if step.accepted is not None and accepted != step.accepted:
        raise ScriptFailed(f"token {step.token} was {'accepted' if accepted else 'refused'}")


async def _charge(station: Station, step: Charge) -> None:
    plug = station.charger.plugs[step.connector]
    begin_wh, clock = plug.meter.register_wh, asyncio.get_running_loop().time
    until = clock() + step.seconds if step.seconds is not None else float("inf")
    while plug.transaction and plug.car and not plug.car.full and clock() < until:
        if step.kwh is not None and plug.meter.register_wh - begin_wh >= step.kwh * 1000:
            return
        if step.soc is not None and plug.car.soc >= step.soc:
            return
        await asyncio.sleep(0.05)


async def _stop(station: Station, step: Stop) -> None:
    station.charger.stop(step.connector, step.reason)


async def _unplug(station: Station, step: Unplug) -> None:
    station.charger.leave(step.connector)


async def _wait(_: Station, step: Wait) -> None:
    await asyncio.sleep(step.seconds)


async def _await(station: Station, step: Await) -> None:
    plug = station.charger.plugs[step.connector]
    try:
        async with asyncio.timeout(step.seconds):
            while plug.status != step.status:  # noqa: ASYNC110  (physics has no events)
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise ScriptFailed(f"connector {step.connector} is {plug.status}, not {step.status}") from error


async def _tell_status(station: Station, step: TellStatus) -> None:
    clock = station.charger.clock
    await station.tell(StatusReported(connector_number=step.connector, status=step.status, at=clock(), error_code=step.error))


async def _fault(station: Station, step: Fault) -> None:
    station.charger.plugs[step.connector].fault = step.error
    station.charger.show(station.charger.plugs[step.connector])


async def _clear(station: Station, step: Clear) -> None:
    station.charger.plugs[step.connector].fault = None
    station.charger.show(station.charger.plugs[step.connector])


async def _reconnect(station: Station, step: Reconnect) -> None:
    station.disconnect(step.seconds)
    await station.link.lost()
    if step.wait:
        await asyncio.sleep(step.seconds)
        await station.ready.wait()


async def _reset(station: Station, step: Reset) -> None:
    await station.reset(step.hard)
    await station.link.lost()


async def _delivered(station: Station, step: Delivered) -> None:
    try:
        async with asyncio.timeout(step.seconds):
            await station.outbox.emptied()
    except TimeoutError as error:
        raise ScriptFailed(f"{len(station.outbox)} messages are not acknowledged") from error


_HOW: Mapping[type, Callable[[Station, Any], Awaitable[None]]] = {
    Plug: _plug,
    Authorize: _authorize,
    Charge: _charge,
    Stop: _stop,
    Unplug: _unplug,
    Wait: _wait,
    Await: _await,
    TellStatus: _tell_status,
    Fault: _fault,
    Clear: _clear,
    Reconnect: _reconnect,
    Reset: _reset,
    Delivered: _delivered,
}
