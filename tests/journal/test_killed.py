"""kill -9 while writing: whatever was acknowledged is there, whole, and the numbers have no gaps."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from chargewire.journal import open_journal
from chargewire.journal.memory import Journal, ListQuery, LogQuery, Ref

SCRIPT = Path(__file__).with_name("writing_process.py")
OWNER = ("NL-AAA",)


def acknowledged_until_killed(url: str, run: int, after_s: float) -> list[str]:
    """Let a process write for a while, kill it, and give the keys that it knew to be durable."""
    process = subprocess.Popen([sys.executable, str(SCRIPT), url, str(run)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        process.wait(after_s)
        pytest.fail("the process ended by itself")
    except subprocess.TimeoutExpired:
        process.kill()
    rest = process.stdout.read()
    process.wait()
    complete = (first + rest).decode().rpartition("\n")[0]
    return complete.split("\n")


async def check(journal: Journal, acknowledged: set[str]) -> None:
    keys = {row.ref.key for row in (await journal.walk(ListQuery(kind="session", owners=OWNER, limit=10**6))).rows}
    assert acknowledged <= keys
    logs = LogQuery(owners=OWNER, limit=10**6)
    readings, messages = (await journal.readings(logs)).rows, (await journal.messages(logs)).rows
    assert sorted(row.message_id for row in readings) == sorted(row.message_id for row in messages) == sorted(keys)
    for part in range(journal.parts):
        changes = await journal.changes(part, 0, 10**6)
        for numbers in (
            [change.seq for change in changes],
            [row.seq for row in readings if row.part == part],
            [row.seq for row in messages if row.part == part],
        ):
            assert numbers == list(range(1, len(changes) + 1))
    assert sum(await journal.heads()) == len(keys)
    for key in random.sample(sorted(keys), min(20, len(keys))):
        found = await journal.find("start", key)
        assert found is not None
        assert found.ref == Ref("session", "NL-AAA", key)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_a_killed_process_loses_nothing_that_it_acknowledged(durable_url: str, kills: int) -> None:
    acknowledged: set[str] = set()

    async def story() -> None:
        journal = await open_journal(durable_url)
        await check(journal, acknowledged)
        await journal.close()

    for run in range(kills):
        acknowledged.update(acknowledged_until_killed(durable_url, run, random.uniform(0.05, 0.4)))
        asyncio.run(story())
    assert len(acknowledged) > kills * 20
