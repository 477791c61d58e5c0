"""Journeys run on each engine: `database` is None for the embedded default, or the URL of an empty PostgreSQL database."""

import pytest


@pytest.fixture
def database(journal_url: str) -> str | None:
    return journal_url if journal_url.startswith("postgresql") else None
