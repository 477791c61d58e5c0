"""A full disk: no station is answered, others get 503, reading goes on, and all recovers by itself once there is room."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.stubborn_station import StubbornStation
from journeys.world import ADMIN, ask, furnish, pull_all, served, subscribe

WIDE = "date_from=2020-01-01T00:00:00Z"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk_silences_us_towards_stations_and_loses_nothing(small_disk: Path) -> None:
    async with served(small_disk / "data") as server:
        await furnish(server, {"NL-AAA": ["CS-1"]})
        subscription = await subscribe(server)
        station = StubbornStation(server.ocpp_url, "CS-1", "04AABBCC")
        running = asyncio.create_task(station.run(readings=3, pause_s=0.01))
        await asyncio.sleep(1)
        filler = small_disk / "filler"
        _fill(filler)
        await asyncio.sleep(1.5)
        stuck = sum(station.acknowledged.values())
        await asyncio.sleep(1)
        assert sum(station.acknowledged.values()) == stuck, "a station was answered although nothing can be kept"
        answer = await ask("PUT", f"{server.url}/admin/v1/networks/other", ADMIN, {"name": "Other"})
        assert answer.status == 503
        assert await pull_all(server, subscription["token"], f"1.0/sessions?{WIDE}")
        filler.unlink()
        station.finishing = True
        await asyncio.wait_for(running, 40)
        sessions = await pull_all(server, subscription["token"], f"1.0/sessions?{WIDE}")
        assert len(sessions) == len(station.charged)
        assert {session["status"] for session in sessions} == {"COMPLETED"}


def _fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
