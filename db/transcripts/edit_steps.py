"""Steps that all corrections share: rows locked and kept, speakers' time and words counted anew, everybody told."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import events
from db.domain.errors import NotFound
from db.domain.values import Word
from db.domain.words import columns, pack
from db.models import PastSegment, SegmentRow, SpeakerRow, Transcript, index_terms
from db.transcripts import renumber, revisions, segment_id


async def segment_rows(session: AsyncSession, transcript: Transcript, keys: Sequence[str] | None) -> list[SegmentRow]:
    """Return the segments that are about to change, in order, their present state kept; all of them without keys."""
    where = [col(SegmentRow.owner_id) == transcript.owner_id, col(SegmentRow.transcript_id) == transcript.id]
    if keys is not None:
        where.append(col(SegmentRow.key).in_(keys))
        await revisions.keep_segments(session, transcript, keys)
    found = select(SegmentRow).where(*where).order_by(col(SegmentRow.start_ms), col(SegmentRow.key))
    rows = list((await session.execute(found)).scalars())
    for key in keys or ():
        if not any(row.key == key for row in rows):
            raise NotFound("segment", segment_id(transcript.id, key))
    return rows


async def speaker_rows(session: AsyncSession, transcript: Transcript, positions: Sequence[int]) -> list[SpeakerRow]:
    """Return the speakers that are about to change, their present state kept."""
    await revisions.keep_speakers(session, transcript, positions)
    found = select(SpeakerRow).where(
        col(SpeakerRow.owner_id) == transcript.owner_id,
        col(SpeakerRow.transcript_id) == transcript.id,
        col(SpeakerRow.position).in_(positions),
    )
    rows = list((await session.execute(found)).scalars())
    if len(rows) != len(positions):
        raise NotFound("speaker", str(positions[0]))
    return rows


def pass_on(moved: Counter[int], row: SegmentRow, speaker: int | None) -> None:
    """Let another speaker say a segment, and count its milliseconds for them."""
    for position, sign in ((row.speaker, -1), (speaker, 1)):
        if position is not None:
            moved[position] += sign * (row.end_ms - row.start_ms)
    row.speaker = speaker


async def add_seconds(session: AsyncSession, transcript: Transcript, moved: Mapping[int, int]) -> None:
    """Add to speakers' time what was given to them, in milliseconds by position."""
    if moved:
        for speaker in await speaker_rows(session, transcript, sorted(moved)):
            speaker.seconds = max(0.0, speaker.seconds + moved[speaker.position] / 1000)
            speaker.since = transcript.revision


async def done(
    session: AsyncSession, transcript: Transcript, changed: Sequence[tuple[SegmentRow, Sequence[Word]]]
) -> Transcript:
    """Store the changed segments' words, and count segments and words anew."""
    for row, words in changed:
        index_terms(row)
        row.words, row.word_count, row.edited, row.since = pack(words), len(words), True, transcript.revision
    await session.flush()
    await renumber(session, transcript.owner_id, transcript.id)
    await recount(session, transcript)
    return await tell(session, transcript)


async def tell(session: AsyncSession, transcript: Transcript) -> Transcript:
    """Tell everybody who looks of the new revision."""
    await session.flush()
    await events.append(session, transcript.owner_id, transcript.job_id, [events.Corrected(transcript.revision)])
    return transcript


async def recount(session: AsyncSession, transcript: Transcript) -> None:
    """Count the speakers' words anew."""
    packed = select(col(SegmentRow.words)).where(
        col(SegmentRow.owner_id) == transcript.owner_id, col(SegmentRow.transcript_id) == transcript.id
    )
    texts = (await session.execute(packed)).scalars().all()
    said = await asyncio.to_thread(_words_by_speaker, texts)
    mine = select(SpeakerRow).where(
        col(SpeakerRow.owner_id) == transcript.owner_id, col(SpeakerRow.transcript_id) == transcript.id
    )
    rows = [row for row in (await session.execute(mine)).scalars() if row.word_count != said[row.position]]
    if rows:
        await revisions.keep_speakers(session, transcript, [row.position for row in rows])
        for row in rows:
            row.word_count, row.since = said[row.position], transcript.revision
        await session.flush()


def _words_by_speaker(packed: Sequence[str]) -> Counter[int | None]:
    said: Counter[int | None] = Counter()
    for words in packed:
        said.update(columns(words).speaker)
    return said


async def part_key(session: AsyncSession, transcript: Transcript, key: str) -> str:
    """Return a key for the second part of a segment, never used in this transcript: `key.1`, `key.2` and so on."""
    used: set[str] = set()
    for table in (SegmentRow, PastSegment):
        mine = select(col(table.key)).where(
            col(table.owner_id) == transcript.owner_id, col(table.transcript_id) == transcript.id
        )
        used |= set((await session.execute(mine)).scalars())
    number = 1
    while f"{key}.{number}" in used:
        number += 1
    return f"{key}.{number}"
