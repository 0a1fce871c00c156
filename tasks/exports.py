"""An export, rendered: claim, read the transcript, write the document, store it."""

import asyncio

import msgspec
import structlog

from db import exports, leases, transcripts
from db.errors import LeaseLost
from db.leases import Lease
from db.models import Export, SpeakerRow
from db.states import Move
from db.values import ErrorCode, Problem
from tasks.formats import FORMATS
from tasks.formats.document import Document, Request, Voice
from tasks.jobs import backoff
from tasks.runtime import Runtime
from tasks.watch import HEARTBEAT_SECONDS

_log = structlog.get_logger(__name__)


async def run_next(runtime: Runtime) -> bool:
    """Claims the best waiting export and renders it. False when there was none."""
    async with runtime.db.write() as session:
        claimed = await exports.claim(session, worker=runtime.worker, per_owner=runtime.settings.jobs_per_owner)
    if claimed is None:
        return False
    export, lease = claimed
    with structlog.contextvars.bound_contextvars(export_id=export.id, correlation_id=export.correlation_id):
        heartbeat = asyncio.create_task(_renew(runtime, lease))
        try:
            await _render(runtime, export, lease)
        except LeaseLost:
            _log.warning("export.lease_lost")
        except Exception:  # noqa: BLE001  whatever it is, the document is tried again or fails
            _log.exception("export.fault")
            await _again_or_fail(runtime, export, lease)
        finally:
            heartbeat.cancel()
    return True


async def _renew(runtime: Runtime, lease: Lease) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        async with runtime.db.write() as session:
            await leases.renew(session, lease)


async def _render(runtime: Runtime, export: Export, lease: Lease) -> None:
    request = msgspec.json.decode(export.request, type=Request)
    document = await _document(runtime, export)
    body = await asyncio.to_thread(FORMATS[export.format].render, document, request)
    key = f"exports/{export.id}/{lease.fence}"  # a late writer cannot touch its successor's file
    stored = await runtime.blobs.put(key, body)
    async with runtime.db.write() as session:
        await exports.finish(session, lease, blob_key=key, byte_size=stored.byte_size, sha256=stored.sha256)
    _log.info("export.rendered", format=export.format, bytes=stored.byte_size)


async def _document(runtime: Runtime, export: Export) -> Document:
    async with runtime.db.read() as session:
        transcript = await transcripts.get(session, export.owner_id, export.transcript_id)
        if transcript is None:
            raise LeaseLost("the transcript is gone")
        segments = await transcripts.segments(session, export.owner_id, transcript.id)
        speakers = (await transcripts.speakers(session, export.owner_id, [transcript.id]))[transcript.id]
    return Document(
        title=transcript.title,
        language=transcript.language,
        duration_seconds=transcript.duration_ms / 1000,
        revision=transcript.revision,
        segments=tuple(transcripts.as_segment(row) for row in segments),
        voices=tuple(_voice(speaker) for speaker in speakers),
        provenance=transcript.provenance,
    )


def _voice(speaker: SpeakerRow) -> Voice:
    return Voice(speaker.name or speaker.label, speaker.seconds)


async def _again_or_fail(runtime: Runtime, export: Export, lease: Lease) -> None:
    async with runtime.db.write() as session:
        if export.attempt < runtime.settings.max_attempts:
            await exports.put_back(session, lease, Move.RETRY_LATER, delay_ms=round(backoff(export.attempt) * 1000))
            return
        message = "The document could not be written; the log has the details under the correlation id."
        await exports.fail(session, lease, Problem(code=ErrorCode.INTERNAL, message=message))
