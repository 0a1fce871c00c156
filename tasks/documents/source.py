"""The worker's part of an export: the transcript from the database, and the bytes from a process of its own."""

from collections.abc import Sequence

import msgspec

from db import jobs, media, transcripts
from db.domain.errors import LeaseLost
from db.models import Export, SpeakerRow
from db.transcripts import revisions
from tasks.documents.document import Document, Speaker
from tasks.documents.format import Limits, NotWritable
from tasks.documents.render import Outcome, Rendering
from tasks.runtime.context import Runtime
from tasks.system.processes import ask


async def rendered(runtime: Runtime, export: Export, document: Document) -> tuple[bytes, int | None]:
    """Return the document's bytes and pages, made in a process of its own, which ends when this is cancelled: no
    library that hangs, and no recording that makes it, outlives the time limit. Raises NotWritable.
    """
    limits = Limits(runtime.settings.export_max_bytes, runtime.settings.export_max_pages)
    options = msgspec.Raw(export.request.encode())
    task = Rendering(format=export.format, document=document, options=options, limits=limits)
    status, answer, complaint = await ask("tasks.documents.render", said=msgspec.json.encode(task))
    if status != 0:
        raise RuntimeError(f"rendering ended with status {status}: {complaint[-2000:].decode(errors='replace')}")
    head, _, data = answer.partition(b"\n")
    outcome = msgspec.json.decode(head, type=Outcome)
    if outcome.problem is not None:
        raise NotWritable(outcome.problem)
    return data, outcome.pages


async def load(runtime: Runtime, owner_id: str, transcript_id: str, revision: int) -> Document:
    """Return a transcript at a revision, to be written down. Raises LeaseLost when it is gone, its exports with it."""
    async with runtime.db.read() as session:
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
