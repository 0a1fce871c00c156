"""Models and migrations describe the same database."""

import re
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Index, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateIndex

from db.models import METADATA

# The index of the search has no model: tables of FTS5 on SQLite, a GIN index on PostgreSQL.
SEARCH = "segment_terms"
TEXTUAL = re.compile(r".*_waiting")  # indexes with DESC, which Alembic cannot read back from SQLite: see below


def is_compared(_thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    if kind in ("table", "index") and str(name).startswith(SEARCH):
        return False
    return kind != "index" or not TEXTUAL.fullmatch(str(name))


def differences(connection: Connection) -> list[Any]:
    """What Alembic would write into the next revision."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_compared})
    return list(compare_metadata(context, METADATA))


async def test_the_newest_revision_makes_the_tables_of_the_models(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_the_newest_revision_makes_the_indexes_of_the_models_with_order_and_condition(sqlite_url: str) -> None:
    engine = create_async_engine(sqlite_url)
    async with engine.connect() as connection:
        stored = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        made = {name: plain(sql) for name, sql in await connection.execute(text(stored))}
    await engine.dispose()
    meant = {str(index.name): plain(statement(index)) for table in METADATA.tables.values() for index in table.indexes}
    assert made == meant


def statement(index: Index) -> str:
    return str(CreateIndex(index).compile(dialect=sqlite.dialect()))


def plain(sql: str) -> str:
    """The statement without what means nothing: quotes, white space, the case of its letters."""
    return re.sub(r"\s+", " ", sql.replace('"', "")).strip().lower()
