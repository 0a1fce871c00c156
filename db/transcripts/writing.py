"""Transcripts: written by the job's worker as the text is recognised, read by their owner at any time."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import events
from db.domain.clock import now
from db.domain.values import Provenance, Segment, SpeakerLabel, Stage
from db.domain.words import pack
from db.models import Job, Media, SegmentRow, SpeakerRow, Transcript, index_terms
from db.queue import leases
from db.queue.leases import Lease
from db.transcripts import revisions
from db.transcripts.reading import as_segment, get, segment_rows, speakers, transcript_id

# ---------------------------------------------------------------- the worker's side, under its lease


async def append(
    session: AsyncSession, lease: Lease, segments: Sequence[Segment], *, windows: int, **job_values: Any
) -> None:
    """Store new segments; `windows` windows are finished once they are stored. Raises LeaseLost."""
    await leases.write(session, lease, windows=windows, **job_values)
    transcript = await _of(session, lease)
    await _store(session, lease.owner_id, transcript, segments)
    keys = tuple(segment.key for segment in segments)
    if keys:
        await events.append(session, lease.owner_id, lease.id, [events.SegmentsAdded(keys)])


async def revise(
    session: AsyncSession,
    lease: Lease,
    stage: Stage,
    segments: Sequence[Segment],
    removed: Sequence[str] = (),
    **job_values: Any,
) -> None:
    """Replace segments by those with the same keys, add the parts split off, drop those joined again. Raises
    LeaseLost.
    """
    await leases.write(session, lease, **job_values)
    transcript = await _of(session, lease)
    await _remove(session, transcript, removed)
    await _store(session, lease.owner_id, transcript, segments)
    keys = tuple(segment.key for segment in segments)
    await events.append(session, lease.owner_id, lease.id, [events.SegmentsChanged(stage, keys, tuple(removed))])


async def set_language(session: AsyncSession, lease: Lease, language: str, confidence: float) -> None:
    """Record the language that is spoken. Raises LeaseLost."""
    await leases.write(session, lease)
    transcript = await _of(session, lease)
    transcript.language, transcript.language_confidence = language, confidence


async def set_speakers(session: AsyncSession, lease: Lease, speakers: Sequence[SpeakerLabel]) -> None:
    """Record the speakers; they replace what an earlier diarization found. Raises LeaseLost."""
    await leases.write(session, lease)
    transcript = await _of(session, lease)
    await revisions.keep_speakers(session, transcript)
    earlier = delete(SpeakerRow).where(
        col(SpeakerRow.owner_id) == lease.owner_id, col(SpeakerRow.transcript_id) == transcript.id
    )
    await session.execute(earlier)
    session.add_all(
        SpeakerRow(
            transcript_id=transcript.id,
            owner_id=lease.owner_id,
            position=speaker.index,
            label=speaker.label,
            seconds=speaker.seconds,
            word_count=speaker.word_count,
            since=transcript.revision,
        )
        for speaker in speakers
    )


def _together(before: Provenance | None, last: Provenance) -> Provenance:
    """Merge the provenance of a run that did only some stages again: the others' facts stay."""
    if before is None:
        return last
    kept: dict[str, str | None] = {}
    if Stage.TRANSCRIBE not in last.stage_seconds:
        kept |= {"asr_model": before.asr_model, "compute_type": before.compute_type}
    asked = last.options
    if Stage.ALIGN not in last.stage_seconds and (asked is None or asked.align):
        kept["align_model"] = before.align_model
    if Stage.DIARIZE not in last.stage_seconds and (asked is None or asked.diarize):
        kept["diarization_model"] = before.diarization_model
    return msgspec.structs.replace(last, stage_seconds=before.stage_seconds | last.stage_seconds, **kept)


async def complete(session: AsyncSession, lease: Lease, provenance: Provenance) -> None:
    """Record that no more segments will come from this job. Raises LeaseLost."""
    await leases.write(session, lease)
    transcript = await _of(session, lease)
    transcript.complete, transcript.updated_at = True, now()
    transcript.provenance = _together(transcript.provenance, provenance)


