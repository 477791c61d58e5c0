"""What many tests share: an open, empty journal, on each engine."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from chargewire.journal import open_journal
from chargewire.journal.memory import Journal
from postgres_server import GIVEN, PostgresServer, drop_database, make_database, why_not

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server; one is started for the session if none is given."""
    if reason := why_not():
        pytest.skip(reason)
    if given := os.environ.get(GIVEN):
        yield given
        return
    server = PostgresServer()
    yield server.url
    server.remove()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database on a PostgreSQL server."""
    name = f"test_{uuid4().hex}"
    yield asyncio.run(make_database(postgres_url, name))
    asyncio.run(drop_database(postgres_url, name))


@pytest.fixture(params=["sqlite", POSTGRES])
def journal_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; a test that asks for it runs once on each engine."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return "sqlite://:memory:"


@pytest.fixture(params=["sqlite", POSTGRES])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Like `journal_url`, but what is in it is still there when it is opened again."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite:///{tmp_path}/journal.db"


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
