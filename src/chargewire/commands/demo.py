"""`chargewire demo`: both environments side by side, stations that charge, customers that are told."""

import asyncio
import contextlib
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

import chargewire.simulator
from chargewire.commands.children import ChildDied, Children
from chargewire.commands.demo_arrivals import EXPECTED, arrived, broken_scope
from chargewire.commands.demo_shown import SPEED_AC, Customer, Environment, show
from chargewire.commands.demo_world import CARDS, HISTORY, Place, World, furnish, subscribe, world
from chargewire.simulator.acn import read_records
from chargewire.simulator.replay import by_station

SAMPLE = Path(chargewire.simulator.__file__).parent / "data" / "acn-sample.csv"
SPEED_DC = 8
ONCE_S = 180.0

PULL = ("locations", "sessions", "cdrs", "metervalues", "notifications")
PUSHED = ("locations", "sessions", "cdrs", "notifications")
BOTH = {module: ["pull", "push"] if module in PUSHED else ["pull"] for module in PULL}
SMART = BOTH | {"smartcharging": ["pull", "write"], "remotecommands": ["write"]}
CUSTOMERS: tuple[tuple[str, str, Any, dict[str, list[str]]], ...] = (
    ("analytics", "all CPOs of the network, for analysis", "all", BOTH),
    ("city", "NL-BBB, for the city of Rotterdam", ["NL-BBB"], BOTH),
    ("smart", "NL-CCC, for whoever steers its charging", ["NL-CCC"], SMART),
)


class Options(Struct, frozen=True, kw_only=True):
    """The options of the command."""

    port: int
    ocpp_port: int
    receiver_port: int
    data: Path
    stations: bool
    minutes: float | None
    once: bool

    @property
    def stay(self) -> str:
        return "12-25" if self.once else "40-120"


