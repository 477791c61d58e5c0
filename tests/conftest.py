"""What many tests share: an open journal."""

from collections.abc import AsyncIterator

import pytest

from chargewire.journal import open_journal
from chargewire.journal.memory import Journal


@pytest.fixture(params=["sqlite"])
def journal_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; a test that asks for it runs once on each engine."""
    return "sqlite://:memory:"


@pytest.fixture
async def journal(journal_url: str) -> AsyncIterator[Journal]:
    """An open, empty journal without renderers; a test that asks for it runs once on each engine."""
    journal = await open_journal(journal_url)
    yield journal
    await journal.close()


@pytest.fixture
async def sqlite_journal() -> AsyncIterator[Journal]:
    """An open, empty journal on SQLite, for tests that have nothing to say about engines."""
    journal = await open_journal("sqlite://:memory:")
    yield journal
    await journal.close()
