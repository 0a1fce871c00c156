"""Clean-ups on the io worker: files that nothing refers to are deleted, whatever the storage says at first."""

import structlog

from db.models import Cleanup
from db.queue import cleanups
from db.queue.leases import Lease
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler

_log = structlog.get_logger(__name__)


async def _delete(runtime: Runtime, cleanup: Cleanup, lease: Lease) -> None:
    """Delete the files; one that cannot be deleted does not keep the others, and one that is gone already is no
    hindrance.
    """
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


CLEANUPS = Handler(table=Cleanup, run=_delete)
"""Tried for ever: what the storage keeps against our will must go in the end."""