@click.command()
@click.option(
    "--port", default=8000, show_default=True, help="HTTP port of acceptance; production has the next one. 0 = free ones."
)
@click.option(
    "--ocpp-port", default=9000, show_default=True, help="Port for stations of acceptance; production has the next one."
)
@click.option("--receiver-port", default=8700, show_default=True, help="Port of the receiver that stands for the customers.")
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Keep the data in this directory. Default: thrown away."
)
@click.option("--stations/--no-stations", default=False, help="Show what the stations say too.")
@click.option("--minutes", type=float, help="End after so long.")
@click.option(
    "--once",
    is_flag=True,
    help="Short sessions; end when each customer was told everything once. Code 1 if that takes too long.",
)
def demo(data: Path | None, **options: Any) -> None:
    """Everything at once, on this machine: two environments, three CPOs, cars that charge, customers that are told.

    \b
    acceptance   http://127.0.0.1:8000   stations at ws://127.0.0.1:9000/ocpp
    production   http://127.0.0.1:8001   stations at ws://127.0.0.1:9001/ocpp

    Virtual stations connect over real WebSockets. A month of real sessions (ACN-Data, CC BY 4.0) is delivered first, as
    offline stations would. Batteries charge faster than the clock, to have something to watch; every time told is real. A
    receiver prints what the customers are sent. Prints every URL and token. Ctrl-C ends all.
    """
    folder = data or Path(tempfile.mkdtemp(prefix="chargewire-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        arrived_all = asyncio.run(_until_told(Options(data=folder, **options)))
    except (ChildDied, TimeoutError, OSError) as error:
        raise click.ClickException(str(error) or type(error).__name__) from error
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)
    if not arrived_all:
        raise SystemExit(1)


async def _until_told(options: Options) -> bool:
    """Run the demo until Ctrl-C, SIGTERM or its own end. False if it was to check arrivals and something is missing."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    playing = asyncio.create_task(_play(options))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return playing.result() if playing.done() else True
    finally:
        stopped.cancel()
        if not playing.done():
            click.echo("\nending …")
            playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await playing


async def _play(options: Options) -> bool:
    logs, received = options.data / "logs", options.data / "received"
    logs.mkdir(exist_ok=True)
    shutil.rmtree(received, ignore_errors=True)
    async with Children(logs) as children:
        told = asyncio.create_task(_story(children, options, received))
        died = asyncio.create_task(children.one_died())
        try:
            await asyncio.wait({told, died}, return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                died.result()
            return await told
        finally:
            for task in (told, died):
                task.cancel()
            await asyncio.gather(told, died, return_exceptions=True)


async def _story(children: Children, options: Options, received: Path) -> bool:
    """All that happens, in order; ends when what was to be checked has arrived, or the time is over."""
    places = world(by_station(read_records([SAMPLE])))
    acceptance, production = await asyncio.gather(
        _serve(children, options, "acceptance", 0), _serve(children, options, "production", 1)
    )
    push_token = secrets.token_urlsafe(16)
    arguments = ["--port", str(options.receiver_port), "--token", push_token, "--save", str(received), "--colour"]
    receiver = await children.start("receiver", ["receive", *arguments], line=click.echo)
    [receiver_url] = await receiver.listening(1)
    password = secrets.token_urlsafe(12)
    await _furnish(acceptance, production, places, password)
    click.echo("delivering a month of real sessions …")
    await _deliver_history(children, acceptance)
    customers = await asyncio.to_thread(_subscribe, acceptance, production, receiver_url, push_token)
    show(acceptance, production, customers, receiver_url, options.data / "logs")
    await _connect(children, options, acceptance, places.acceptance, None)
    await _connect(children, options, production, places.production, password)
    return await _watch(options, received)


async def _serve(children: Children, options: Options, name: str, offset: int) -> Environment:
    admin_token = secrets.token_urlsafe(24)
    arguments = [
        "serve",
        "--environment",
        name,
        "--data",
        str(options.data / name),
        "--open-status",
        "--allow-private-endpoints",
    ]
    for option, port in (("--port", options.port), ("--ocpp-port", options.ocpp_port)):
        arguments += [option, str(port + offset if port else 0)]
    child = await children.start(name, arguments, environment={"CHARGEWIRE_ADMIN_TOKEN": admin_token})
    urls = await child.listening(2)
    url, ocpp_url = sorted(urls, key=lambda each: each.startswith("ws"))
    return Environment(name=name, url=url, ocpp_url=ocpp_url, admin_token=admin_token)


async def _furnish(acceptance: Environment, production: Environment, places: World, password: str) -> None:
    await asyncio.to_thread(furnish, acceptance.admin, places.cpos, places.acceptance, None)
    await asyncio.to_thread(furnish, production.admin, places.cpos, places.production, password)


async def _deliver_history(children: Children, acceptance: Environment) -> None:
    cards = [option for card in CARDS for option in ("--token", card)]
    arguments = ["--url", acceptance.ocpp_url, "--replay", str(SAMPLE), "--shift", "--prefix", HISTORY, "--quiet", *cards]
    child = await children.start("history", ["station", *arguments], line=lambda line: click.echo(f"  {line}"), may_end=True)
    await child.succeeded()


def _subscribe(acceptance: Environment, production: Environment, receiver_url: str, push_token: str) -> list[Customer]:
    """Make the subscriptions after the history: a new endpoint is told of what comes, not of what was."""
    customers = []
    for name, about, cpos, modules in CUSTOMERS:
        token = subscribe(acceptance.admin, name, cpos, modules, f"{receiver_url}/{name}", push_token)
        customers.append(Customer(name, about, acceptance.url, token))
    token = subscribe(production.admin, "analytics", "all", BOTH, f"{receiver_url}/production", push_token)
    return [*customers, Customer("production", "all CPOs, in production", production.url, token)]


async def _connect(
    children: Children, options: Options, environment: Environment, places: Sequence[Place], password: str | None
) -> None:
    """Switch the stations on: one process for each kind of connector."""
    kinds: dict[tuple[bool, float, int], list[str]] = {}
    for place in places:
        if not place.history:
            kinds.setdefault((place.dc, place.power_kw, place.connectors), []).extend(place.stations)
    cards = [option for card in CARDS for option in ("--token", card)]
    for (dc, power_kw, connectors), stations in kinds.items():
        arguments = ["--url", environment.ocpp_url, "--power", str(power_kw), "--connectors", str(connectors)]
        arguments += [
            "--speed",
            str(SPEED_DC if dc else SPEED_AC),
            "--interval",
            "5",
            "--stay",
            options.stay,
            "--pause",
            "3-20",
        ]
        arguments += ["--dc"] if dc else []
        arguments += [option for station in stations for option in ("--id", station)]
        name = f"stations-{environment.name}-{'dc' if dc else 'ac'}-{power_kw:g}-{connectors}"
        secret = {"CHARGEWIRE_STATION_PASSWORD": password} if password else {}
        await children.start(name, ["station", *arguments, *cards], line=_station_line(options), environment=secret)


def _station_line(options: Options) -> Callable[[str], None] | None:
    return (lambda line: click.secho(line, dim=True)) if options.stations else None


async def _watch(options: Options, received: Path) -> bool:
    """Wait for the end. True if nothing was to be checked, or everything arrived."""
    limit_s = options.minutes * 60 if options.minutes else ONCE_S if options.once else None
    clock = asyncio.get_running_loop().time
    end = clock() + limit_s if limit_s else None
    while end is None or clock() < end:
        await asyncio.sleep(0.5)
        if options.once and not EXPECTED - arrived(received):
            break
    return end is None or _verdict(received)


def _verdict(received: Path) -> bool:
    missing, wrong = EXPECTED - arrived(received), broken_scope(received)
    for each in sorted(missing):
        click.secho(f"missing: {each}", fg="red")
    for each in wrong:
        click.secho(f"told to the wrong customer: {each}", fg="red")
    if not missing and not wrong:
        click.secho("every customer was told what it may see, and nothing else", fg="green")
    return not missing and not wrong
