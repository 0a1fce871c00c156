"""SQLite for sessions: what SQLAlchemy's asyncio dialect asks of a connection, one trip to its thread a statement.

aiosqlite's own makes a trip each to open a cursor, to execute, to fetch and to close it, and a trip costs more than the
statement. SQLAlchemy reads all rows at once, so one trip does for it. Short transactions make one trip in all
(`db.store.threaded`).
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self, TypeVar

from db.store.threaded import PAUSE, TRIES, Locked

T = TypeVar("T")


class Connection:
    """A connection in a thread of its own. `begin` is the statement that opens the transaction, sent with the first one
    in it: a lock is not held while nobody uses it.
    """

    begin: str | None = None

    def __init__(self, path: str, *, patience: float) -> None:
        self._path = path
        self._patience = patience  # seconds to wait for a lock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-session")
        self._connection: sqlite3.Connection | None = None  # SQLAlchemy looks at it to see whether it is open

    async def open(self) -> Self:
        """Connect."""
        connect = partial(sqlite3.connect, self._path, timeout=0.0, isolation_level=None, check_same_thread=False)
        self._connection = await self._in_thread(connect)
        return self

    def cursor(self) -> "Cursor":
        """Return a cursor; nothing happens yet."""
        return Cursor(self)

    async def run(self, statement: Callable[[sqlite3.Connection], None]) -> None:
        """Run a statement inside a transaction; again while somebody else has the lock that it asks for first."""
        connection, deadline = self._opened(), time.monotonic() + self._patience
        if connection.in_transaction:
            await self._in_thread(partial(statement, connection))
            return
        while True:
            try:
                await self._in_thread(partial(_first, self.begin, statement, connection))
            except Locked as locked:
                if time.monotonic() > deadline and locked.__cause__:
                    raise locked.__cause__ from None
            else:
                return

    async def create_function(self, *args: Any, **options: Any) -> None:
        """Add a function of Python's to SQL."""
        await self._in_thread(partial(self._opened().create_function, *args, **options))

    async def commit(self) -> None:
        """End the transaction, if there is one."""
        await self._in_thread(self._opened().commit)

    async def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        await self._in_thread(self._opened().rollback)

    def interrupt(self) -> None:
        """End the statement that runs now, if one does."""
        if self._connection is not None:
            self._connection.interrupt()

    async def close(self) -> None:
        """Close; again does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._in_thread(connection.close)
            self._thread.shutdown(wait=False)

    def stop(self) -> None:
        """Close without waiting for it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.interrupt()
            self._thread.submit(connection.close)
            self._thread.shutdown(wait=False)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the connection is closed")
        return self._connection

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _first(
    begin: str | None, statement: Callable[[sqlite3.Connection], object], connection: sqlite3.Connection
) -> None:
    locked = None
    for _ in range(TRIES):
        try:
            if begin:
                connection.execute(begin)
            statement(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            locked = error
        else:
            return
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        time.sleep(PAUSE)
    raise Locked from locked


class Cursor:
    """A statement and all of its rows."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1
    _rows: Sequence[Any] = ()

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Run the statement and read its rows."""
        await self._connection.run(lambda connection: self._keep(connection.execute(sql, parameters)))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Run the statement once for each row of parameters."""
        await self._connection.run(lambda connection: self._keep(connection.executemany(sql, parameters)))
        return self

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self._rows = cursor.fetchall()
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        cursor.close()

    async def fetchall(self) -> Sequence[Any]:
        """Return the rows."""
        return self._rows

    async def close(self) -> None:
        """Close nothing: nothing is open."""


def connector(path: str, *, patience: float) -> Callable[[], Awaitable[Connection]]:
    """Return SQLAlchemy's `async_creator`: it opens connections to this file, which wait so many seconds for a lock."""
    return lambda: Connection(path, patience=patience).open()
