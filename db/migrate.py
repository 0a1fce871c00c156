"""The upgrade of a database to the newest schema; safe to run by several processes at once, and again."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x67726170  # one advisory lock for all who migrate


def upgrade(url: str) -> None:
    """Upgrade to the newest revision. Raises whatever the database says when it cannot be reached."""
    asyncio.run(_upgrade(url))


def config() -> Config:
    """Return Alembic's configuration, without a file."""
    alembic = Config()
    alembic.set_main_option("script_location", str(_FOLDER))
    return alembic


async def _upgrade(url: str) -> None:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    alembic = config()
    alembic.attributes["connection"] = connection
    command.upgrade(alembic, "head")
