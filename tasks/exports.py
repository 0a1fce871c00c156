"""Exports on the io worker: read the transcript, write the document, store it."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import exports, transcripts
from db.domain.errors import LeaseLost
from db.domain.values import ErrorCode, Problem
from db.models import Export, SpeakerRow
from db.queue.leases import Lease, WorkerLost
from db.transcripts import revisions
from tasks.formats.document import Document, Request, Voice
from tasks.media.files import new_file
from tasks.render import Rendering
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler
from tasks.system.processes import ask

_log = structlog.get_logger(__name__)


async def _render(runtime: Runtime, export: Export, lease: Lease) -> None:
    document = await _document(runtime, export)
    key = f"exports/{export.id}/{lease.fence}"  # a late writer cannot touch its successor's file
    async with new_file(runtime.db, runtime.blobs, export.owner_id, key) as adopt:
        stored = await runtime.blobs.put(key, await _rendered(export, document))
        async with runtime.db.write() as session:
            await exports.finish(session, lease, blob_key=key, byte_size=stored.byte_size, sha256=stored.sha256)
            await adopt(session)
    _log.info("export.rendered", format=export.format, bytes=stored.byte_size)


async def _rendered(export: Export, document: Document) -> bytes:
    """The document's bytes, made in a process of its own, which ends when this is cancelled: no library that hangs, and
    no recording that makes it, outlives the time limit.
    """
    task = Rendering(export.format, document, msgspec.json.decode(export.request, type=Request))
    status, body, complaint = await ask("tasks.render", said=msgspec.json.encode(task))
    if status != 0:
        raise RuntimeError(f"rendering ended with status {status}: {complaint[-2000:].decode(errors='replace')}")
    return body


async def _document(runtime: Runtime, export: Export) -> Document:
    async with runtime.db.read() as session:
        transcript = await transcripts.get(session, export.owner_id, export.transcript_id)
        if transcript is None:
            raise LeaseLost("the transcript is gone")
        segments = await revisions.segments_at(session, transcript, export.revision)
        speakers = await revisions.speakers_at(session, transcript, export.revision)
    return Document(
        title=transcript.title,
        language=transcript.language,
        duration_seconds=transcript.duration_ms / 1000,
        revision=export.revision,
        segments=tuple(transcripts.as_segment(row) for row in segments),
        voices=_voices(speakers),
        provenance=transcript.provenance,
    )


def _voices(speakers: Sequence[SpeakerRow]) -> tuple[Voice, ...]:
    """By position; speakers that were merged into others leave gaps."""
    named = {speaker.position: Voice(speaker.name or speaker.label, speaker.seconds) for speaker in speakers}
    return tuple(named.get(position, Voice("", 0.0)) for position in range(max(named, default=-1) + 1))


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
