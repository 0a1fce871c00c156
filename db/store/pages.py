"""Keyset pagination: a page is found by the key of the row beside it, so it stays the same while rows are added."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

Key = tuple[int | str, ...]


class Order(NamedTuple):
    """A total order: columns of which the last is unique, and how to read their values off a row."""

    name: str
    columns: tuple[Any, ...]
    key: Callable[[Any], Key]
    descending: bool = False


class Window(NamedTuple):
    """A part of a list: so many from its start, or from its end, between two keys (both exclusive)."""

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
    found = await session.execute(_limited(statement, order, window))
    rows: list[Any] = list(found.scalars() if len(statement.column_descriptions) == 1 else found)
    return _paged(rows, window)


async def pages(
    session: AsyncSession,
    parents: Sequence[str],
    children: Callable[[str], Select[Any]],
    order: Order,
    *,
    window: Window,
    parent_of: Callable[[Any], str],
) -> dict[str, Page]:
    """Return the same page of each parent's children, by one statement that reads no more rows than those."""
    if len(parents) == 1:
        return {parents[0]: await page(session, children(parents[0]), order, window)}
    limited = (_limited(children(parent), order, window).subquery() for parent in _padded(parents))
    together = union_all(*(select(one) for one in limited))
    described = children(parents[0]).column_descriptions
    found: Iterable[Any]
    if len(described) == 1:
        found = (await session.execute(select(described[0]["entity"]).from_statement(together))).scalars()
    else:
        found = await session.execute(together)
    rows: dict[str, list[Any]] = {parent: [] for parent in parents}
    for row in found:
        rows[parent_of(row)].append(row)
    down = order.descending != window.backward
    return {parent: _paged(sorted(own, key=order.key, reverse=down), window) for parent, own in rows.items()}


async def counts(
    session: AsyncSession, parents: Sequence[str], children: Callable[[str], Select[Any]]
) -> dict[str, int]:
    """Return how many children each parent has, by one statement."""
    each = (
        select(literal(parent).label("parent"), func.count().label("count")).select_from(children(parent).subquery())
        for parent in (_padded(parents) if len(parents) > 1 else parents)
    )
    found = await session.execute(union_all(*each))
    return {parent: int(number) for parent, number in found if parent}


def _padded(parents: Sequence[str]) -> list[str]:
    """Return the parents, and ids of none up to a power of two: so there are few statements, each compiled once."""
    return [*parents, *[""] * ((1 << (len(parents) - 1).bit_length()) - len(parents))]


def _limited(statement: Select[Any], order: Order, window: Window) -> Select[Any]:
    if window.after is not None:
        statement = statement.where(_beyond(order, window.after, later=True))
    if window.before is not None:
        statement = statement.where(_beyond(order, window.before, later=False))
    down = order.descending != window.backward
    return statement.order_by(*(c.desc() if down else c.asc() for c in order.columns)).limit(window.size + 1)


def _paged(rows: list[Any], window: Window) -> Page:
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
