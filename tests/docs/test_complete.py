"""What can be called, said or set is written down."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import pytest
from msgspec.structs import fields

from chargewire.api import ocpi_lists, ocpi_received
from chargewire.api.build import ADMIN, PULL
from chargewire.charging.commands import Command
from chargewire.charging.flags import FLAGS
from chargewire.cli import main
from chargewire.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def _commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from _commands(command, (*names, name))
        else:
            yield " ".join((*names, name)), command


COMMANDS = dict(_commands(main))


def _section(page: str, command: str) -> str:
    """What the page says of a command: from its heading to the next one of the same depth."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n## chargewire {command}\n")
    return rest.split("\n## ")[0] if found else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_of_its_options_is_in_the_reference(name: str) -> None:
    section = _section("cli.md", name)
    assert section, f"docs/reference/cli.md has no section '## chargewire {name}'"
    options = [
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--") and option != "--help"
    ]
    assert [option for option in options if f"`{option}" not in section and f"{option}`" not in section] == []


def test_every_setting_of_the_server_is_in_the_reference() -> None:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    named = {"heartbeat_s": "heartbeat"}  # where the option has another name than the field
    missing = [field.name for field in fields(Settings) if f"`{named.get(field.name, field.name)}`" not in text]
    assert missing == []


def test_every_flag_of_a_session_is_in_the_reference() -> None:
    text = (REFERENCE / "flags.md").read_text(encoding="utf-8")
    assert [flag for flag in FLAGS if f"`{flag}`" not in text] == []


def _routes(handlers: list[object]) -> list[tuple[str, str]]:
    """Method and path of every route; what is filled in is `{}`."""
    found = []
    for handler in handlers:
        for path in handler.paths:  # type: ignore[attr-defined]
            for method in handler.http_methods:  # type: ignore[attr-defined]
                found.append((str(method), re.sub(r"\{[^}]*\}", "{}", path)))
    return found


def _written(page: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", (REFERENCE / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("method", "path"), sorted(_routes(ADMIN)))
def test_every_admin_route_is_in_the_reference(method: str, path: str) -> None:
    assert re.search(rf"`{method} /admin/v1{re.escape(path)}[`?]", _written("admin-api.md"))


@pytest.mark.parametrize("path", sorted(path for _, path in _routes(PULL)))
def test_every_pull_route_is_in_the_reference(path: str) -> None:
    assert re.search(rf"`GET /api/(1\.0|\{{\}}){re.escape(path)}[`?]", _written("platform-api.md"))


OCPI = [("cpo", ocpi_lists.CPO), ("cpo", ocpi_received.CPO), ("emsp", ocpi_lists.EMSP), ("emsp", ocpi_received.EMSP)]


@pytest.mark.parametrize(
    ("role", "method", "path"), sorted({(role, *each) for role, routes in OCPI for each in _routes(routes)})
)
def test_every_module_of_ocpi_is_in_the_reference(role: str, method: str, path: str) -> None:
    assert re.search(rf"`([A-Z]+, )*{method}(, [A-Z]+)* /ocpi/{role}{re.escape(path)}`", _written("ocpi-modules.md"))


def test_every_command_to_a_station_is_in_the_reference() -> None:
    text = _written("admin-api.md")
    assert [kind.__name__ for kind in get_args(Command) if f"`{kind.__name__}`" not in text] == []
