"""Scripts: told in order, refused where they are wrong, failed where the world is."""

from pathlib import Path

import pytest

from chargewire.simulator.script import Script, ScriptFailed, play, read_script
from simulator.conftest import living
from simulator.foreign_csms import ForeignCsms

STORY = """
[[step]]
do = "plug"
capacity_kwh = 50
soc = 0.2

[[step]]
do = "authorize"
token = "04AABBCC"
accepted = true

[[step]]
do = "await"
status = "Charging"

[[step]]
do = "charge"
kwh = 1.0

[[step]]
do = "reconnect"
seconds = 0.1

[[step]]
do = "fault"
error = "GroundFailure"

[[step]]
do = "wait"
seconds = 0.1

[[step]]
do = "clear"

[[step]]
do = "status"
status = "SuspendedEVSE"

[[step]]
do = "authorize"
token = "04AABBCC"

[[step]]
do = "unplug"

[[step]]
do = "delivered"
"""


def script(tmp_path: Path, text: str) -> Script:
    path = tmp_path / "story.toml"
    path.write_text(text)
    return read_script(path)


async def test_a_script_is_played_step_by_step(csms: ForeignCsms, tmp_path: Path) -> None:
    async with living(csms, speed=600) as station:
        await play(station, script(tmp_path, STORY))
    [start], [stop] = csms.of("StartTransaction"), csms.of("StopTransaction")
    assert stop["meter_stop"] - start["meter_start"] >= 1000
    assert csms.connections["CS-1"] == 2
    faults = [told["error_code"] for told in csms.of("StatusNotification") if told["status"] == "Faulted"]
    assert set(faults) == {"GroundFailure"}, "once when it broke, perhaps once more after the reconnect"


async def test_a_script_that_expects_another_answer_fails(csms: ForeignCsms, tmp_path: Path) -> None:
    csms.refused_tokens.add("BAD")
    text = '[[step]]\ndo = "plug"\n[[step]]\ndo = "authorize"\ntoken = "BAD"\naccepted = true\n'
    async with living(csms) as station:
        with pytest.raises(ScriptFailed, match="token BAD was refused"):
            await play(station, script(tmp_path, text))


async def test_a_status_that_does_not_come_fails_with_both(csms: ForeignCsms, tmp_path: Path) -> None:
    text = '[[step]]\ndo = "await"\nstatus = "Charging"\nseconds = 0.1\n'
    async with living(csms) as station:
        with pytest.raises(ScriptFailed, match="connector 1 is Available, not Charging"):
            await play(station, script(tmp_path, text))


async def test_a_connector_that_does_not_exist_is_named(csms: ForeignCsms, tmp_path: Path) -> None:
    async with living(csms) as station:
        with pytest.raises(ScriptFailed, match="no connector 3"):
            await play(station, script(tmp_path, '[[step]]\ndo = "plug"\nconnector = 3\n'))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[step]]\ndo = "dance"\n', "dance"),
        ('[[step]]\ndo = "wait"\n', "seconds"),
        ('[[step]]\ndo = "wait"\nseconds = 1\nhours = 2\n', "hours"),
        ("[[step", "story.toml"),
    ],
)
def test_a_script_that_cannot_be_read_tells_where(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        script(tmp_path, text)


def test_json_will_do_too(tmp_path: Path) -> None:
    path = tmp_path / "story.json"
    path.write_text('{"step": [{"do": "wait", "seconds": 1}], "repeat": 2}')
    assert read_script(path).repeat == 2
