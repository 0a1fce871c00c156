"""Short transactions as scripts: generators that yield statements and are sent their rows.

A script goes straight to the driver, on SQLite in one trip to the connection's thread: for the ways that every job
takes, SQLAlchemy's own way costs several times what the database does. Inside a session a script runs like any
other statements. Its statements are made once, without values; each is compiled once for a dialect.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy import Column, Dialect, Executable, Float, inspect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from db.store.base import Row, table_of
from db.store.notifications import Notification, notify_on_commit

T = TypeVar("T")
Model = TypeVar("Model", bound=Row)


class Execute(NamedTuple):
    """A statement and its values; the answer is its rows."""

    statement: Executable
    values: Mapping[str, Any]


Transaction = Generator[Execute | Notification, Any, T]
"""A yielded `Notification` is told once the transaction is durable."""

Convert = Callable[[Any], Any]


def fields_of(model: type[Row]) -> list[tuple[str, Column[Any]]]:
    """The names of a model's fields with their columns, in the order of the table's columns."""
    names = {attribute.columns[0].name: attribute.key for attribute in inspect(model).column_attrs}
    return [(names[column.name], column) for column in table_of(model).columns]


class _Compiled:
    """A statement as a driver takes it."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._given = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        kinds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        self._binds: list[tuple[str, Convert | None]] = [(name, kinds[name]) for name in compiled.positiontup or ()]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement, as the driver knows them."""
        found = {**self._given, **values}
        return [found[name] if convert is None else convert(found[name]) for name, convert in self._binds]


class TransactionRunner:
    """Runs scripts for one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[Executable, _Compiled] = WeakKeyDictionary()
        self._fields: dict[type[Row], list[tuple[str, Convert | None]]] = {}

    def on_sqlite(self, connection: sqlite3.Connection, transaction: Transaction[T]) -> tuple[T, set[Notification]]:
        """Runs a script and commits, in the connection's thread and in the transaction that has begun."""
        notifications: set[Notification] = set()
        asks = _asks(transaction, notifications.add)
        try:
            rows: Any = None
            while True:
                statement, values = asks.send(rows)
                compiled = self._of(statement)
                rows = connection.execute(compiled.sql, compiled.arguments(values)).fetchall()
        except StopIteration as done:
            connection.execute("COMMIT")
            return done.value, notifications
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    async def on_postgres(
        self, connection: "asyncpg.Connection[Any]", transaction: Transaction[T]
    ) -> tuple[T, set[Notification]]:
        """Runs a script from BEGIN to COMMIT."""
        notifications: set[Notification] = set()

        async def answer(ask: Execute) -> Sequence[Any]:
            compiled = self._of(ask.statement)
            return await connection.fetch(compiled.sql, *compiled.arguments(ask.values))

        async with connection.transaction():
            result = await _run(_asks(transaction, notifications.add), answer)
        return result, notifications

    def _of(self, statement: Executable) -> _Compiled:
        found = self._compiled.get(statement)
        if found is None:
            found = self._compiled[statement] = _Compiled(statement, self._dialect)
        return found

    def _reads(self, kind: TypeEngine[Any]) -> Convert | None:
        """How values of this type are read; floats come as such."""
        own = kind.dialect_impl(self._dialect)
        return None if isinstance(own, Float) else own.result_processor(self._dialect, None)

    def read(self, model: type[Model], row: Sequence[Any]) -> Model:
        """A whole row, as the driver gave it, as an object."""
        fields = self._fields.get(model)
        if fields is None:
            fields = self._fields[model] = [(name, self._reads(column.type)) for name, column in fields_of(model)]
        found: Model = inspect(model).class_manager.new_instance()  # SQLAlchemy's own way, far cheaper than `model(…)`
        values = {name: v if read is None else read(v) for (name, read), v in zip(fields, row, strict=True)}
        found.__dict__.update(values)
        return found


async def inside(session: AsyncSession, transaction: Transaction[T]) -> T:
    """Runs a script within a session's transaction."""

    async def answer(ask: Execute) -> Sequence[Any]:
        await session.flush()
        found = await session.execute(ask.statement, ask.values)
        return found.all() if getattr(found, "returns_rows", True) else []

    return await _run(_asks(transaction, partial(notify_on_commit, session)), answer)


def _asks(transaction: Transaction[T], tell: Callable[[Notification], None]) -> Generator[Execute, Any, T]:
    """A script without its news, which are told on the way."""
    rows: Any = None
    while True:
        try:
            step = transaction.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result
        rows = None
        if isinstance(step, Notification):
            tell(step)
        else:
            rows = yield step


async def _run(asks: Generator[Execute, Any, T], answer: Callable[[Execute], Awaitable[Sequence[Any]]]) -> T:
    rows: Any = None
    while True:
        try:
            ask = asks.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result
        rows = await answer(ask)
