"""Keyset pagination: a page is found by the key of the row beside it, so it stays the same while rows are added."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

Key = tuple[int | str, ...]


class Order(NamedTuple):
    """A total order: columns of which the last is unique, and how to read their values off a row."""

    name: str
    columns: tuple[Any, ...]
    key: Callable[[Any], Key]
    descending: bool = False


class Window(NamedTuple):
    """Which part of a list: so many from its start, or from its end, between two keys (both exclusive)."""

    size: int
    backward: bool = False
    after: Key | None = None
    before: Key | None = None


class Page(NamedTuple):
    """Rows in order, and whether there are others on either side."""

    rows: Sequence[Any]
    has_next: bool
    has_previous: bool


async def page(session: AsyncSession, statement: Select[Any], order: Order, window: Window) -> Page:
    """Return one page of the statement's entities or plain rows, by one statement."""
    if window.after is not None:
        statement = statement.where(_beyond(order, window.after, later=True))
    if window.before is not None:
        statement = statement.where(_beyond(order, window.before, later=False))
    down = order.descending != window.backward
    statement = statement.order_by(*(c.desc() if down else c.asc() for c in order.columns)).limit(window.size + 1)
    found = await session.execute(statement)
    rows: list[Any] = list(found.scalars() if len(statement.column_descriptions) == 1 else found)
    more = len(rows) > window.size
    rows = rows[: window.size]
    if window.backward:
        return Page(rows[::-1], window.before is not None, more)
    return Page(rows, more, window.after is not None)


async def count(session: AsyncSession, statement: Select[Any]) -> int:
    """Count the statement's rows."""
    return int((await session.execute(select(func.count()).select_from(statement.subquery()))).scalar_one())


def _beyond(order: Order, key: Key, *, later: bool) -> ColumnElement[bool]:
    columns = tuple_(*order.columns)
    values = tuple_(*(literal(value, column.type) for value, column in zip(key, order.columns, strict=True)))
    return columns > values if later != order.descending else columns < values
