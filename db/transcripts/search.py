"""Full-text search in transcripts: FTS5 on SQLite, tsvector on PostgreSQL, equal hits on both (`db.domain.terms`)."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.terms import Phrase
from db.models import SegmentRow


class Place(NamedTuple):
    """The place of a hit in the order: transcripts from the newest, segments by time."""

    transcript_id: str
    start_ms: int
    key: str


def place_of(row: SegmentRow) -> Place:
    """Return a segment's place."""
    return Place(row.transcript_id, row.start_ms, row.key)


def query(
    owner_id: str, phrases: Sequence[Phrase], *, is_sqlite: bool, transcript_id: str | None = None
) -> Select[SegmentRow]:
    """Select the owner's segments with all of the phrases, in one transcript or in all."""
    statement = select(SegmentRow).where(col(SegmentRow.owner_id) == owner_id)
    if transcript_id is not None:
        statement = statement.where(col(SegmentRow.transcript_id) == transcript_id)
    return statement.where(_holds(phrases, is_sqlite=is_sqlite))


async def hits(
    session: AsyncSession, statement: Select[SegmentRow], after: Place | None, size: int
) -> Sequence[SegmentRow]:
    """Return the next segments, one more than asked for when there are more."""
    id_, start_ms, key = col(SegmentRow.transcript_id), col(SegmentRow.start_ms), col(SegmentRow.key)
    if after is not None:
        later = or_(start_ms > after.start_ms, and_(start_ms == after.start_ms, key > after.key))
        statement = statement.where(or_(id_ < after.transcript_id, and_(id_ == after.transcript_id, later)))
    statement = statement.order_by(id_.desc(), start_ms, key).limit(size + 1)
    return (await session.execute(statement)).scalars().all()


def _holds(phrases: Sequence[Phrase], *, is_sqlite: bool) -> ColumnElement[bool]:
    """Return the condition; terms are letters and digits only, so nothing in them can be an operator."""
    if not phrases:
        return literal(value=False)
    if is_sqlite:
        wanted = " AND ".join(
            f'"{" ".join(phrase).rstrip("*")}"' + "*" * phrase[-1].endswith("*") for phrase in phrases
        )
        found = text("SELECT rowid FROM segment_terms WHERE segment_terms MATCH :terms")
        return col(SegmentRow.terms_id).in_(found.bindparams(terms=wanted).columns(SegmentRow.terms_id))  # type: ignore[arg-type]  # a column, by SQLModel's word an int
    wanted = " & ".join("(" + " <-> ".join(phrase).replace("*", ":*") + ")" for phrase in phrases)
    return func.to_tsvector(text("'simple'"), col(SegmentRow.terms)).op("@@")(func.to_tsquery(text("'simple'"), wanted))
