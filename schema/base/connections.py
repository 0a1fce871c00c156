"""Relay connections over keyset pages: opaque cursors, limits that are errors and never silent clamps."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import strawberry
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from db.domain.errors import InvalidInput
from db.store import pages
from db.store.pages import Key, Order, Window
from schema.base.context import Context
from schema.base.fields import field

MOST = 100
"""The most that `first` and `last` may ask for, words aside."""

Node = TypeVar("Node")


class PageInfoView(msgspec.Struct, frozen=True):
    """PageInfo at run time."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


class EdgeView(msgspec.Struct, frozen=True):
    """An edge at run time."""

    cursor: str
    node: Any


class ConnectionView(msgspec.Struct, frozen=True):
    """A connection at run time; the total is only counted when it is asked for."""

    edges: Sequence[EdgeView]
    page_info: PageInfoView
    count: Callable[[], Awaitable[int]]


async def _total_count(parent: strawberry.Parent[ConnectionView]) -> int:
    return await parent.count()


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = field("True when there is more behind this page.")
    has_previous_page: bool = field("True when there is something before this page.")
    start_cursor: str | None = field("The cursor of the first edge, for `before`.")
    end_cursor: str | None = field("The cursor of the last edge, for `after`.")


@strawberry.type(description="One entry of a list, with its place.")
class Edge(Generic[Node]):
    """Relay's edge."""

    cursor: str = field("The place of this entry; opaque, and stable while entries are added.")
    node: Node = field("The entry itself.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """Relay's connection."""

    edges: list[Edge[Node]] = field("The entries of this page, in order.")
    page_info: PageInfo = field("The position of the page in the list.")
    total_count: int = field("The number of entries in all, the filters applied.", _total_count)


def encode(*parts: int | str) -> str:
    """Return an opaque cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


def decode(cursor: str, *kinds: type, name: str, argument: str) -> Key:
    """Return a cursor's parts behind its name. Raises InvalidInput when it is no such cursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[int | str])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        parts = []
    shaped = [type(part) for part in parts] == [str, *kinds] and parts[0] == name
    if not shaped or any(isinstance(part, int) and abs(part) >= 2**63 for part in parts) or "\0" in str(parts):
        raise InvalidInput(argument, "This is not a cursor of this list.")
    return tuple(parts[1:])


def check(argument: str, value: int | None, most: int) -> None:
    """Check a page size; raises InvalidInput for one that is not allowed."""
    if value is not None and not 0 <= value <= most:
        raise InvalidInput(argument, f"Between 0 and {most}.")


def window(
    order: Order,
    *,
    first: int | None,
    after: str | None,
    last: int | None = None,
    before: str | None = None,
    default: int = 20,
    most: int = MOST,
) -> Window:
    """Return what the arguments ask for; with `last`, `first` does not count. Raises InvalidInput."""
    check("first", first, most)
    check("last", last, most)
    kinds = [int if column.type.python_type is int else str for column in order.columns]
    return Window(
        size=last if last is not None else default if first is None else first,
        backward=last is not None,
        after=None if after is None else decode(after, *kinds, name=order.name, argument="after"),
        before=None if before is None else decode(before, *kinds, name=order.name, argument="before"),
    )


def connection(edges: Sequence[EdgeView], count: Callable[[], Awaitable[int]], *, more: bool, less: bool
               ) -> ConnectionView:  # fmt: skip
    """Return a page, made of its edges and of what lies on either side."""
    start, end = (edges[0].cursor, edges[-1].cursor) if edges else (None, None)
    return ConnectionView(edges, PageInfoView(more, less, start, end), count)


async def paginate(
    context: Context,
    statement: Select[Any],
    order: Order,
    wanted: Window,
    view: Callable[[Sequence[Any]], Sequence[Any]] = list,
) -> ConnectionView:
    """One page of the statement's rows, shown as `view` makes them."""
    async with context.db.read() as session:
        page = await pages.page(session, statement, order, wanted)

    async def count() -> int:
        async with context.db.read() as session:
            return await pages.count(session, statement)

    cursors = [encode(order.name, *order.key(row)) for row in page.rows]
    edges = [EdgeView(cursor, node) for cursor, node in zip(cursors, view(page.rows), strict=True)]
    return connection(edges, count, more=page.has_next, less=page.has_previous)


class Listing(NamedTuple):
    """Lists of one kind that many parents have: a parent's children, by owner, parent and filter, and their order."""

    children: Callable[[str, str, Any], Select[Any]]
    parent_of: Callable[[Any], str]
    order: Order


async def paginate_each(
    context: Context,
    parent: str,
    listing: Listing,
    window: Window,
    wanted: Hashable = None,
    view: Callable[[Sequence[Any]], Sequence[Any]] = list,
) -> ConnectionView:
    """Return one page of a parent's list. Equal pages of many parents are read by one statement."""
    page = await context.load.each(_pages, (listing, wanted, window)).load(parent)
    rows = () if page is None else page.rows

    async def count() -> int:
        return await context.load.each(_counts, (listing, wanted)).load(parent) or 0

    cursors = [encode(listing.order.name, *listing.order.key(row)) for row in rows]
    edges = [EdgeView(cursor, node) for cursor, node in zip(cursors, view(rows), strict=True)]
    more, less = (page.has_next, page.has_previous) if page else (False, False)
    return connection(edges, count, more=more, less=less)


async def _pages(
    session: AsyncSession, owner_id: str, parents: Sequence[str], arguments: tuple[Listing, Hashable, Window]
) -> dict[str, pages.Page]:
    listing, wanted, window = arguments

    def children(parent: str) -> Select[Any]:
        return listing.children(owner_id, parent, wanted)

    return await pages.pages(session, parents, children, listing.order, window=window, parent_of=listing.parent_of)


async def _counts(
    session: AsyncSession, owner_id: str, parents: Sequence[str], arguments: tuple[Listing, Hashable]
) -> dict[str, int]:
    listing, wanted = arguments
    return await pages.counts(session, parents, lambda parent: listing.children(owner_id, parent, wanted))
