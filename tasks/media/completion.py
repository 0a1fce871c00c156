"""An upload whose bytes are all there becomes a recording: once, whoever asks, and also when nobody waits any more."""

import asyncio
from functools import cache, partial

import structlog

from db import uploads
from db.domain.errors import Conflict, GraphophoneError, InvalidInput, LimitExceeded, NotFound, UnsupportedMedia
from db.domain.values import Problem
from db.store.blobs import Blobs
from db.store.pieces import Stretch
from db.store.session import Database
from db.uploads.tables import Upload
from tasks.media.ingestion import keep, probes

_log = structlog.get_logger(__name__)

Running = dict[str, "asyncio.Task[str]"]


async def completed(db: Database, blobs: Blobs, upload: Upload, *, max_duration: float, keep_ms: int | None) -> str:
    """Return the id of the recording that a whole upload becomes; it goes on when the caller is cancelled.

    Raises what `keep` raises, the same when asked again, and Unavailable (too many are being taken in).
    """
    if upload.media_id is not None:
        return upload.media_id
    if upload.problem is not None:
        raise UnsupportedMedia(upload.problem)
    running = _running_of(asyncio.get_running_loop())
    task = running.get(upload.id)
    if task is None:
        probes().check_room()
        task = running[upload.id] = asyncio.create_task(_complete(db, blobs, upload, max_duration, keep_ms))
        task.add_done_callback(partial(_ended, running, upload.id))
    return await asyncio.shield(task)


@cache
def _running_of(_loop: asyncio.AbstractEventLoop) -> Running:
    return {}


def _ended(running: Running, upload_id: str, task: "asyncio.Task[str]") -> None:
    running.pop(upload_id, None)
    fault = None if task.cancelled() else task.exception()
    if fault is not None and not isinstance(fault, GraphophoneError):
        _log.error("upload.fault", upload_id=upload_id, exc_info=fault)


async def _complete(db: Database, blobs: Blobs, upload: Upload, max_duration: float, keep_ms: int | None) -> str:
    async with db.read() as session:
        pieces = await uploads.pieces(session, upload.owner_id, upload.id)
    stretches = [Stretch(piece.byte_size, piece.blob_key) for piece in pieces]
    if sum(stretch.byte_size for stretch in stretches) != upload.byte_size:
        return await _recording_of(db, upload)
    settled = not upload.deferred and not upload.concat  # from the first byte on, nobody could write beyond the end
    try:
        media = await keep(
            db,
            blobs,
            upload.owner_id,
            lambda key: blobs.join(key, stretches, final=settled),
            filename=upload.filename,
            max_duration=max_duration,
            keep_ms=keep_ms,
            sha256=upload.sha256,
            upload_id=upload.id,
        )
    except (Conflict, FileNotFoundError):
        return await _recording_of(db, upload)
    except (InvalidInput, LimitExceeded, UnsupportedMedia) as refusal:
        async with db.write() as session:
            await uploads.release(session, upload.owner_id, upload.id, _problem_of(refusal))
        raise
    return media.id


async def _recording_of(db: Database, upload: Upload) -> str:
    """Return what another process has made of the upload meanwhile. Raises NotFound when it is gone again."""
    async with db.read() as session:
        found = await uploads.find(session, upload.owner_id, upload.id)
    if found.media_id is None:
        raise NotFound("recording", upload.id)
    return found.media_id


def _problem_of(refusal: GraphophoneError) -> Problem:
    if isinstance(refusal, UnsupportedMedia):
        return refusal.problem
    return Problem(code=refusal.code, message=refusal.message, remedy="Send another recording, by another upload.")
