"""Exports on the io worker: read the transcript, write the document, store it."""

from operator import attrgetter

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import exports
from db.domain.values import ErrorCode, Problem
from db.models import Export
from db.queue.leases import Lease, WorkerLost
from tasks.documents.bundles import write_bundle
from tasks.documents.format import NotWritable
from tasks.documents.rendering import rendered
from tasks.documents.source import load
from tasks.media.files import new_file
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler
from tasks.telemetry import metrics

_log = structlog.get_logger(__name__)


async def _run(runtime: Runtime, export: Export, lease: Lease) -> None:
    await (_render if export.bundle is None else write_bundle)(runtime, export, lease)


async def _render(runtime: Runtime, export: Export, lease: Lease) -> None:
    document = await load(runtime.db, export.owner_id, export.transcript_id, export.revision)
    key = f"exports/{export.id}/{lease.fence}"  # a late writer cannot touch its successor's file
    try:
        data, pages = await rendered(runtime, export, document)
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


EXPORTS = Handler(table=Export, run=_run, timeout=attrgetter("export_timeout"), give_up=_give_up)
