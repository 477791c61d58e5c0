"""A running gateway for the tests that need no special one."""

from collections.abc import AsyncIterator

import pytest

from gateway.memory_desk import House, open_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as running:
        yield running
