"""Exports on the io worker: read the transcript, write the document, store it."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import exports, jobs, media, transcripts
from db.domain.errors import LeaseLost
from db.domain.values import ErrorCode, Problem
from db.models import Export, SpeakerRow
from db.queue.leases import Lease, WorkerLost
from db.transcripts import revisions
from tasks.documents.document import Document, Speaker
from tasks.documents.format import Limits, NotWritable
from tasks.documents.render import Outcome, Rendering
from tasks.media.files import new_file
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler
from tasks.system.processes import ask
from tasks.telemetry import metrics

_log = structlog.get_logger(__name__)


async def _render(runtime: Runtime, export: Export, lease: Lease) -> None:
    document = await _document(runtime, export)
    key = f"exports/{export.id}/{lease.fence}"  # a late writer cannot touch its successor's file
    try:
        data, pages = await _rendered(runtime, export, document)
    except NotWritable as error:  # nor would it be at another try
        async with runtime.db.write() as session:
            await exports.fail(session, lease, error.problem)
        _log.info("export.not_writable", format=export.format, code=error.problem.code)
        return
    async with new_file(runtime.db, runtime.blobs, export.owner_id, key) as adopt:
        stored = await runtime.blobs.put(key, data)
        async with runtime.db.write() as session:
            await exports.finish(
                session, lease, blob_key=key, byte_size=stored.byte_size, sha256=stored.sha256, page_count=pages
            )
            await adopt(session)
    metrics.record("graphophone.export.size", stored.byte_size, format=export.format)
    _log.info("export.rendered", format=export.format, bytes=stored.byte_size)


async def _rendered(runtime: Runtime, export: Export, document: Document) -> tuple[bytes, int | None]:
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


async def _document(runtime: Runtime, export: Export) -> Document:
    async with runtime.db.read() as session:
        transcript = await transcripts.get(session, export.owner_id, export.transcript_id)
        if transcript is None:
            raise LeaseLost("the transcript is gone")
        job = await jobs.get(session, export.owner_id, transcript.job_id)
        recording = (await media.many(session, export.owner_id, [job.media_id])) if job else {}
        segments = await revisions.segments_at(session, transcript, export.revision)
        speakers = await revisions.speakers_at(session, transcript, export.revision)
    return Document(
        title=transcript.title,
        language=transcript.language,
        duration_seconds=transcript.duration_ms / 1000,
        revision=export.revision,
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


async def _give_up(session: AsyncSession, _export: Export, lease: Lease, error: Exception) -> None:
    code, remedy = ErrorCode.INTERNAL, None
    message = "The document could not be written; the log has the details under the correlation id."
    match error:
        case TimeoutError():
            code = ErrorCode.TIMED_OUT
        case WorkerLost():
            code, remedy = ErrorCode.WORKER_LOST, "Ask for another format."
            message = f"While it rendered this document, {error}."
    await exports.fail(session, lease, Problem(code=code, message=message, remedy=remedy))


EXPORTS = Handler(table=Export, run=_render, timeout=attrgetter("export_timeout"), give_up=_give_up)
