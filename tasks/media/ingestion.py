"""A recording taken in: streamed into the store, probed in a process of its own, recorded."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import msgspec
import structlog

from db import media, uploads
from db.domain.errors import GraphophoneError, InvalidInput, LimitExceeded, Unavailable, UnsupportedMedia
from db.domain.ids import new_id
from db.domain.values import ErrorCode, MediaFacts, Problem
from db.models import Media
from db.store.blobs import Blobs, Stored
from db.store.session import Database
from tasks.media.files import new_file
from tasks.system.processes import ask, bare_environment
from tasks.telemetry import metrics

PROBE_SECONDS = 30.0
"""Wall clock; the probe's own limits on processor time and memory are tighter."""
FIRST_GUESS, LONGEST_WAIT = 0.5, 60.0
"""Seconds that a probe takes, before one has been seen; and for which a recording waits for its probe."""

_log = structlog.get_logger(__name__)


class Found(msgspec.Struct):
    """The probe's answer: one of the two."""

    facts: MediaFacts | None = None
    problem: Problem | None = None


class ProbeFault(RuntimeError):
    """A fault of this program in the probe, with its traceback: no reason to tell anybody to convert a file."""


async def ingest(
    db: Database,
    blobs: Blobs,
    owner_id: str,
    *,
    filename: str,
    chunks: AsyncIterator[bytes],
    max_bytes: int,
    max_duration: float,
    keep_ms: int | None,
    sha256: str | None = None,
    upload_id: str | None = None,
) -> Media:
    """Take a recording in, in flat memory; its audio is kept for `keep_ms` (None: for ever). Nothing is kept of what is
    refused or broken off.

    Raises what `keep` raises, and Unavailable (too many are being taken in).
    """
    probes().check_room()
    return await keep(
        db,
        blobs,
        owner_id,
        lambda key: blobs.write(key, chunks, limit=max_bytes),
        filename=filename,
        max_duration=max_duration,
        keep_ms=keep_ms,
        sha256=sha256,
        upload_id=upload_id,
    )


async def keep(
    db: Database,
    blobs: Blobs,
    owner_id: str,
    write: Callable[[str], Awaitable[Stored]],
    *,
    filename: str,
    max_duration: float,
    keep_ms: int | None,
    sha256: str | None = None,
    upload_id: str | None = None,
) -> Media:
    """Make a recording of what `write` stores under the key that it is given. Content that the owner has already is not
    stored again. The audio is kept for `keep_ms` (None: for ever).

    Raises LimitExceeded (bytes, seconds), InvalidInput (another checksum than announced), UnsupportedMedia and Conflict
    (the upload was fulfilled already).
    """
    media_id = new_id("med")
    key = f"media/{media_id}"
    async with _measured(), new_file(db, blobs, owner_id, key, ms=uploads.UPLOAD_TTL_MS) as adopt:
        stored = await write(key)
        if sha256 is not None and stored.sha256 != sha256.lower():
            raise InvalidInput("sha256", f"The bytes that arrived have the SHA-256 {stored.sha256}.")
        metrics.record("graphophone.upload.size", stored.byte_size)
        async with db.read() as session:
            twin = await media.twin(session, owner_id, stored.sha256)
        facts = await _probe(blobs, key) if twin is None else _facts_of(twin)
        if facts.duration_seconds > max_duration:
            message = "The recording is too long; cut it into parts."
            raise LimitExceeded(message, limit=max_duration, actual=facts.duration_seconds, unit="seconds")
        async with db.write() as session:
            twin = await media.twin(session, owner_id, stored.sha256, for_update=True)
            if twin is None or twin.blob_key is None:
                await adopt(session)
            if upload_id is not None:
                await uploads.release(session, owner_id, upload_id)
            return await media.add(
                session,
                owner_id,
                media_id=media_id,
                filename=filename,
                byte_size=stored.byte_size,
                sha256=stored.sha256,
                facts=facts,
                blob_key=(twin and twin.blob_key) or key,
                upload_id=upload_id,
                keep_ms=keep_ms,
            )


def _facts_of(known: Media) -> MediaFacts:
    return MediaFacts(
        container=known.container,
        codec=known.codec,
        duration_seconds=known.duration_ms / 1000,
        channels=known.channels,
        sample_rate=known.sample_rate,
        has_video=known.has_video,
        tracks=tuple(known.tracks),
    )


@asynccontextmanager
async def _measured() -> AsyncIterator[None]:
    """Count what is taken in, refused for a reason of its own, or failed by a fault of ours."""
    began, outcome = time.monotonic(), "failed"
    try:
        yield
        outcome = "taken"
    except GraphophoneError as error:
        outcome = "refused" if error.code.status < 500 else "failed"
        raise
    finally:
        metrics.add("graphophone.uploads.finished", outcome=outcome)
        metrics.record("graphophone.upload.duration", time.monotonic() - began)


async def _probe(blobs: Blobs, key: str) -> MediaFacts:
    with tempfile.TemporaryDirectory() as scratch:
        path = await blobs.local_path(key, Path(scratch))
        async with probes().turn():
            found = await _ask(path)
    if found.facts is None:
        raise UnsupportedMedia(found.problem or _unreadable("The file could not be read."))
    return found.facts


class Probes:
    """So many probes at a time as there are cores; whoever wants another one waits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._places = asyncio.Semaphore(limit)
        self._wanted = 0
        self._seconds = FIRST_GUESS  # that a probe takes, of late

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it in this block."""
        self._wanted += 1
        try:
            async with self._places:
                begun = time.monotonic()
                yield
                self._seconds += (time.monotonic() - begun - self._seconds) / 8
        finally:
            self._wanted -= 1

    def check_room(self) -> None:
        """Raise Unavailable, with the time after which to come back, when one more would have to wait for long."""
        wait = self._wanted * self._seconds / self._limit
        if wait > LONGEST_WAIT:
            raise Unavailable("Too many recordings are being taken in.", retry_after_seconds=wait - LONGEST_WAIT + 1)


@cache
def _probes_of(_loop: asyncio.AbstractEventLoop) -> Probes:
    return Probes(os.cpu_count() or 1)


def probes() -> Probes:
    """Return those of this process, which has one event loop."""
    return _probes_of(asyncio.get_running_loop())


async def _ask(path: Path) -> Found:
    """Probe a file; one that makes the probe crash, hang or exceed its limits hurts only the probe.

    Raises ProbeFault when the probe itself is at fault.
    """
    asked = ask("tasks.decoding.probe", str(path), environment=bare_environment())
    try:
        status, printed, complaint = await asyncio.wait_for(asked, PROBE_SECONDS)
    except TimeoutError:
        return Found(problem=_unreadable("Reading the file's header took too long."))
    if status == os.EX_SOFTWARE:
        raise ProbeFault(complaint.decode(errors="replace"))
    if status != 0:
        _log.warning("probe.failed", status=status, complaint=complaint[-2000:].decode(errors="replace"))
        return Found(problem=_unreadable("The file could not be read."))
    return msgspec.json.decode(printed, type=Found)


def _unreadable(message: str) -> Problem:
    remedy = "Convert the recording to WAV, MP3, M4A, FLAC or MP4 and upload it again."
    return Problem(code=ErrorCode.UNSUPPORTED_MEDIA, message=message, remedy=remedy)
