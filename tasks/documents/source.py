"""The transcript that a document is made of, as it is stored."""

from collections.abc import Sequence

from db import jobs, media, transcripts
from db.domain.errors import LeaseLost
from db.models import SpeakerRow
from db.store.session import Database
from db.transcripts import revisions
from tasks.documents.document import Document, Speaker


async def load(db: Database, owner_id: str, transcript_id: str, revision: int) -> Document:
    """Return a transcript at a revision, to be written down. Raises LeaseLost when it is gone, its exports with it."""
    async with db.read() as session:
        transcript = await transcripts.get(session, owner_id, transcript_id)
        if transcript is None:
            raise LeaseLost("the transcript is gone")
        job = await jobs.get(session, owner_id, transcript.job_id)
        recording = (await media.many(session, owner_id, [job.media_id])) if job else {}
        segments = await revisions.segments_at(session, transcript, revision)
        speakers = await revisions.speakers_at(session, transcript, revision)
    return Document(
        title=transcript.title,
        language=transcript.language,
        duration_seconds=transcript.duration_ms / 1000,
        revision=revision,
        segments=tuple(transcripts.as_segment(row) for row in segments),
        speakers=_speakers(speakers),
        created_at=transcript.created_at,
        filename=next((found.filename for found in recording.values()), ""),
        provenance=transcript.provenance,
    )


def _speakers(rows: Sequence[SpeakerRow]) -> tuple[Speaker, ...]:
    """Return the speakers by position; those that were merged into others leave gaps."""
    named = {row.position: Speaker(row.name or row.label, row.seconds) for row in rows}
    return tuple(named.get(position, Speaker("", 0.0)) for position in range(max(named, default=-1) + 1))
