"""An export, rendered: claim, read the transcript, write the document, store it."""

import asyncio
from collections.abc import Sequence
from functools import partial

import msgspec
import structlog

from db import exports, leases, revisions, transcripts
from db.errors import LeaseLost
from db.leases import Lease
from db.models import Export, SpeakerRow
from db.session import DatabaseDown
from db.states import Move
from db.values import ErrorCode, Problem
from tasks.endings import backoff, when_possible
from tasks.formats import FORMATS
from tasks.formats.document import Document, Request, Voice
from tasks.runtime import Runtime

_log = structlog.get_logger(__name__)


async def run_next(runtime: Runtime) -> bool:
    """Claims the best waiting export and renders it. False when there was none."""
    settings = runtime.settings
    claimed = await exports.claim(
        runtime.db, worker=runtime.worker, per_owner=settings.jobs_per_owner, lease_ms=settings.lease_ms
    )
    if claimed is None:
        return False
    export, lease = claimed
    with structlog.contextvars.bound_contextvars(export_id=export.id, correlation_id=export.correlation_id):
        rendering = asyncio.create_task(_render(runtime, export, lease))
        keeping = asyncio.create_task(_keep(runtime, lease))
        hurry = asyncio.create_task(runtime.hurry.wait())
        tasks = {rendering, keeping, hurry}
        try:
            await asyncio.wait(tasks, timeout=settings.export_timeout, return_when=asyncio.FIRST_COMPLETED)
            rendering.cancel()
            await asyncio.wait({rendering})
            if keeping.done():
                _log.warning("export.lease_lost")
            else:
                await when_possible(runtime, partial(_end, runtime, export, lease, rendering))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    return True


async def _keep(runtime: Runtime, lease: Lease) -> None:
    """Renews the lease until it is lost."""
    while True:
        await asyncio.sleep(runtime.settings.heartbeat_seconds)
        try:
            async with runtime.db.write() as session:
                await leases.renew(session, lease)
        except LeaseLost:
            return
        except DatabaseDown as error:
            _log.warning("export.database_down", error=str(error))


async def _end(runtime: Runtime, export: Export, lease: Lease, rendering: asyncio.Task[None]) -> None:
    """Records what came of it, unless it did so itself. Raises LeaseLost and DatabaseDown."""
    if rendering.cancelled():
        error: BaseException | None = None if runtime.hurry.is_set() else TimeoutError("rendering took too long")
    else:
        error = rendering.exception()
        if error is None:
            return
    if isinstance(error, LeaseLost):
        raise error
    async with runtime.db.write() as session:
        if error is None or isinstance(error, DatabaseDown):
            await exports.put_back(session, lease, Move.HAND_BACK)
            return
        _log.error("export.fault", exc_info=error)
        if export.attempt < runtime.settings.max_attempts:
            delay = backoff(export.attempt)
            await exports.put_back(session, lease, Move.RETRY_LATER, delay_ms=round(delay * 1000))
            return
        message = "The document could not be written; the log has the details under the correlation id."
        code = ErrorCode.TIMED_OUT if isinstance(error, TimeoutError) else ErrorCode.INTERNAL
        await exports.fail(session, lease, Problem(code=code, message=message))


async def _render(runtime: Runtime, export: Export, lease: Lease) -> None:
    request = msgspec.json.decode(export.request, type=Request)
    document = await _document(runtime, export)
    body = await asyncio.to_thread(FORMATS[export.format].render, document, request)
    key = f"exports/{export.id}/{lease.fence}"  # a late writer cannot touch its successor's file
    stored = await runtime.blobs.put(key, body)
    try:
        async with runtime.db.write() as session:
            await exports.finish(session, lease, blob_key=key, byte_size=stored.byte_size, sha256=stored.sha256)
    except LeaseLost:
        await runtime.blobs.delete(key)  # nothing points to it, and nothing ever will
        raise
    _log.info("export.rendered", format=export.format, bytes=stored.byte_size)


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
