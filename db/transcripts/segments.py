"""Reading a transcript's segments and words, page by page."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.values import QualityFlag
from db.listing import holds
from db.models import PastSegment, SegmentRow, Transcript
from db.store.pages import Order, Window, page

ORDER = Order(
    "Segment",
    (col(SegmentRow.start_ms), col(SegmentRow.key)),
    lambda row: (row.start_ms, row.key),
)
"""By time; keys break ties."""


class SegmentFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter of segments: those that touch a stretch of time (seconds), of one speaker, with any of the flags."""

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
    statement = statement.where(*_touching(wanted.between))
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


class Line(NamedTuple):
    """A segment's text without its words."""

    transcript_id: str
    key: str
    start_ms: int
    end_ms: int
    text: str
    speaker: int | None


async def lines(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> Sequence[Line]:
    """Return every segment's text of these transcripts, in order."""
    columns = [col(getattr(SegmentRow, name)) for name in Line._fields]
    statement = select(*columns).where(col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id).in_(ids))
    ordered = statement.order_by(col(SegmentRow.transcript_id), *ORDER.columns)
    return [Line._make(row) for row in await session.execute(ordered)]


class Packed(NamedTuple):
    """A segment with its words packed."""

    transcript_id: str
    key: str
    start_ms: int
    end_ms: int
    text: str
    words: str
    word_count: int
    first_word: int
    speaker: int | None
    edited: bool
    flags: Sequence[QualityFlag]
    of_revision: int
    """The transcript's revision when it was read."""


async def packed(
    session: AsyncSession, owner_id: str, ids: Sequence[str], between: tuple[float, float] | None = None
) -> Sequence[Packed]:
    """Return every segment of these transcripts, in order, or those that touch a stretch of time (seconds); by one
    statement, so that all of a transcript is of one revision.
    """
    columns = [col(getattr(SegmentRow, name)) for name in Packed._fields[:-1]]
    statement = (
        select(*columns, col(Transcript.revision))
        .join(Transcript, col(Transcript.id) == col(SegmentRow.transcript_id))
        .where(col(SegmentRow.owner_id) == owner_id, col(Transcript.owner_id) == owner_id)
        .where(col(SegmentRow.transcript_id).in_(ids), *_touching(between))
        .order_by(col(SegmentRow.transcript_id), *ORDER.columns)
    )
    return [Packed._make(row) for row in await session.execute(statement)]


def _touching(between: tuple[float, float] | None) -> list[ColumnElement[bool]]:
    if between is None:
        return []
    start, end = between
    return [col(SegmentRow.end_ms) > start * 1000, col(SegmentRow.start_ms) < end * 1000]


async def word_count(session: AsyncSession, owner_id: str, transcript_id: str) -> int:
    """Count the transcript's words."""
    statement = select(func.coalesce(func.sum(col(SegmentRow.word_count)), 0)).where(
        col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id) == transcript_id
    )
    return int((await session.execute(statement)).scalar_one())
