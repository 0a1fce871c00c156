"""Short transactions on PostgreSQL, by asyncpg's own hand: SQLAlchemy compiles a statement once and is not asked again.

An `AsyncConnection` of SQLAlchemy's does the same at half (submits) and seven tenths (claims) of the speed. What is
read of SQLAlchemy beside its documented surface is `compiled.binds` and `compiled.positiontup`, which
`tests/db/test_transactions.py` holds to the installed version.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import Dialect, Executable, Float
from sqlalchemy.types import TypeEngine

from db.store.notifications import Notification
from db.store.transactions import Execute, Transaction, follow

T = TypeVar("T")

Convert = Callable[[Any], Any]


class Compiled:
    """A statement as asyncpg takes it."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._given = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        kinds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        self._binds: list[tuple[str, Convert | None]] = [(name, kinds[name]) for name in compiled.positiontup or ()]
        columns = getattr(statement, "exported_columns", ())
        self._reads = [(place, read) for place, c in enumerate(columns) if (read := _reads(c.type, dialect))]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the statement, as the driver knows them."""
        found = {**self._given, **values}
        return [found[name] if convert is None else convert(found[name]) for name, convert in self._binds]

    def rows(self, records: Sequence[Any]) -> list[list[Any]]:
        """Return the rows as a session would give them."""
        rows = [list(record) for record in records]
        for place, read in self._reads:
            for row in rows:
                row[place] = read(row[place])
        return rows


def _reads(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return what makes a column's value of the driver's; floats come as such."""
    own = kind.dialect_impl(dialect)
    return None if isinstance(own, Float) else own.result_processor(dialect, None)


class Runner:
    """Runs transactions; statements are compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[Executable, Compiled] = WeakKeyDictionary()

    async def run(
        self, connection: "asyncpg.Connection[Any]", transaction: Transaction[T]
    ) -> tuple[T, set[Notification]]:
        """Run a transaction from BEGIN to COMMIT; return its result and what is to be notified."""
        notifications: set[Notification] = set()

        async def answer(ask: Execute) -> Sequence[Any]:
            compiled = self._of(ask.statement)
            return compiled.rows(await connection.fetch(compiled.sql, *compiled.arguments(ask.values)))

        async with connection.transaction():
            result = await follow(transaction, answer, notifications.add)
        return result, notifications

    def _of(self, statement: Executable) -> Compiled:
        found = self._compiled.get(statement)
        if found is None:
            found = self._compiled[statement] = Compiled(statement, self._dialect)
        return found
