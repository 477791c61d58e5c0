"""Options of `chargewire serve`: as words of the command line, in the environment, and as keys of a file."""

from pathlib import Path
from typing import Any

import click
import pytest

from chargewire.charging.errors import Refused
from chargewire.commands.serve import serve
from chargewire.settings import Settings, checked


def given(*words: str) -> dict[str, Any]:
    return serve.make_context("serve", list(words)).params


@pytest.mark.parametrize("token", ["", "  ", "\n"])
def test_an_empty_admin_token_is_refused_for_it_would_let_everybody_in(token: str) -> None:
    with pytest.raises(Refused) as refused:
        checked(Settings(admin_token=token))
    assert refused.value.field == "--admin-token"


def test_a_public_address_is_one_of_the_web_and_of_websockets() -> None:
    checked(Settings(public_url="https://charge.example", public_ocpp_url="wss://ocpp.example/ocpp"))
    for wrong in (
        Settings(public_url="javascript:x"),
        Settings(public_url="charge.example"),
        Settings(public_ocpp_url="https://ocpp.example"),
    ):
        with pytest.raises(Refused):
            checked(wrong)


def test_every_option_is_a_key_of_the_file_by_the_name_that_it_has_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('heartbeat = 30\ntrusted-proxy = "10.0.0.1"\nallow-private-endpoints = false\nport = 8123\n')
    read = given("--config", str(file))
    assert read["heartbeat_s"] == 30
    assert read["trusted_proxy"] == ("10.0.0.1",)
    assert read["allow_private_endpoints"] is False
    assert read["port"] == 8123
    assert given("--config", str(file), "--port", "1")["port"] == 1


def test_the_file_itself_is_named_in_the_environment_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "c.toml"
    file.write_text('environment = "production"\n')
    monkeypatch.setenv("CHARGEWIRE_CONFIG", str(file))
    assert given()["environment"] == "production"


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("porrt = 1\n")
    with pytest.raises(click.BadParameter, match="porrt"):
        given("--config", str(file))
