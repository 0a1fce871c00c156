"""Brings a database to the newest schema: whole or not at all, by however many processes at once, and again."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.store import postgres

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x67726170  # one advisory lock for all who migrate
_PATIENCE = 600.0  # seconds to wait for another process that migrates a SQLite file

_log = structlog.get_logger(__name__)


class NewerDatabase(Exception):
    """The database was brought to a schema that this version does not know."""


def upgrade(url: str) -> None:
    """Upgrade to the newest revision, in one transaction. A SQLite file with something in it is copied before.

    Raises NewerDatabase, and whatever the database says when it cannot be reached.
    """
    asyncio.run(_upgrade(url))


def config() -> Config:
    """Return Alembic's configuration, without a file."""
    alembic = Config()
    alembic.set_main_option("script_location", str(_FOLDER))
    return alembic


def engine_for(url: str) -> AsyncEngine:
    """Return an engine whose transactions hold DDL, too: SQLite's driver would commit each statement by itself."""
    if not url.startswith("sqlite"):
        return postgres.engine(url)
    engine = create_async_engine(url, connect_args={"timeout": _PATIENCE, "isolation_level": None})
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


async def _upgrade(url: str) -> None:
    engine = engine_for(url)
    try:
        async with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def revision_of(connection: Connection) -> tuple[str | None, str | None]:
    """Return the revision of a database (None: it is new), and this version's own."""
    newest = ScriptDirectory.from_config(config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision(), newest


def upgrade_within(connection: Connection, revision: str) -> None:
    """Upgrade to a revision in the transaction that is open; a database that is there or further stays as it is."""
    alembic = config()
    alembic.attributes["connection"] = connection
    command.upgrade(alembic, revision)


def _run(connection: Connection) -> None:
    current, newest = revision_of(connection)
    if current == newest:
        return
    if current is not None:
        scripts = ScriptDirectory.from_config(config())
        if current not in {script.revision for script in scripts.walk_revisions()}:
            raise NewerDatabase(
                f"The database is at revision {current}, which a newer version made; this one knows those up to"
                f" {newest}. Start the newer version, or put the copy back that it made before."
            )
        _copy(connection, current)
    upgrade_within(connection, "head")


def _copy(connection: Connection, revision: str) -> None:
    """Copy a SQLite file beside it. The transaction that is open keeps all others from writing meanwhile."""
    name = connection.engine.url.database
    if connection.dialect.name != "sqlite" or not name or not Path(name).exists():
        return
    target = Path(f"{name}.{revision}.backup")
    draft = target.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(name)) as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)
    draft.replace(target)
    _log.info("migration.copied", database=name, copy=str(target), revision=revision)
