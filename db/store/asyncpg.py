"""Short transactions on PostgreSQL, by asyncpg's own hand.

An `AsyncConnection` of SQLAlchemy's does the same at half (submits) and seven tenths (claims) of the speed.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Dialect

from db.store.compiled import Statements
from db.store.notifications import Notification
from db.store.transactions import Execute, Transaction, follow

T = TypeVar("T")


class Runner:
    """Runs transactions on connections that it is given."""

    def __init__(self, dialect: Dialect) -> None:
        self._statements = Statements(dialect)

    async def run(
        self, connection: "asyncpg.Connection[Any]", transaction: Transaction[T]
    ) -> tuple[T, set[Notification]]:
        """Run a transaction from BEGIN to COMMIT; return its result and what is to be notified."""
        notifications: set[Notification] = set()

        async def answer(ask: Execute) -> Sequence[Any]:
            compiled = self._statements[ask.statement]
            return compiled.rows(await connection.fetch(compiled.sql, *compiled.arguments(ask.values)))

        async with connection.transaction():
            result = await follow(transaction, answer, notifications.add)
        return result, notifications
