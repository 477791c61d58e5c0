"""One environment is served by one process: a second one says so instead of telling stations and customers other things."""

import asyncio
import sys
from pathlib import Path

from journeys.world import ADMIN, served


async def test_a_second_server_on_the_same_database_ends_with_a_message(tmp_path: Path, database: str | None) -> None:
    async with served(tmp_path / "data", database) as server:
        command = [sys.executable, "-m", "chargewire", "serve", "--port", "0", "--ocpp-port", "0", "--admin-token", ADMIN]
        command += ["--data", str(server.data if database is None else tmp_path / "other")]
        command += ["--database", database] if database else []
        pipe = asyncio.subprocess.PIPE
        second = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        told, why = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode != 0
        assert b"listening" not in told
        assert b"another process" in why
