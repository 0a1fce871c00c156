"""Clean-ups on the io worker: files that nothing refers to are deleted, whatever the storage says at first."""

import structlog

from db.models import Cleanup
from db.queue import cleanups
from db.queue.leases import Lease
from tasks.runtime.context import Runtime
from tasks.runtime.io import Kind

SECONDS = 300.0
"""How long the files of one row may take."""

_log = structlog.get_logger(__name__)


async def _delete(runtime: Runtime, cleanup: Cleanup, lease: Lease) -> None:
    """One file that cannot be deleted does not keep the others; those that are gone already are no hindrance."""
    faults = []
    for key in cleanup.blob_keys:
        try:
            await runtime.blobs.delete(key)
        except Exception as fault:  # noqa: BLE001  whatever the storage says, it is tried again
            faults.append(fault)
    if faults:
        raise ExceptionGroup("files cannot be deleted", faults)
    async with runtime.db.write() as session:
        await cleanups.finish(session, lease)
    _log.info("cleanup.done", files=len(cleanup.blob_keys))


CLEANUPS = Kind(Cleanup, _delete, lambda _settings: SECONDS)
"""Tried for ever: what the storage keeps against our will must go in the end."""
