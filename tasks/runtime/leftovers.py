"""Files that killed processes have left in the store go: found by listing it, and proven by the rows (`db.orphans`)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import structlog

from db import orphans
from db.store.blobs import Blobs
from db.store.session import Database

GRACE = timedelta(hours=48)
"""Since a file was written last: twice as long as whatever is under way may take."""
BATCH = 500

_log = structlog.get_logger(__name__)


async def sweep(db: Database, blobs: Blobs, *, grace: timedelta = GRACE) -> int:
    """Delete the files that no row has referred to for `grace`; return how many.

    None is deleted when there are more of them than of those that rows know: then this is another installation's store,
    or its database is not the one that belongs to it.
    """
    before, known, found = datetime.now(UTC) - grace, 0, list[str]()
    async for keys in _old(blobs, before):
        async with db.read() as session:
            unknown = await orphans.unknown(session, keys)
        known += len(keys) - len(unknown)
        found += sorted(unknown)
    if len(found) > known:
        _log.error("store.strange", unknown=len(found), known=known, remedy="look at GRAPHOPHONE_STORAGE_URL")
        return 0
    for key in found:
        await blobs.delete(key)
    if found:
        _log.warning("store.swept", files=len(found), some=found[:10])
    return len(found)


async def _old(blobs: Blobs, before: datetime) -> AsyncIterator[list[str]]:
    """List the files that were written last before an instant, some at a time."""
    batch: list[str] = []
    async for key, written in blobs.all_files():
        if written < before:
            batch.append(key)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
