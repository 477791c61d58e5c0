"""`chargewire backup` and `chargewire restore`: a copy of the journal while it runs, and the way back.

A backup of SQLite is a SQLite file, one of PostgreSQL a dump of `pg_dump -Fc`. The instance key is not in it.
"""

import asyncio
from pathlib import Path


async def backup(url: str, path: str) -> None:
    """Write a consistent copy of the journal at `url`, whether a server works with it or not.

    Raises JournalError, MemoryUnavailable.
    """
    if url.startswith("sqlite:///"):
        from chargewire.journal.sqlite_backup import copy_to

        await asyncio.to_thread(copy_to, Path(url.removeprefix("sqlite:///")), Path(path))
    else:
        from chargewire.journal.postgres_backup import dump_to

        await dump_to(url, Path(path))


async def restore(url: str, path: str, *, force: bool = False) -> None:
    """Put a backup in the place of the journal at `url`. It is checked first; `force` replaces data that is there.

    Raises JournalError if the backup is damaged or too new, or the target is in use or holds data.
    """
    if url.startswith("sqlite:///"):
        from chargewire.journal.sqlite_backup import restore_from as restore_file

        await asyncio.to_thread(restore_file, Path(path), Path(url.removeprefix("sqlite:///")), force=force)
    else:
        from chargewire.journal.postgres_backup import restore_from

        await restore_from(Path(path), url, force=force)
