"""`chargewire serve`: one environment."""

import asyncio
import logging
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from chargewire.charging.errors import ChargingError
from chargewire.journal.memory import JournalError
from chargewire.settings import ENVIRONMENTS, Settings, checked
from chargewire.sharing.keys import BadKey

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)


def _config(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Defaults from a TOML file: the keys at its top, or those of its table `serve`."""
    if path is None:
        return
    try:
        read: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{path}: {error}") from error
    known = {name.lstrip("-").replace("-", "_"): each for each in ctx.command.params for name in (*each.opts, each.name or "")}
    settings: dict[str, Any] = {}
    for key, value in read.get("serve", read).items():
        option = known.get(key.replace("-", "_"))
        if option is None or not option.name:
            raise click.BadParameter(f"{path}: unknown setting {key}")
        settings[option.name] = [value] if option.multiple and isinstance(value, str) else value
    ctx.default_map = {**(ctx.default_map or {}), **settings}


def _option(*names: str, **settings: Any) -> Callable[[F], F]:
    """An option that is read from `CHARGEWIRE_NAME` as well as from `CHARGEWIRE_SERVE_NAME`."""
    name = names[0].split("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(*names, envvar=[f"CHARGEWIRE_{name}", f"CHARGEWIRE_SERVE_{name}"], show_envvar=False, **settings)


@click.command()
@click.option(
    "--config",
    type=_FILE,
    callback=_config,
    is_eager=True,
    expose_value=False,
    envvar=["CHARGEWIRE_CONFIG", "CHARGEWIRE_SERVE_CONFIG"],
    help="TOML file with these options as keys.",
)
@_option(
    "--environment", type=click.Choice(ENVIRONMENTS), default="acceptance", show_default=True, help="Which environment this is."
)
@_option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Directory for the database and the key.",
)
@_option("--database", help="postgresql://… or sqlite:///…; default: SQLite in the data directory.")
@_option("--key-file", type=_FILE, help="The instance key (made if absent); default: in the data directory.")
@_option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@_option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="HTTP port; 0 = a free one.")
@_option(
    "--ocpp-port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="Port for stations; 0 = a free one."
)
@_option("--public-url", help="Address that customers use, for links in answers, e.g. https://charge.example.")
@_option("--public-ocpp-url", help="Address that stations use, e.g. wss://ocpp.charge.example/ocpp.")
@_option("--tls-cert", type=_FILE, help="Certificate chain (PEM) for both ports.")
@_option("--tls-key", type=_FILE, help="Its private key (PEM).")
@_option("--trusted-proxy", multiple=True, help="Address of a proxy whose X-Forwarded-… headers are believed; may be repeated.")
@_option("--admin-token", help="Token of the admin API; better given by CHARGEWIRE_ADMIN_TOKEN or --admin-token-file.")
@_option("--admin-token-file", type=_FILE, help="File that holds the admin token.")
@_option(
    "--allow-private-endpoints/--no-allow-private-endpoints",
    default=None,
    help="Let webhooks go to http, loopback and private addresses. Default: on in acceptance, off in production.",
)
@_option(
    "--allow-open-stations/--no-allow-open-stations",
    default=None,
    help="Let stations without a password in. Default: on in acceptance, off in production.",
)
@_option(
    "--park-unknown-stations/--refuse-unknown-stations",
    default=False,
    help="Accept stations that no location has and keep what they say, instead of refusing them.",
)
@_option("--open-status/--guarded-status", default=False, help="Show the status page without a login (for demonstrations).")
@_option(
    "--heartbeat",
    "heartbeat_s",
    type=click.IntRange(5, 86400),
    default=60,
    show_default=True,
    help="Seconds between the heartbeats that stations are told to send.",
)
@_option(
    "--message-days",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Days that station messages and notifications are kept.",
)
@_option("--change-days", type=click.IntRange(1), default=30, show_default=True, help="Days that the change log is kept.")
@_option("--reading-days", type=click.IntRange(1), default=396, show_default=True, help="Days that meter readings are kept.")
@_option("--cdr-days", type=click.IntRange(1), default=3653, show_default=True, help="Days that CDRs and sessions are kept.")
@_option("--workers", type=int, default=1, show_default=True, help="Processes; more than 1 is not built yet.")
@_option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much is logged (to standard error).",
)
def serve(admin_token_file: Path | None, log_level: str, **options: Any) -> None:
    """Run one environment: stations connect to ws://HOST:OCPP_PORT/ocpp/STATION, customers to http://HOST:PORT.

    Prints `listening …` for both ports once they accept. Ctrl-C or SIGTERM ends it; nothing acknowledged is lost either way.
    """
    logging.basicConfig(stream=sys.stderr, level=log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    from chargewire.app import run  # here, so that --help is quick

    try:
        if admin_token_file:
            options["admin_token"] = admin_token_file.read_text(encoding="utf-8").strip()
        with asyncio.Runner(loop_factory=_loop) as runner:
            runner.run(run(checked(Settings(**options))))
    except (ChargingError, JournalError, BadKey, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        return


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()
