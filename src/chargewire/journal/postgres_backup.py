"""A copy of a PostgreSQL journal while it is written, and the way back, by PostgreSQL's own tools."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from chargewire.charging.errors import MemoryUnavailable
from chargewire.journal.memory import JournalError
from chargewire.journal.postgres_link import connect
from chargewire.journal.statements import pending, queries

_sql = queries("postgres")


async def dump_to(url: str, target: Path) -> None:
    """Write a consistent dump in pg_dump's custom format; `target` appears only when it is complete.

    Raises JournalError if pg_dump is missing or older than the server.
    """
    connection = await connect(url)
    try:
        schema = await connection.fetchval(_sql["schema"])
    finally:
        await connection.close()
    unfinished = target.with_name(target.name + ".part")
    try:
        await _run("pg_dump", ["--format=custom", "--no-owner", f"--schema={schema}", f"--file={unfinished}"], url)
        await _run("pg_restore", ["--list", str(unfinished)], None)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


async def restore_from(copy: Path, url: str, *, force: bool) -> None:
    """Put a dump into a database, in one transaction.

    Raises JournalError if the dump is damaged or newer than this program, or the database holds data and `force` is not given.
    """
    pending("postgres", await _version(copy))
    if await _holds_data(url) and not force:
        raise JournalError("the database holds data already")
    how = ["--clean", "--if-exists", "--no-owner", "--exit-on-error", "--single-transaction"]
    await _run("pg_restore", [*how, f"--dbname={_without_password(url)}", str(copy)], url)


async def _version(copy: Path) -> int:
    """The version of the data in a dump, which is read to its end. Raises JournalError if it is damaged or none of ours."""
    await _run("pg_restore", [f"--file={os.devnull}", str(copy)], None)
    sql = await _run("pg_restore", ["--data-only", "--table=schema_version", "--file=-", str(copy)], None)
    versions = [int(line) for line in sql.splitlines() if line.isdigit()]
    if not versions:
        raise JournalError(f"{copy} is no backup of a journal")
    return max(versions)


async def _holds_data(url: str) -> bool:
    connection = await connect(url)
    try:
        return bool(await connection.fetchval("SELECT to_regclass('schema_version') IS NOT NULL"))
    finally:
        await connection.close()


async def _run(tool: str, arguments: Sequence[str], url: str | None) -> bytes:
    """What the tool prints. The password goes by its environment, where other users cannot read it."""
    path = shutil.which(tool)
    if path is None:
        raise JournalError(f"{tool} is not installed; it comes with PostgreSQL's client programs")
    environment = dict(os.environ)
    if url is not None:
        environment["PGPASSWORD"] = unquote(urlsplit(url).password or os.environ.get("PGPASSWORD", ""))
        if tool == "pg_dump":
            arguments = [*arguments, f"--dbname={_without_password(url)}"]
    process = await asyncio.create_subprocess_exec(
        path, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    if process.returncode:
        said = errors.decode(errors="replace").strip()
        kind = MemoryUnavailable if "connection to server" in said or "No space left" in said else JournalError
        raise kind(f"{tool}: {said}")
    return output


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{user}{parts.hostname or ''}{port}"))
