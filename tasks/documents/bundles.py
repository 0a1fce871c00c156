"""Bundles: documents of many transcripts in one ZIP, written one after the other, with a manifest."""

import asyncio
import hashlib
import shutil
import zipfile
from pathlib import Path

import msgspec
import structlog

from db import exports
from db.domain.values import ErrorCode, Problem
from db.models import Export
from db.queue.leases import Lease
from tasks.documents.format import NotWritable
from tasks.documents.guard import file_name
from tasks.documents.registry import FORMATS
from tasks.documents.rendering import rendered
from tasks.documents.source import load
from tasks.media.files import new_file
from tasks.runtime.context import Runtime

_FIXED = (1980, 1, 1, 0, 0, 0)  # the first day that a ZIP knows
_log = structlog.get_logger(__name__)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A transcript in `manifest.json`: its file, or why there is none."""

    transcript_id: str
    revision: int
    title: str
    file: str | None = None
    byte_size: int | None = None
    sha256: str | None = None
    page_count: int | None = None
    problem: Problem | None = None


async def write_bundle(runtime: Runtime, export: Export, lease: Lease) -> None:
    """Write the ZIP to the scratch folder, one document in memory at a time, and store it.

    A document that cannot be written is a problem in the manifest; when none can be, the export fails with the first
    one's.
    """
    folder = runtime.scratch.make(f"{export.id}-{lease.fence}")
    try:
        path = folder / "bundle.zip"
        entries = await _write(runtime, export, path)
        problem = next((entry.problem for entry in entries if entry.problem), None)
        if problem is None or any(entry.file for entry in entries):
            problem = await _store(runtime, export, lease, path)
        if problem is not None:
            async with runtime.db.write() as session:
                await exports.fail(session, lease, problem)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _write(runtime: Runtime, export: Export, path: Path) -> list[Entry]:
    entries: list[Entry] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for transcript_id, revision in export.bundle or ():
            document = await load(runtime.db, export.owner_id, transcript_id, revision)
            entry = Entry(transcript_id=transcript_id, revision=revision, title=document.title)
            try:
                data, pages = await rendered(runtime, export, document)
            except NotWritable as error:
                entries.append(msgspec.structs.replace(entry, problem=error.problem))
                continue
            file = f"{len(entries) + 1:03d} {file_name(document.title, FORMATS[export.format].extension)}"
            await asyncio.to_thread(bundle.writestr, _member(file), data)
            digest = hashlib.sha256(data).hexdigest()
            entries.append(
                msgspec.structs.replace(entry, file=file, byte_size=len(data), sha256=digest, page_count=pages)
            )
        manifest = {"format": export.format, "transcripts": entries}
        bundle.writestr(_member("manifest.json"), msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return entries


async def _store(runtime: Runtime, export: Export, lease: Lease, path: Path) -> Problem | None:
    """Store the ZIP and record that it is there; return what speaks against it."""
    size, digest = await asyncio.to_thread(_measured, path)
    most = runtime.settings.export_max_bytes
    if size > most:
        message = f"The ZIP has {size:,} bytes; {most:,} are allowed."
        return Problem(code=ErrorCode.LIMIT_EXCEEDED, message=message, remedy="Ask for fewer transcripts at once.")
    key = f"exports/{export.id}/{lease.fence}"
    async with new_file(runtime.db, runtime.blobs, export.owner_id, key) as adopt:
        await runtime.blobs.store(key, path)
        async with runtime.db.write() as session:
            await exports.finish(session, lease, blob_key=key, byte_size=size, sha256=digest)
            await adopt(session)
    _log.info("bundle.written", format=export.format, bytes=size, transcripts=len(export.bundle or ()))
    return None


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _FIXED)
    member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
    return member


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
