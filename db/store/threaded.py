"""Short transactions on SQLite, by the standard library's own hand: one trip to a thread for a whole transaction.

SQLAlchemy's Core on a synchronous engine in the same thread claims at three quarters of the speed.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Dialect

from db.store.compiled import Statements
from db.store.notifications import Notification
from db.store.transactions import Transaction, statements

T = TypeVar("T")

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-4000")

PAUSE = 0.0003
"""Seconds between two looks at a lock that another has. SQLite's own pauses grow to a hundred times a commit."""

TRIES = 64
"""So many looks in one trip: nobody can call them off."""


class Abandoned(Exception):
    """Nobody waits for the transaction any more, so it was rolled back."""


class Locked(Exception):
    """Somebody else has the lock, and nothing was done yet."""


class Runner:
    """Runs transactions on a file, one after the other; waits `patience` seconds for a lock."""

    def __init__(self, dialect: Dialect, path: str, *, patience: float) -> None:
        self._statements = Statements(dialect)
        self._path = path
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def run(self, transaction: Transaction[T]) -> tuple[T, set[Notification]]:
        """Run a transaction from BEGIN to COMMIT; return its result and what is to be notified. One that is cancelled
        is not committed, unless it just was.
        """
        deadline, loop = time.monotonic() + self._patience, asyncio.get_running_loop()
        while True:
            abandoned = threading.Event()
            try:
                return await loop.run_in_executor(self._thread, self._trip, transaction, abandoned)
            except asyncio.CancelledError:
                abandoned.set()
                raise
            except Locked as locked:
                if time.monotonic() > deadline and locked.__cause__:
                    raise locked.__cause__ from None

    def _trip(self, transaction: Transaction[T], abandoned: threading.Event) -> tuple[T, set[Notification]]:
        connection = self._open()
        _begin(connection)
        notifications: set[Notification] = set()
        steps = statements(transaction, notifications.add)
        rows: Sequence[Any] | None = None
        try:
            while True:
                step = steps.send(rows)
                compiled = self._statements[step.statement]
                rows = compiled.rows(connection.execute(compiled.sql, compiled.arguments(step.values)).fetchall())
        except StopIteration as done:
            if abandoned.is_set():
                raise Abandoned from None
            connection.execute("COMMIT")
            return done.value, notifications
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            opened = sqlite3.connect(self._path, timeout=0.0, isolation_level=None)
            for pragma in PRAGMAS:
                opened.execute(f"PRAGMA {pragma}")
            self._connection = opened
        return self._connection

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)


def _begin(connection: sqlite3.Connection) -> None:
    locked = None
    for _ in range(TRIES):
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            locked = error
            time.sleep(PAUSE)
        else:
            return
    raise Locked from locked
