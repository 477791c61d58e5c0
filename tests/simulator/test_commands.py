"""The commands as a shell starts them."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from simulator.foreign_csms import ForeignCsms, until

SESSION = {"id": "NLAAA1", "status": "ACTIVE", "kwh": 1.5}


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[Process]:
    """A `chargewire` process, ended afterwards by SIGTERM if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chargewire", *arguments, stdout=PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 60)


async def line_with(process: Process, pattern: str, timeout_s: float = 60) -> re.Match[str]:
    """The first line in which a pattern is found."""
    assert process.stdout
    async with asyncio.timeout(timeout_s):
        while line := (await process.stdout.readline()).decode():
            if found := re.search(pattern, line):
                return found
    raise AssertionError(f"ended without {pattern}")


async def test_the_receiver_shows_keeps_and_acknowledges_what_it_is_sent(tmp_path: Path) -> None:
    async with (
        started("receive", "--port", "0", "--token", "secret", "--save", str(tmp_path)) as process,
        aiohttp.ClientSession() as http,
    ):
        url = (await line_with(process, r"listening (\S+)"))[1]
        head = {"Authorization": "Token secret"}
        async with http.put(f"{url}/city/sessions/NL/AAA/NLAAA1", json=SESSION, headers=head) as answer:
            assert (answer.status, (await answer.json())["status_code"]) == (200, 1000)
        await line_with(process, r"city +PUT +sessions +NL-AAA NLAAA1 ACTIVE +1\.500 kWh")
        async with http.put(f"{url}/sessions/NL/AAA/NLAAA1", json=SESSION, headers={"Authorization": "Token wrong"}) as answer:
            assert answer.status == 401
        async with http.post(f"{url}/cdrs", data=b"{", headers=head) as answer:
            assert answer.status == 400
        payload = json.dumps({"connectorId": 1, "errorCode": "GroundFailure", "status": "Faulted"})
        told = {"evse_id": "NL-AAA-E1", "message_action": "StatusNotification", "charge_station_message_payload": payload}
        async with http.put(f"{url}/notifications", json=told, headers=head) as answer:
            assert answer.status == 200
        await line_with(process, r"NL-AAA-E1 StatusNotification Faulted \(GroundFailure\)")
    kept = [json.loads(line) for line in (tmp_path / "sessions.ndjson").read_text().splitlines()]
    assert [(each["method"], each["path"], each["body"]) for each in kept] == [("PUT", "/city/sessions/NL/AAA/NLAAA1", SESSION)]
    assert process.returncode == 0


async def test_a_second_receiver_on_the_same_port_says_so() -> None:
    async with started("receive", "--port", "0") as first:
        port = (await line_with(first, r":(\d+)$"))[1]
        async with started("receive", "--port", port) as second:
            await line_with(second, "[Aa]ddress already in use")
            assert await second.wait() == 1


async def test_the_station_command_charges_and_tells_what_happens(csms: ForeignCsms) -> None:
    options = ("--stay", "0.5-1", "--pause", "0", "--sessions", "1", "--speed", "600", "--connectors", "2", "--password", "pw")
    async with started("station", "--url", csms.url, "--id", "A", "--id", "B", *options) as process:
        await line_with(process, "2 stations, 4 sessions, all delivered")
        assert await process.wait() == 0
    assert len(csms.of("StopTransaction")) == 4
    assert csms.authorizations[0]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_stations_quietly(csms: ForeignCsms, how: signal.Signals) -> None:
    async with started("station", "--url", csms.url) as process:
        await line_with(process, "accepted")
        process.send_signal(how)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_script_that_fails_ends_with_code_1(csms: ForeignCsms, tmp_path: Path) -> None:
    path = tmp_path / "story.toml"
    path.write_text('[[step]]\ndo = "await"\nstatus = "Charging"\nseconds = 0.1\n')
    async with started("station", "--url", csms.url, "--script", str(path)) as process:
        await line_with(process, "Error: connector 1 is Available, not Charging")
        assert await process.wait() == 1


@pytest.mark.parametrize("wrong", [["--set", "Nonsense=1"], ["--stay", "9-1"], ["--misbehave", "well"]])
async def test_options_that_make_no_sense_are_refused(wrong: list[str]) -> None:
    async with started("station", "--url", "ws://127.0.0.1:1/ocpp", *wrong) as process:
        assert await process.wait() == 2


async def test_a_station_waits_for_a_central_system_that_is_not_there_yet(csms: ForeignCsms) -> None:
    await csms.close()
    async with started("station", "--url", csms.url) as process:
        await line_with(process, "offline")
        await csms.again()
        await line_with(process, "accepted")
        await until(lambda: csms.of("BootNotification"), "the boot")


@pytest.mark.long
async def test_the_demo_tells_every_customer_what_it_may_see_and_ends_all(tmp_path: Path) -> None:
    ports = ("--port", "0", "--ocpp-port", "0", "--receiver-port", "0")
    for _ in range(2):  # the second time finds the data of the first
        async with started("demo", "--once", "--data", str(tmp_path), *ports) as process:
            await line_with(process, "177 sessions", 120)
            await line_with(process, "every customer was told what it may see, and nothing else", 240)
            assert await asyncio.wait_for(process.wait(), 60) == 0
    assert not children_of(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("when", ["delivering a month", r"live \(Ctrl"])
@pytest.mark.parametrize("how", ["signal", "a death"])
async def test_the_demo_ends_all_its_processes(tmp_path: Path, how: str, when: str) -> None:
    async with started("demo", "--data", str(tmp_path), "--port", "0", "--ocpp-port", "0", "--receiver-port", "0") as process:
        await line_with(process, when, 120)
        servers = children_of(tmp_path)
        assert len(servers) >= 3
        if how == "signal":
            process.send_signal(signal.SIGINT)
        else:
            os.kill(servers[0], signal.SIGKILL)
            await line_with(process, r"Error: \w+ ended \(code -9\)")
        assert await asyncio.wait_for(process.wait(), 60) == (0 if how == "signal" else 1)
    assert not children_of(tmp_path)


def children_of(folder: Path) -> list[int]:
    """The processes whose command line names a folder, but for the demo itself."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "demo" not in command and any(str(folder) in word for word in command):
            found.append(int(entry.name))
    return sorted(found)
