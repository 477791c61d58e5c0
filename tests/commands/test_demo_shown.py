"""What the demo prints before it goes live."""

import shlex
from pathlib import Path

import pytest

from chargewire.commands.demo_shown import Customer, Environment, show


def test_the_virtual_station_that_one_may_try_can_be_started_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    environment = Environment(name="acceptance", url="http://h:1", ocpp_url="ws://h:2/ocpp", admin_token="adm")
    customer = Customer("analytics", "all", "http://h:1", "cw_1")
    show(environment, environment, [customer, customer], "http://h:3", Path("logs"))
    (line,) = (each for each in capsys.readouterr().out.splitlines() if " station --url " in each)
    program = Path(shlex.split(line)[0])
    assert program.is_absolute()
    assert program.is_file()
