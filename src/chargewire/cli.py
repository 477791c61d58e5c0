"""The `chargewire` command. Each subcommand lives in `commands/` and is loaded only when it is asked for."""

from importlib import import_module

import click

from chargewire import __version__

_COMMANDS = {  # name → module in `commands`, and the object there
    "serve": "serve:serve",
    "demo": "demo:demo",
    "station": "station:station",
    "receive": "receive:receive",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "network": "admin:network",
    "cpo": "admin:cpo",
    "emsp": "admin:emsp",
    "location": "admin:location",
    "tariff": "admin:tariff",
    "token": "admin:token",
    "subscription": "admin:subscription",
    "partner": "partner:partner",
    "cdr": "cdr:cdr",
    "command": "admin:command",
    "import": "admin:import_",
    "show": "admin:show",
}


class _Lazy(click.Group):
    """Loads a subcommand's module when its name is used, so that `--help` of one does not pay for all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        found = getattr(import_module(f"chargewire.commands.{module}"), name)
        assert isinstance(found, click.Command), where
        return found


@click.group(cls=_Lazy, context_settings={"auto_envvar_prefix": "CHARGEWIRE", "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chargewire")
def main() -> None:
    """Chargewire: charge stations in by OCPP, their data out by pull and push to those who have a right to it.

    Every option can also be given in the environment: --port as CHARGEWIRE_PORT.
    """
