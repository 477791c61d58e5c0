"""Which engine a database URL means."""

import time
from pathlib import Path

from chargewire.journal.frontier import Clock
from chargewire.journal.memory import Journal, JournalError
from chargewire.journal.rendering import Renderers


def system_clock() -> int:
    """Now, in µs since 1970 UTC."""
    return time.time_ns() // 1000


def make_journal(url: str, *, renderers: Renderers, clock: Clock = system_clock) -> Journal:
    """A journal that is still to be opened.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://:memory:` (gone when closed), `postgresql://…`.
    Raises JournalError for any other URL.
    """
    if url in ("sqlite://:memory:", "sqlite:///:memory:"):
        from chargewire.journal.sqlite import SqliteJournal

        return SqliteJournal(None, renderers=renderers, clock=clock)
    if url.startswith("sqlite:///"):
        from chargewire.journal.sqlite import SqliteJournal

        return SqliteJournal(Path(url.removeprefix("sqlite:///")), renderers=renderers, clock=clock)
    if url.startswith(("postgresql://", "postgres://")):
        from chargewire.journal.postgres import PostgresJournal

        return PostgresJournal(url, renderers=renderers, clock=clock)
    raise JournalError(f"not the URL of a database: {url!r} (sqlite:///path or postgresql://…)")


async def open_journal(url: str, *, renderers: Renderers | None = None, clock: Clock = system_clock) -> Journal:
    """A journal, open. `renderers`: how objects of a kind become the JSON that `walk_pages` gives."""
    journal = make_journal(url, renderers=renderers or {}, clock=clock)
    await journal.open()
    return journal
