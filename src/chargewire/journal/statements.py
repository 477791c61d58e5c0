"""SQL lives in files: numbered migrations, and `queries.sql` whose statements are named by `-- name: …` lines."""

import re
from functools import cache
from importlib.resources import files

from chargewire.journal.memory import JournalError

_NAMED = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_NUMBERED = re.compile(r"^(\d{4})_\w+\.sql$")


@cache
def queries(engine: str) -> dict[str, str]:
    """The named statements of an engine."""
    text = (files("chargewire.journal") / "sql" / engine / "queries.sql").read_text("utf-8")
    parts = _NAMED.split(text)
    return {name: statement.strip().rstrip(";") for name, statement in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def migrations(engine: str) -> tuple[tuple[int, str], ...]:
    """The migrations of an engine in order: number and SQL."""
    folder = files("chargewire.journal") / "sql" / engine
    numbered = [(match[1], entry) for entry in folder.iterdir() if (match := _NUMBERED.match(entry.name))]
    return tuple(sorted((int(number), entry.read_text("utf-8")) for number, entry in numbered))


def pending(engine: str, version: int) -> list[tuple[int, str]]:
    """The migrations that data of a version still needs. Raises JournalError if the data is newer than this program."""
    known = migrations(engine)
    if version > known[-1][0]:
        raise JournalError(
            f"the data is of version {version}, this program knows versions up to {known[-1][0]}: use a newer Chargewire"
        )
    return [(number, sql) for number, sql in known if number > version]
