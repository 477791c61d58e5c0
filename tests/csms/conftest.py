"""The floor stands on each engine in turn."""

import pytest

from chargewire.journal.memory import Journal
from csms.floor import Floor


@pytest.fixture
async def floor(journal: Journal) -> Floor:
    floor = Floor(journal)
    await floor.furnish()
    return floor
