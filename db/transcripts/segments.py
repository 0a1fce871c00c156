"""Reading a transcript's segments and words, page by page."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, Select, and_, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.values import QualityFlag
from db.listing import holds
from db.models import PastSegment, SegmentRow
from db.store.pages import Order, Window, page

ORDER = Order(
    "Segment",
    (col(SegmentRow.start_ms), col(SegmentRow.key)),
    lambda row: (row.start_ms, row.key),
)
"""By time; keys break ties."""


class SegmentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which segments: those that touch a stretch of time (seconds), of one speaker, with any of the flags."""

    between: tuple[float, float] | None = None
    speaker: int | None = None
    flags: tuple[QualityFlag, ...] | None = None


def query(owner_id: str, transcript_id: str, wanted: SegmentFilter) -> Select[*tuple[Any, ...]]:
    """Select the owner's segments that pass the filter: plain rows with a `SegmentRow`'s attributes, whose making would
    take longer than reading it.
    """
    columns = (getattr(SegmentRow, name) for name in PastSegment.model_fields if name in SegmentRow.model_fields)
    statement = select(*columns).where(
        col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id) == transcript_id
    )
    if wanted.between is not None:
        start, end = wanted.between
        statement = statement.where(col(SegmentRow.end_ms) > start * 1000, col(SegmentRow.start_ms) < end * 1000)
    if wanted.speaker is not None:
        statement = statement.where(col(SegmentRow.speaker) == wanted.speaker)
    if wanted.flags is not None:
        statement = statement.where(or_(false(), *(holds(col(SegmentRow.flags), flag) for flag in wanted.flags)))
    return statement


async def batches(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], start: tuple[int | str, ...] | None, size: int | None
) -> AsyncIterator[Sequence[SegmentRow]]:
    """Yield the statement's segments in order from the one at `start` (inclusive): `size` a statement, or all."""
    if start is not None:
        first = (col(SegmentRow.start_ms) > start[0]) | (
            (col(SegmentRow.start_ms) == start[0]) & (col(SegmentRow.key) >= start[1])
        )
        statement = statement.where(first)
    if size is None:
        rows: Sequence[Any] = (await session.execute(statement.order_by(*ORDER.columns))).all()
        yield rows
        return
    after = None
    while True:
        found = await page(session, statement, ORDER, Window(size, after=after))
        yield found.rows
        if not found.has_next:
            return
        after = ORDER.key(found.rows[-1])


async def some(session: AsyncSession, owner_id: str, keys: Mapping[str, Collection[str]]) -> Sequence[SegmentRow]:
    """Return the segments with these keys, by transcript; in order of time."""
    wanted = (
        and_(col(SegmentRow.transcript_id) == id_, col(SegmentRow.key).in_(of_one)) for id_, of_one in keys.items()
    )
    statement = select(SegmentRow).where(col(SegmentRow.owner_id) == owner_id, or_(false(), *wanted))
    return (await session.execute(statement.order_by(*ORDER.columns))).scalars().all()


async def lines(session: AsyncSession, owner_id: str, transcript_id: str) -> Sequence[Row[int, str, int | None]]:
    """Return start (milliseconds), text and speaker of every segment, in order: the text without its words."""
    statement = select(col(SegmentRow.start_ms), col(SegmentRow.text), col(SegmentRow.speaker)).where(
        col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id) == transcript_id
    )
    return (await session.execute(statement.order_by(*ORDER.columns))).all()


class Packed(NamedTuple):
    """A segment's words and when it is."""

    start_ms: int
    end_ms: int
    words: str


async def packed(
    session: AsyncSession, owner_id: str, transcript_id: str, between: tuple[float, float] | None = None
) -> Sequence[Packed]:
    """Return the words of every segment, in order, or of those that touch a stretch of time (seconds)."""
    columns = (col(SegmentRow.start_ms), col(SegmentRow.end_ms), col(SegmentRow.words))
    statement = query(owner_id, transcript_id, SegmentFilter(between=between)).with_only_columns(*columns)
    return [Packed(*row) for row in await session.execute(statement.order_by(*ORDER.columns))]


async def word_count(session: AsyncSession, owner_id: str, transcript_id: str) -> int:
    """Count the transcript's words."""
    statement = select(func.coalesce(func.sum(col(SegmentRow.word_count)), 0)).where(
        col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id) == transcript_id
    )
    return int((await session.execute(statement)).scalar_one())
