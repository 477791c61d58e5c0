"""The depot stands on each engine in turn."""

from collections.abc import AsyncIterator

import pytest

from chargewire.journal.memory import Journal
from push.depot import Depot, Receiver, receiving


@pytest.fixture
async def depot(journal: Journal) -> AsyncIterator[Depot]:
    depot = Depot(journal)
    await depot.furnish()
    yield depot
    await depot.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver
