"""Instances for the tests of everything that is served over HTTP."""

from collections.abc import AsyncIterator

import pytest

from api.house import House, furnish, open_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An instance on SQLite with a network of two CPOs and a location for each."""
    async with open_house() as house:
        await furnish(house)
        yield house


@pytest.fixture
async def each_house(journal_url: str) -> AsyncIterator[House]:
    """The same, once on each engine."""
    async with open_house(journal_url) as house:
        await furnish(house)
        yield house
