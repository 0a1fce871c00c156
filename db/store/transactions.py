"""Short transactions as generators, which yield statements and are sent their rows: one dialect for all callers.

A verb is defined once as such a generator. `Database.run` runs it alone, by the shortest way that the database has
(`db.store.sqlite`, `db.store.asyncpg`): for the ways that every job takes, an asynchronous session costs several times
what the database does. Within a session it runs like any other statements. Rows hold the same values either way.

Statements are made once, without values, so that each is compiled once.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from functools import cache, update_wrapper
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Column, Executable, inspect
from sqlalchemy.ext.asyncio import AsyncSession

from db.store.base import Row, table_of
from db.store.notifications import Notification, notify_on_commit

P = ParamSpec("P")
T = TypeVar("T")
Model = TypeVar("Model", bound=Row)


class Execute(NamedTuple):
    """A statement and its values; the answer is its rows, none for a statement that returns none."""

    statement: Executable
    values: Mapping[str, Any]


Transaction = Generator[Execute | Notification, Any, T]
"""A yielded `Notification` is sent once the transaction is durable."""


class Verb(Generic[P, T]):
    """A transaction with a name: `await verb(session, …)` within a session, `yield from verb.steps(…)` within another
    transaction, `db.run(verb.steps(…))` alone.
    """

    def __init__(self, steps: Callable[P, Transaction[T]]) -> None:
        self.steps = steps
        update_wrapper(self, steps)

    async def __call__(self, session: AsyncSession, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it within a session's transaction."""

        async def answer(ask: Execute) -> Sequence[Any]:
            await session.flush()
            found = await session.execute(ask.statement, ask.values)
            return found.all() if getattr(found, "returns_rows", True) else []

        return await follow(self.steps(*args, **kwargs), answer, lambda one: notify_on_commit(session, one))


async def follow(
    transaction: Transaction[T],
    answer: Callable[[Execute], Awaitable[Sequence[Any]]],
    notify: Callable[[Notification], None],
) -> T:
    """Run a transaction's steps, each statement answered by `answer`; return its result."""
    steps = statements(transaction, notify)
    rows: Any = None
    while True:
        try:
            step = steps.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result
        rows = await answer(step)


def statements(transaction: Transaction[T], notify: Callable[[Notification], None]) -> Generator[Execute, Any, T]:
    """Yield a transaction's statements only; its notifications go to `notify` on the way."""
    rows: Any = None
    while True:
        try:
            step = transaction.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result
        rows = None
        if isinstance(step, Notification):
            notify(step)
        else:
            rows = yield step


@cache
def fields_of(model: type[Row]) -> tuple[tuple[str, Column[Any]], ...]:
    """Return the names of a model's fields with their columns, in the order of the table's columns."""
    names = {attribute.columns[0].name: attribute.key for attribute in inspect(model).column_attrs}
    return tuple((names[column.name], column) for column in table_of(model).columns)


def model_of(model: type[Model], row: Sequence[Any]) -> Model:
    """Return the object of a whole row, whose values are in the order of the table's columns."""
    found: Model = inspect(model).class_manager.new_instance()  # a twentieth of what `model(…)` takes
    found.__dict__.update({name: value for (name, _), value in zip(fields_of(model), row, strict=True)})
    return found
