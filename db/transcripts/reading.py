"""Transcripts as they are read: one or many, their segments and their speakers."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.ids import child_id
from db.domain.values import Segment
from db.domain.words import unpack
from db.models import SegmentRow, SpeakerRow, Transcript


def transcript_id(job_id: str) -> str:
    """Return the id of a job's transcript, which follows from the job's."""
    return f"trn_{job_id.partition('_')[2]}"


def job_id(transcript: str) -> str:
    """Return the id of the job that made a transcript."""
    return f"job_{transcript.partition('_')[2]}"


def segment_id(transcript: str, key: str) -> str:
    """Return a segment's global id."""
    return child_id("seg", transcript, key)


def speaker_id(transcript: str, position: int) -> str:
    """Return a speaker's global id."""
    return child_id("spk", transcript, position)


async def get(session: AsyncSession, owner_id: str, id_: str) -> Transcript | None:
    """Return one transcript, or None when there is none that this owner may see."""
    return (await many(session, owner_id, [id_])).get(id_)


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Transcript]:
    """Return the owner's transcripts among these ids."""
    statement = select(Transcript).where(col(Transcript.owner_id) == owner_id, col(Transcript.id).in_(ids))
    return {found.id: found for found in (await session.execute(statement)).scalars()}


async def segment_rows(session: AsyncSession, owner_id: str, id_: str) -> list[SegmentRow]:
    """Return a transcript's segments in order of time."""
    statement = select(SegmentRow).where(col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id) == id_)
    rows = await session.execute(statement.order_by(col(SegmentRow.start_ms), col(SegmentRow.key)))
    return list(rows.scalars())


async def speakers(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, list[SpeakerRow]]:
    """Return the speakers of each of these transcripts, in order of first appearance."""
    statement = (
        select(SpeakerRow)
        .where(col(SpeakerRow.owner_id) == owner_id, col(SpeakerRow.transcript_id).in_(ids))
        .order_by(col(SpeakerRow.position))
    )
    found: dict[str, list[SpeakerRow]] = {id_: [] for id_ in ids}
    for row in (await session.execute(statement)).scalars():
        found[row.transcript_id].append(row)
    return found


def as_segment(row: SegmentRow) -> Segment:
    """Return a stored segment with its words unpacked."""
    return Segment(
        key=row.key,
        start=row.start_ms / 1000,
        end=row.end_ms / 1000,
        text=row.text,
        words=unpack(row.words),
        speaker=row.speaker,
        confidence=row.confidence,
        flags=tuple(row.flags),
        language=row.language,
    )
