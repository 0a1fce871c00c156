"""The commands `backup`, `restore` and `move`: straight at database, files and data folder, without a server."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

Archive = Annotated[Path, typer.Argument(metavar="FILE", help="The backup, a ZIP.")]
Database = Annotated[str, typer.Argument(metavar="DATABASE", help="`postgresql://…` or `sqlite:///…`, and empty.")]


def backup(file: Archive) -> None:
    """Write database, files, token and signing key of this installation to one file, while it runs.

    The file opens everything: keep it as you keep the data folder.
    """
    from db.backup import archive
    from db.settings import StoreSettings
    from db.store.blobs import Blobs

    store = StoreSettings()
    secrets = [store.home / name for name in ("token", "signing-key")]
    made = _run(archive.write(file, store.resolved_database_url, Blobs(store), secrets))
    typer.echo(f"{file}: {sum(made.rows.values())} rows, {made.files} files.")


def restore(file: Archive) -> None:
    """Put a backup into a new installation: an empty database of either kind, an empty data folder or bucket."""
    from db.backup import archive
    from db.settings import StoreSettings, make_private
    from db.store.blobs import Blobs

    store = StoreSettings()
    make_private(store.home)
    made = _run(archive.restore(file, store.resolved_database_url, Blobs(store), store.home))
    typer.echo(f"{sum(made.rows.values())} rows and {made.files} files are back.")


def move(database: Database) -> None:
    """Copy the database of a stopped installation into another one, of either kind; files stay where they are."""
    from db.backup.rows import move as run
    from db.settings import StoreSettings

    moved = _run(run(StoreSettings().resolved_database_url, StoreSettings(database_url=database).resolved_database_url))
    typer.echo(f"{moved} rows are there, too. Set GRAPHOPHONE_DATABASE_URL to the new address, and start.")


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    from sqlalchemy.exc import SQLAlchemyError

    from db.backup.rows import CannotCopy

    try:
        return asyncio.run(work)
    except (CannotCopy, OSError, SQLAlchemyError) as error:
        typer.echo(str(error).splitlines()[0], err=True)
        raise typer.Exit(1) from None
