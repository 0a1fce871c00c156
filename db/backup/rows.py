"""A database's rows, whichever of the two kinds it is: read in one snapshot, written into one that is empty."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, Table, event, exists, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel import col

from db.accounts import grants, tables
from db.migrate import engine_for, revision_of, upgrade_within
from db.models import METADATA, Worker
from db.queue.workers import SILENT_MS
from db.store import postgres
from db.store.clock import db_now
from db.uploads import tables as uploads
from db.webhooks import tables as webhooks

BATCH = 500
Batch = tuple[str, Sequence[dict[str, Any]]]
T = TypeVar("T")

OTHER_TABLES = (grants, tables, uploads, webhooks)  # imported so that METADATA knows them, too


class CannotCopy(Exception):
    """The two databases are not as they must be; the message tells the operator what to do."""


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection that sees the database as it is now, whatever is written meanwhile; no writer waits for it.

    Raises CannotCopy for a database of another version.
    """
    if url.startswith("sqlite"):
        engine = create_async_engine(url, connect_args={"isolation_level": None})
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    else:
        engine = postgres.engine(url, isolation_level="REPEATABLE READ")
    async with _disposed(engine), engine.begin() as connection:
        current, newest = await connection.run_sync(revision_of)
        if current != newest:
            raise CannotCopy(
                f"The database is at revision {current}, this version's is {newest}: `python -m api migrate` first."
            )
        yield connection


def read(connection: Connection) -> Iterator[Batch]:
    """Return all rows, a batch at a time, referenced tables before those that refer to them."""
    for table in _reflected(connection, METADATA.tables):
        found = connection.execution_options(yield_per=BATCH).execute(select(table))
        for part in found.mappings().partitions():
            yield table.name, [dict(row) for row in part]


async def fill(url: str, revision: str, work: Callable[[Callable[[Iterable[Batch]], int]], T]) -> T:
    """Make an empty database one of this revision, let `work` write rows into it, and upgrade it: all or nothing.

    `work` is called in a thread-like context of SQLAlchemy's, with a function that writes batches and counts rows.
    Raises CannotCopy when there are rows already.
    """

    def run(connection: Connection) -> T:
        upgrade_within(connection, revision)
        if revision_of(connection)[0] != revision:
            raise CannotCopy("The database to be filled was used by a newer version: name one that is empty.")
        tables = {table.name: table for table in _reflected(connection, None)}
        if any(connection.execute(select(table).limit(1)).first() for table in tables.values()):
            raise CannotCopy("The database to be filled has rows already: name one that is empty.")
        result = work(lambda batches: _write(connection, tables, batches))
        upgrade_within(connection, "head")
        return result

    engine = engine_for(url)
    async with _disposed(engine), engine.begin() as connection:
        return await connection.run_sync(run)


async def move(source: str, target: str) -> int:
    """Copy all rows of a database that nobody uses into an empty one, and return how many there are.

    Raises CannotCopy, also when a worker was seen in the last half minute.
    """
    async with snapshot(source) as connection:
        if await connection.scalar(select(exists().where(col(Worker.seen_at) > db_now() - SILENT_MS))):
            raise CannotCopy("A worker is up, or was half a minute ago: stop the server and all workers first.")
        revision, _ = await connection.run_sync(revision_of)
        opened = await connection.run_sync(lambda opened: opened)
        return await fill(target, revision or "", lambda write: write(read(opened)))


def _write(connection: Connection, tables: Mapping[str, Table], batches: Iterable[Batch]) -> int:
    count = 0
    for name, rows in batches:
        if name not in tables:
            raise CannotCopy(f"There is no table {name} at this revision: the copy is damaged.")
        connection.execute(tables[name].insert(), rows)
        count += len(rows)
    return count


def _reflected(connection: Connection, names: Iterable[str] | None) -> list[Table]:
    """Return the tables as this database has them, whose columns read and write plain values."""
    ours = set(inspect(connection).get_table_names() if names is None else names)
    ours -= {name for name in ours if name == "alembic_version" or name.startswith("segment_terms")}
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name in ours)
    return metadata.sorted_tables


@asynccontextmanager
async def _disposed(engine: AsyncEngine) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await engine.dispose()
