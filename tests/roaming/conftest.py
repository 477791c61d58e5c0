"""Two instances for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roaming.pair import Pair, pair


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Pair]:
    async with pair(tmp_path) as both:
        yield both
