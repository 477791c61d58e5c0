"""The admin API from the shell, against a real server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result

from api.house import ADMIN, open_house, place
from chargewire.cli import main


class Shell:
    """`chargewire …` against one instance."""

    def __init__(self, url: str) -> None:
        self._env = {"CHARGEWIRE_URL": url, "CHARGEWIRE_ADMIN_TOKEN": ADMIN}

    def run(self, *arguments: str, given: Any = None, **env: str) -> Result:
        return CliRunner().invoke(main, arguments, input=json.dumps(given) if given else None, env=self._env | env)

    def json(self, *arguments: str, given: Any = None) -> Any:
        result = self.run(*arguments, given=given)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    ports: list[int] = []
    started, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with open_house() as house:
            config = uvicorn.Config(house.app, port=0, log_level="error", lifespan="off")  # type: ignore[arg-type]
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            ports.append(server.servers[0].sockets[0].getsockname()[1])
            started.set()
            await asyncio.to_thread(stop.wait)
            server.should_exit = True
            await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(10)
    yield Shell(f"http://127.0.0.1:{ports[0]}")
    stop.set()
    thread.join()


def test_an_operator_furnishes_an_instance_from_the_shell(shell: Shell) -> None:
    shell.json("network", "put", "demo", "--name", "Demo")
    assert shell.json("cpo", "put", "NL-AAA", "--network", "demo", "--name", "City")["currency"] == "EUR"
    shell.json("emsp", "put", "NL-EMS", "--name", "E", "--network", "demo")
    tariff = {"currency": "EUR", "elements": [{"price_components": [{"type": "FLAT", "price": 1, "step_size": 1}]}]}
    shell.json("tariff", "put", "NL-AAA", "T1", "-", given=tariff)
    shell.json("location", "put", "LOC-1", "-", given=place("NL-AAA", "CS-1"))
    shell.json("token", "put", "04AABB", "--auth-id", "NL-EMS-C1", "--blocked")
    assert shell.json("token", "show", "NL-EMS", "04AABB")["valid"] is False
    assert shell.json("location", "list")["id"] == "LOC-1"
    assert shell.json("show", "stations")["id"] == "CS-1"


def test_what_put_says_of_a_party_or_a_token_can_be_said_from_the_shell(shell: Shell) -> None:
    shell.json("network", "put", "demo", "--name", "Demo")
    flags = ("--drop-flagged", "implausible-cost", "--drop-flagged", "negative-cost")
    cpo = shell.json("cpo", "put", "NL-CCC", "--network", "demo", "--name", "C", "--local-list", *flags)
    assert (cpo["local_list"], cpo["drop_flagged"]) == (True, ["implausible-cost", "negative-cost"])
    emsp = shell.json("emsp", "put", "NL-EMR", "--name", "E", "--network", "demo", "--retail-tariff", "R1")
    assert (emsp["network_ids"], emsp["retail_tariff_id"]) == (["demo"], "R1")
    told = ("--group", "G1", "--expires", "2030-01-01T00:00:00Z", "--retail-tariff", "R2")
    token = shell.json("token", "put", "04FAMILY", "--auth-id", "NL-EMR-C2", *told)
    assert (token["group_id"], token["expires_at"], token["retail_tariff_id"]) == ("G1", "2030-01-01T00:00:00Z", "R2")


def test_a_subscription_is_made_rotated_and_ended_from_the_shell(shell: Shell) -> None:
    shell.json("network", "put", "demo", "--name", "Demo")
    made = shell.json(
        "subscription", "create", "--name", "S", "--network", "demo", "--module", "sessions=pull,push", "--module", "cdrs",
        "--endpoint", "sessions", "https://customer.example/s", "secret",
    )  # fmt: skip
    assert made["grants"][0]["modules"] == {"sessions": ["pull", "push"], "cdrs": ["pull"]}
    assert shell.json("subscription", "rotate", made["id"])["token"] != made["token"]
    shell.json("subscription", "change", made["id"], "-", given={"name": "T"})
    assert shell.json("subscription", "show", made["id"])["name"] == "T"
    assert shell.run("subscription", "end", made["id"]).exit_code == 0
    assert shell.run("subscription", "show", made["id"]).exit_code == 1


def test_an_import_may_be_repeated_and_tells_what_does_not_fit(shell: Shell, tmp_path: Path) -> None:
    given = {
        "networks": {"imported": {"name": "I"}},
        "cpos": {"NL-III": {"network_id": "imported", "name": "I"}},
        "locations": {"LOC-I": place("NL-III", "CS-I"), "LOC-X": {"cpo": "NL-III"}},
    }
    file = tmp_path / "everything.json"
    file.write_text(json.dumps(given))
    for _ in range(2):
        result = shell.run("import", str(file))
        assert result.exit_code == 1
        assert "3 written, 1 refused" in result.output
        assert "locations/LOC-X" in result.output
    file.write_text(json.dumps({"planets": {}}))
    assert "planets" in shell.run("import", str(file)).output


def test_what_is_refused_is_one_readable_line(shell: Shell) -> None:
    result = shell.run("cpo", "put", "NL-BBB", "--network", "nowhere", "--name", "B")
    assert result.exit_code == 1
    assert result.output.strip() == "Error: Refused: network_id: there is no network 'nowhere'"
    assert "no admin token" in shell.run("cpo", "list", CHARGEWIRE_ADMIN_TOKEN="").output
    wrong = shell.run("cpo", "list", CHARGEWIRE_ADMIN_TOKEN="wrong").output
    assert wrong.strip() == "Error: Not logged in: this is not the instance's admin token"
    assert shell.run("cpo", "list", CHARGEWIRE_URL="http://127.0.0.1:1").exit_code == 1


def test_a_command_to_a_station_that_is_away_fails(shell: Shell) -> None:
    result = shell.run("command", "CS-1", "Restart", "hard=true")
    assert result.exit_code == 1
    assert "not connected" in result.output


@pytest.mark.parametrize(
    "name", ["network", "cpo", "emsp", "location", "tariff", "token", "subscription", "import", "command", "show"]
)
def test_every_command_explains_itself(shell: Shell, name: str) -> None:
    result = shell.run(name, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output
