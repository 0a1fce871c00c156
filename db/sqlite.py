"""SQLite for asyncio, with one trip to the connection's thread for each statement.

aiosqlite makes a trip each to open a cursor, to execute, to fetch and to close it, and a trip costs more than the
statement. SQLAlchemy reads all rows at once, so one trip does for it.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

import aiosqlite

T = TypeVar("T")


class Connection(aiosqlite.Connection):
    """What SQLAlchemy uses of a connection. `begin` is the statement that opens the transaction, sent with the first
    one in it: a lock is not held while nobody uses it.
    """

    begin: str | None = None

    def cursor(self) -> "Cursor":  # type: ignore[override]  # aiosqlite's own does more than SQLAlchemy asks for
        """A cursor; nothing happens yet."""
        return Cursor(self)

    async def run(self, statement: Callable[[sqlite3.Connection], None]) -> None:
        """Runs a statement in the connection's thread, inside a transaction."""
        await self._execute(self._run, statement)  # type: ignore[no-untyped-call]  # aiosqlite's, not annotated

    async def trip(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Does something in the connection's thread, which begins and ends its transaction itself."""
        found: T = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return found

    def _run(self, statement: Callable[[sqlite3.Connection], None]) -> None:
        if self.begin and not self._conn.in_transaction:
            self._conn.execute(self.begin)
        statement(self._conn)


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


def connector(path: str, **options: Any) -> Callable[[], Awaitable[aiosqlite.Connection]]:
    """Opens connections to this file; for SQLAlchemy's `async_creator`."""

    def connect() -> Connection:
        connection = Connection(partial(sqlite3.connect, path, **options), iter_chunk_size=64)
        connection._thread.daemon = True  # noqa: SLF001  # SQLAlchemy does the same to those that it opens
        return connection

    return connect
