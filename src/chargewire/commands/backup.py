"""`chargewire backup` and `chargewire restore`: a consistent copy while everything runs, and back again."""

import asyncio
from pathlib import Path

import click

from chargewire.charging.errors import ChargingError
from chargewire.journal.memory import JournalError
from chargewire.settings import Settings

_database = click.option(
    "--database", envvar="CHARGEWIRE_DATABASE", help="postgresql://… or sqlite:///…; default: SQLite in the data directory."
)
_data = click.option(
    "--data",
    envvar="CHARGEWIRE_DATA",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Data directory.",
)


@click.command()
@_data
@_database
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def backup(data: Path, database: str | None, path: Path) -> None:
    """Write a consistent copy of the database to PATH while everything runs.

    The instance key is not in it: keep the key file apart from the backups, and keep it well. Without it the tokens
    and passwords in a backup are worth nothing.
    """
    from chargewire.journal.backup import backup as copy

    _told(copy(Settings(data=data, database=database).database_url, str(path)))
    click.echo(f"backed up to {path} ({path.stat().st_size / 1e6:.1f} MB)")


@click.command()
@_data
@_database
@click.option("--force", is_flag=True, help="Replace a database that is not empty.")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(data: Path, database: str | None, force: bool, path: Path) -> None:
    """Put a backup at PATH back in place. The copy is checked before anything is replaced."""
    from chargewire.journal.backup import restore as put_back

    _told(put_back(Settings(data=data, database=database).database_url, str(path), force=force))
    click.echo(f"restored from {path}")


def _told(work: object) -> None:
    try:
        if asyncio.iscoroutine(work):
            asyncio.run(work)
    except (ChargingError, JournalError, OSError) as error:
        raise click.ClickException(str(error)) from error
