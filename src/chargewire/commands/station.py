"""`chargewire station`: virtual OCPP 1.6-J stations against any CSMS."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from chargewire.simulator.acn import read_records, shifted
from chargewire.simulator.drivers import Habit
from chargewire.simulator.fleet import Fleet, visited
from chargewire.simulator.habits import HABITS
from chargewire.simulator.link import Address
from chargewire.simulator.outlet import ac, dc
from chargewire.simulator.replay import replay
from chargewire.simulator.script import ScriptFailed, play, read_script
from chargewire.simulator.station import Plan, Station

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DEFAULT_TOKEN = "04AABBCC"  # noqa: S105  (the card of our examples)
END_S = 30.0  # to deliver what is left when everything else is over


class Seconds(click.ParamType[tuple[float, float]]):
    """`30` or `30-120`."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        low, _, high = str(value).partition("-")
        try:
            found = float(low), float(high or low)
        except ValueError:
            self.fail(f"{value!r} is not a number of seconds, or two with a dash between", param, ctx)
        if not 0 <= found[0] <= found[1]:
            self.fail(f"{value!r} does not go from less to more", param, ctx)
        return found


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command."""

    url: str
    id: tuple[str, ...]
    prefix: str
    count: int
    connectors: int
    password: str | None
    insecure: bool
    token: tuple[str, ...]
    power: float
    dc: bool
    phases: int
    speed: float
    interval: int
    stay: tuple[float, float]
    pause: tuple[float, float]
    sessions: int
    seed: int
    ramp: float
    set: tuple[str, ...]
    outbox: Path | None
    script: Path | None
    replay: tuple[Path, ...]
    shift: bool
    misbehave: tuple[str, ...]
    quiet: bool

    def names(self) -> list[str]:
        """The identities of the stations."""
        numbered = [f"{self.prefix}{number}" for number in range(1, self.count + 1)] if self.count else []
        return [*self.id, *numbered] or ["CS-1"]

    def address(self, station_id: str) -> Address:
        return Address(url=self.url, station_id=station_id, password=self.password, verify=not self.insecure)

    def station(self, station_id: str) -> Station:
        outlet = dc(self.power * 1000) if self.dc else ac(self.power * 1000, self.phases)
        settings = dict(text.split("=", 1) for text in self.set)
        plan = Plan(
            outlets=[outlet] * self.connectors,
            speed=self.speed,
            settings={"MeterValueSampleInterval": str(self.interval)} | settings,
            habits=self.misbehave,
            outbox=self.outbox / f"{station_id}.ndjson" if self.outbox else None,
        )
        return Station(self.address(station_id), plan, say=self.say)

    def say(self, station_id: str, text: str) -> None:
        if not self.quiet:
            click.echo(f"{datetime.now():%H:%M:%S} {station_id:<14} {text}")
            sys.stdout.flush()


def _settings(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    from chargewire.simulator.configuration import Configuration

    for text in given:
        name, equals, value = text.partition("=")
        if not equals or Configuration().write(name, value) != "Accepted":
            raise click.BadParameter(f"{text!r} is not KEY=VALUE of a key that can be written")
    return given


@click.command(
    epilog="Habits for --misbehave:\n\n\b\n" + "\n".join(f"  {name:<16}{about}" for name, about in HABITS.items()),
)
@click.option("--url", required=True, help="The CSMS without the identity, e.g. ws://localhost:9000/ocpp; wss:// too.")
@click.option("--id", multiple=True, help="Identity of a station; may be repeated. Default: CS-1.")
@click.option(
    "--prefix",
    default="CS-",
    show_default=True,
    help="With --count: identities PREFIX1, PREFIX2 …; with --replay: before each EVSE.",
)
@click.option("--count", type=click.IntRange(0), default=0, help="A fleet of so many stations.")
@click.option("--connectors", type=click.IntRange(1, 100), default=1, show_default=True, help="Connectors of each station.")
@click.option("--password", help="HTTP Basic password of each station (security profile 1, 2).")
@click.option("--insecure", is_flag=True, help="With wss://: do not check the certificate.")
@click.option("--token", multiple=True, default=(DEFAULT_TOKEN,), show_default=True, help="A driver's card; may be repeated.")
@click.option("--power", type=click.FloatRange(0.1, 2000), default=11.04, show_default=True, help="kW of each connector.")
@click.option("--dc", is_flag=True, help="Fast chargers: direct current.")
@click.option("--phases", type=click.IntRange(1, 3), default=3, show_default=True, help="Phases of an AC connector.")
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 10_000),
    default=1.0,
    show_default=True,
    help="Batteries charge so many times faster than the clock. Only physics: times that are told stay real.",
)
@click.option("--interval", type=click.IntRange(1), default=60, show_default=True, help="Seconds between meter values.")
@click.option("--stay", type=Seconds(), default="60-240", show_default=True, help="How long drivers stay, in seconds.")
@click.option(
    "--pause", type=Seconds(), default="5-60", show_default=True, help="How long a connector stays free between drivers."
)
@click.option("--sessions", type=click.IntRange(0), default=0, help="Sessions on each connector, then end; 0 = go on.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed brings the same drivers.")
@click.option(
    "--ramp",
    type=click.FloatRange(0),
    default=50.0,
    show_default=True,
    help="Stations switched on per second; 0 = all at once.",
)
@click.option(
    "--set", multiple=True, callback=_settings, metavar="KEY=VALUE", help="A configuration key of OCPP 1.6; may be repeated."
)
@click.option(
    "--outbox",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory where undelivered transaction messages outlive this process.",
)
@click.option("--script", type=_FILE, help="Play a script (TOML or JSON) at each station instead of random drivers.")
@click.option(
    "--replay",
    type=_FILE,
    multiple=True,
    help="Deliver real sessions of ACN-Data (.csv, .csv.gz) as stations do that were offline; EVSE X is the station PREFIXX.",
)
@click.option(
    "--shift", is_flag=True, help="With --replay: move all sessions by the same days, so that the last one ended yesterday."
)
@click.option(
    "--misbehave",
    type=click.Choice(list(HABITS)),
    multiple=True,
    metavar="NAME",
    help="A bad habit of real stations, see below; may be repeated.",
)
@click.option("--quiet", is_flag=True, help="Say nothing until the end.")
def station(**options: Any) -> None:
    """Virtual charge stations (OCPP 1.6-J over a real WebSocket) against any CSMS.

    Cars with batteries come and go by chance, a script is played, or real sessions are replayed. Stations keep transaction
    messages until they are acknowledged, reconnect by themselves, obey charging profiles and every command of the core
    profile. Each event is one line. Ctrl-C ends it.

    \b
    One station, drivers who stay two minutes, batteries sixty times as fast:
      chargewire station --url ws://localhost:9000/ocpp --id CS-1 --speed 60 --stay 120
    A thousand:
      chargewire station --url ws://localhost:9000/ocpp --prefix BENCH- --count 1000 --interval 10 --quiet
    """
    given = Options(**options)
    try:
        with asyncio.Runner(loop_factory=_loop) as runner:
            runner.run(_until_told(_work(given)))
    except* (ScriptFailed, ValueError, OSError) as group:
        raise click.ClickException("; ".join(str(error) for error in group.exceptions)) from group


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Work until it is done, or until SIGINT or SIGTERM: that is how it usually ends."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _work(options: Options) -> Coroutine[Any, Any, None]:
    if options.replay:
        return _replay(options)
    return _script(options) if options.script else _drivers(options)


async def _drivers(options: Options) -> None:
    habit = Habit(tokens=options.token, stay_s=options.stay, pause_s=options.pause, sessions=options.sessions)
    async with Fleet([options.station(name) for name in options.names()], options.ramp) as fleet:
        sessions = await visited(fleet, habit, options.seed)
        await _delivered(fleet)
    click.echo(f"{len(fleet.stations)} stations, {sessions} sessions, all delivered")


async def _script(options: Options) -> None:
    assert options.script
    script = read_script(options.script)
    async with Fleet([options.station(name) for name in options.names()], options.ramp) as fleet:
        async with asyncio.TaskGroup() as group:
            for each in fleet.stations:
                group.create_task(play(each, script))
        await _delivered(fleet)
    click.echo(f"{len(fleet.stations)} stations, script played, all delivered")


async def _replay(options: Options) -> None:
    records = read_records(options.replay)
    if options.shift:
        records = shifted(records, datetime.now(UTC))
    done = await replay(records, options.address(options.prefix), options.token, say=options.say)
    energy = f"{done.energy_wh / 1000:.3f} kWh"
    click.echo(f"{done.stations} stations, {done.sessions} sessions, {done.messages} messages, {energy}, all delivered")


async def _delivered(fleet: Fleet) -> None:
    try:
        async with asyncio.timeout(END_S):
            await fleet.delivered()
    except TimeoutError:
        left = sum(len(each.outbox) for each in fleet.stations)
        raise ValueError(f"{left} messages were not acknowledged within {END_S:g} s") from None


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()
