"""Sessions: one transaction each, read or write; nobody else calls commit.

SQLite runs in WAL mode; a write transaction takes the lock when it begins (BEGIN IMMEDIATE), so that it can never
fail half-way because somebody else wrote, and within a process the writers queue up instead of polling for the lock.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import Connection, Dialect, event, make_url
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError, MissingGreenlet
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util.concurrency import greenlet_spawn

from db.domain.errors import DatabaseDown, DatabaseFull, Unavailable
from db.store import asyncpg as by_hand
from db.store import postgres, sqlite, threaded
from db.store.notifications import Notification, notifications_of
from db.store.transactions import Transaction

T = TypeVar("T")

_PASSING = ("08", "25", "40", "53", "57")
"""Classes of SQLSTATE that say nothing about the statement: connections, deadlocks, resources, shutdowns."""

_LASTING = ("22", "23", "42")
"""Classes that do: bad values, broken rules, bad statements."""

_PASSING_SQLITE = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
)

_WRITES = "graphophone_writes"

__all__ = ["Database", "DatabaseDown", "Notify", "nobody"]


Notify = Callable[[Collection[Notification]], Awaitable[None]]
"""Called after a commit with its notifications. They may fail or be lost, and nothing may depend on them."""


async def nobody(_notifications: Collection[Notification]) -> None:
    """Notify nobody, in a process that wakes nobody."""


class Database:
    """One database and its pool of connections, for one event loop."""

    def __init__(self, url: str, notify: Notify = nobody) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._notify = notify
        self._engine = _engine(url, is_sqlite=self.is_sqlite)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._threaded = _threaded(self._engine.dialect, url) if self.is_sqlite else None
        self._by_hand = by_hand.Runner(self._engine.dialect)
        self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.is_sqlite else nullcontext()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session for reading: one snapshot on SQLite, statement by statement on PostgreSQL. Raises
        DatabaseDown.
        """
        with _outages():
            async with AsyncSession(self._engine, expire_on_commit=False, autoflush=False) as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed when the block ends, rolled back when it raises; then notify. Raises
        DatabaseDown.
        """
        with _outages():
            async with self._turn, AsyncSession(self._writer, expire_on_commit=False) as session:
                async with session.begin():
                    yield session
                notifications = notifications_of(session)
        if notifications:
            await self._notify(notifications)

    async def run(self, transaction: Transaction[T]) -> T:
        """Run a transaction alone, by the shortest way, then notify. Raises DatabaseDown."""
        result: T
        with _outages():
            async with self._turn:
                if self._threaded is not None:
                    result, notifications = await self._threaded.run(transaction)
                else:
                    async with self._driver() as driver:
                        result, notifications = await self._by_hand.run(driver, transaction)
        if notifications:
            await self._notify(notifications)
        return result

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[Any]:
        """Lend the driver's own connection, out of the same pool."""
        connection = await self._engine.raw_connection()
        try:
            yield connection.driver_connection
        except asyncio.CancelledError:
            await greenlet_spawn(connection.invalidate)  # what still runs on it must end
            raise
        finally:
            await greenlet_spawn(connection.close)

    async def close(self) -> None:
        """Close every connection."""
        if self._threaded is not None:
            await self._threaded.close()
        await self._engine.dispose()


@contextmanager
def _outages() -> Iterator[None]:
    """Tell an outage, which passes, from a statement that will never work."""
    try:
        yield
    except DBAPIError as error:
        if _passes(error.orig) or error.connection_invalidated:
            raise _outage(error.orig) from error
        raise
    except (sqlite3.Error, asyncpg.PostgresError) as error:  # raw while connecting, and in scripts
        if _passes(error) or not (getattr(error, "sqlstate", None) or "23").startswith(_LASTING):
            raise _outage(error) from error
        raise
    except (OSError, PoolExhausted, asyncpg.InterfaceError, AsyncAdapt_asyncpg_dbapi.Error) as error:
        raise DatabaseDown(str(error) or type(error).__name__) from error


def _outage(error: BaseException | None) -> Unavailable:
    full = getattr(error, "sqlstate", None) == "53100" or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL
    return DatabaseFull() if full else DatabaseDown(str(error))


def _passes(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None) or ""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without its extended part
    return state.startswith(_PASSING) or code in _PASSING_SQLITE


def _engine(url: str, *, is_sqlite: bool) -> AsyncEngine:
    if is_sqlite:
        path, patience = _place(url)
        connector = sqlite.connector(path, patience=patience)
        engine = create_async_engine(url, pool_size=10, max_overflow=20, async_creator=connector)
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        event.listen(engine.sync_engine, "invalidate", _stop_sqlite)
        return engine
    engine = postgres.engine(url, pool_size=10, max_overflow=20)
    event.listen(engine.sync_engine, "checkout", _check_postgres)
    return engine


def _threaded(dialect: Dialect, url: str) -> threaded.Runner:
    path, patience = _place(url)
    return threaded.Runner(dialect, path, patience=patience)


def _place(url: str) -> tuple[str, float]:
    """Return the file of a SQLite address, and how many seconds to wait for a lock."""
    found = make_url(url)
    return found.database or "", float(str(found.query.get("timeout", 30)))


def _check_postgres(_connection: Any, record: Any, _proxy: Any) -> None:
    """Replace a connection that the server has closed; asyncpg knows, so no ping has to travel each time."""
    if record.driver_connection.is_closed():
        raise DisconnectionError


def _configure_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in threaded.PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _stop_sqlite(connection: Any, _record: Any, _error: BaseException | None) -> None:
    """End what runs on the connection of a caller that was cancelled, or closing it would wait.

    Closing alone would not let go of a lock either, as long as the cursor is not collected.
    """
    with suppress(ValueError, sqlite3.Error, MissingGreenlet):  # closed already, nothing to undo, nobody to wait
        connection.driver_connection.interrupt()
        connection.rollback()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    driver = cast("sqlite.Connection", connection.connection.driver_connection)
    driver.begin = "BEGIN IMMEDIATE" if writes else "BEGIN"  # the driver's own would come too late, and deferred
