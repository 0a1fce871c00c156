"""Short transactions on SQLite: a synchronous engine in a thread of its own, one trip to it for a whole transaction."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event

from db.store.notifications import Notification
from db.store.transactions import Transaction, statements

T = TypeVar("T")

PAUSE = 0.0003
"""Seconds between two looks at a lock that another has. SQLite's own pauses grow to a hundred times a commit."""

TRIES = 64
"""So many looks in one trip: nobody can call them off."""


class _Abandoned(Exception):
    """Nobody waits for the transaction any more, so it was rolled back."""


class _Locked(Exception):
    """Somebody else has the lock, and nothing was done yet."""


class Runner:
    """Runs transactions, one after the other; waits `patience` seconds for a lock."""

    def __init__(self, path: str, *, patience: float) -> None:
        # the transaction's own BEGIN below, which takes the lock at once; waiting for it is not SQLite's business
        connect = {"timeout": 0.0, "isolation_level": None, "check_same_thread": False}
        self._engine = create_engine(f"sqlite:///{path}", connect_args=connect, pool_size=1)
        event.listen(self._engine, "connect", configure)
        event.listen(self._engine, "begin", _begin)
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

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
            except _Locked as locked:
                if time.monotonic() > deadline and locked.__cause__:
                    raise locked.__cause__ from None

    def _trip(self, transaction: Transaction[T], abandoned: threading.Event) -> tuple[T, set[Notification]]:
        notifications: set[Notification] = set()
        steps = statements(transaction, notifications.add)
        rows: Sequence[Any] | None = None
        with self._engine.begin() as connection:
            while True:
                try:
                    step = steps.send(rows)
                except StopIteration as done:
                    if abandoned.is_set():
                        raise _Abandoned from None
                    return done.value, notifications
                found = connection.execute(step.statement, step.values)
                rows = found.all() if found.returns_rows else []

    async def close(self) -> None:
        """Close the connection."""
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()


def configure(connection: Any, _record: Any) -> None:
    """Set a new connection up; for SQLAlchemy's event `connect`."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-4000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    locked = None
    for _ in range(TRIES):
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            locked = error
            time.sleep(PAUSE)
        else:
            return
    raise _Locked from locked
