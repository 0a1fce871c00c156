"""SQLite for asyncio, with one trip to the connection's thread for each statement.

aiosqlite makes a trip each to open a cursor, to execute, to fetch and to close it, and a trip costs more than the
statement. SQLAlchemy reads all rows at once, so one trip does for it.
"""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

import aiosqlite

T = TypeVar("T")


PAUSE = 0.0003
"""Seconds between two looks at a lock that somebody else has. SQLite's own pauses grow to a hundred times a commit."""

TRIES = 64
"""So many looks in the connection's thread, where nobody can call them off."""


class Connection(aiosqlite.Connection):
    """What SQLAlchemy uses of a connection. `begin` is the statement that opens the transaction, sent with the first
    one in it: a lock is not held while nobody uses it.
    """

    begin: str | None = None
    patience = 30.0  # seconds to wait for a lock

    def cursor(self) -> "Cursor":  # type: ignore[override]  # aiosqlite's own does more than SQLAlchemy asks for
        """A cursor; nothing happens yet."""
        return Cursor(self)

    async def run(self, statement: Callable[[sqlite3.Connection], None]) -> None:
        """Runs a statement in the connection's thread, inside a transaction."""
        if self._conn.in_transaction:
            await self._execute(statement, self._conn)  # type: ignore[no-untyped-call]  # aiosqlite's, not annotated
        else:
            await self._patiently(partial(_first, self.begin, statement))

    async def trip(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Begins a transaction and does something in it, which ends it, all in one trip to the connection's thread."""

        def begun(connection: sqlite3.Connection) -> T:
            _first(None, lambda connection: connection.execute(begin), connection)
            return work(connection)

        return await self._patiently(begun)

    async def _patiently(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Again while somebody else has the lock that it asks for first."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                found: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
            except _Locked as locked:
                if time.monotonic() > deadline and locked.__cause__:
                    raise locked.__cause__ from None
            else:
                return found


class _Locked(Exception):
    """Somebody else has the lock, and nothing was done yet."""


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
    raise _Locked from locked


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
        """Runs the statement and reads its rows."""
        await self._connection.run(lambda connection: self._keep(connection.execute(sql, parameters)))
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Runs the statement once for each row of parameters."""
        await self._connection.run(lambda connection: self._keep(connection.executemany(sql, parameters)))
        return self

    def _keep(self, cursor: sqlite3.Cursor) -> None:
        self._rows = cursor.fetchall()
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        cursor.close()

    async def fetchall(self) -> Sequence[Any]:
        """The rows."""
        return self._rows

    async def close(self) -> None:
        """Nothing is open."""


def connector(path: str, *, patience: float) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Opens connections to this file, which wait so many seconds for a lock; for SQLAlchemy's `async_creator`."""

    def connect() -> Connection:
        opened = partial(sqlite3.connect, path, timeout=0.0, isolation_level=None)
        connection = Connection(opened, iter_chunk_size=64)
        connection.patience = patience
        connection._thread.daemon = True  # noqa: SLF001  # SQLAlchemy does the same to those that it opens
        return connection

    return connect