async def trim(session: AsyncSession, lease: Lease, windows: int) -> None:
    """Drop what an earlier attempt stored of windows that it did not finish; they are done again. Raises LeaseLost."""
    await leases.write(session, lease)
    first = f"{windows:03d}"  # keys begin with the number of their window
    transcript = await get(session, lease.owner_id, transcript_id(lease.id))
    if transcript is not None:
        await revisions.keep_segments(session, transcript, from_key=first)
    unfinished = delete(SegmentRow).where(
        col(SegmentRow.owner_id) == lease.owner_id,
        col(SegmentRow.transcript_id) == transcript_id(lease.id),
        col(SegmentRow.key) >= first,
    )
    await session.execute(unfinished)


async def stored(session: AsyncSession, lease: Lease) -> tuple[Transcript | None, list[Segment], list[SpeakerLabel]]:
    """Return what earlier attempts left: there a retry goes on."""
    transcript = await get(session, lease.owner_id, transcript_id(lease.id))
    if transcript is None:
        return None, [], []
    rows = await segment_rows(session, lease.owner_id, transcript.id)
    known = await speakers(session, lease.owner_id, [transcript.id])
    labels = [
        SpeakerLabel(index=s.position, label=s.label, seconds=s.seconds, word_count=s.word_count)
        for s in known[transcript.id]
    ]
    return transcript, [as_segment(row) for row in rows], labels


async def _of(session: AsyncSession, lease: Lease) -> Transcript:
    """Return the transcript of a job that we hold, made at the first write."""
    found = await get(session, lease.owner_id, transcript_id(lease.id))
    if found is not None:
        return found
    source = select(col(Media.filename), col(Media.duration_ms)).join(Job, col(Job.media_id) == col(Media.id))
    owned = source.where(col(Job.owner_id) == lease.owner_id, col(Job.id) == lease.id)
    filename, duration_ms = (await session.execute(owned)).one()
    transcript = Transcript(
        id=transcript_id(lease.id),
        owner_id=lease.owner_id,
        job_id=lease.id,
        title=filename.rpartition(".")[0] or filename,
        duration_ms=duration_ms,
        created_at=now(),
        updated_at=now(),
    )
    session.add(transcript)
    await session.flush()
    revisions.record(session, transcript, revisions.MACHINES_OWN, None)
    return transcript


async def _remove(session: AsyncSession, transcript: Transcript, keys: Sequence[str]) -> None:
    if keys:
        await revisions.keep_segments(session, transcript, keys)
        gone = delete(SegmentRow).where(
            col(SegmentRow.owner_id) == transcript.owner_id,
            col(SegmentRow.transcript_id) == transcript.id,
            col(SegmentRow.key).in_(keys),
        )
        await session.execute(gone)


async def _store(session: AsyncSession, owner_id: str, transcript: Transcript, new: Sequence[Segment]) -> None:
    keys = [segment.key for segment in new]
    mine = (col(SegmentRow.owner_id) == owner_id, col(SegmentRow.transcript_id) == transcript.id)
    by_people = select(col(SegmentRow.key)).where(*mine, col(SegmentRow.key).in_(keys), col(SegmentRow.edited))
    edited = set((await session.execute(by_people)).scalars())  # a stage that runs again keeps their text
    await _remove(session, transcript, keys)
    session.add_all(
        index_terms(
            SegmentRow(
                transcript_id=transcript.id,
                owner_id=owner_id,
                key=segment.key,
                word_count=len(segment.words),
                start_ms=round(segment.start * 1000),
                end_ms=round(segment.end * 1000),
                text=segment.text,
                words=pack(segment.words),
                speaker=segment.speaker,
                confidence=segment.confidence,
                flags=list(segment.flags),
                language=segment.language,
                edited=segment.key in edited,
                since=transcript.revision,
            )
        )
        for segment in new
    )
    transcript.updated_at = now()
    await session.flush()
    await renumber(session, owner_id, transcript.id)


async def renumber(session: AsyncSession, owner_id: str, id_: str) -> None:
    """Count a transcript's segments and words anew."""
    statement = text(
        "UPDATE segment SET position = n.position, first_word = n.first_word FROM ("
        " SELECT key, row_number() OVER w - 1 AS position, sum(word_count) OVER w - word_count AS first_word"
        " FROM segment WHERE owner_id = :owner AND transcript_id = :transcript"
        " WINDOW w AS (ORDER BY start_ms, key)) AS n"
        " WHERE segment.owner_id = :owner AND segment.transcript_id = :transcript AND segment.key = n.key"
        " AND (segment.position <> n.position OR segment.first_word <> n.first_word)"
    )
    await session.execute(statement, {"owner": owner_id, "transcript": id_})
