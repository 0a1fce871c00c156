"""New files: none is written that would stay when nobody comes to refer to it, whoever dies at whatever moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.queue import cleanups
from db.store.blobs import Blobs
from db.store.session import Database

_log = structlog.get_logger(__name__)

HOUR_MS = 3_600_000

Adopt = Callable[[AsyncSession], Awaitable[None]]


@asynccontextmanager
async def new_file(db: Database, blobs: Blobs, owner_id: str, key: str, *, ms: int = HOUR_MS) -> AsyncIterator[Adopt]:
    """Room for a file that is written in this block and adopted in the transaction that makes a row refer to it: by
    calling what is given, with its session. The file is gone when the block fails or does not adopt it, and after `ms`
    when nobody lived to tell.
    """
    async with db.write() as session:
        note = await cleanups.reserve(session, owner_id, key, ms=ms)
    adopted = False

    async def adopt(session: AsyncSession) -> None:
        nonlocal adopted
        await cleanups.adopt(session, owner_id, note)
        adopted = True

    try:
        yield adopt
    except BaseException:
        await asyncio.shield(_give_up(db, blobs, owner_id, key, note))
        raise
    if not adopted:
        await _give_up(db, blobs, owner_id, key, note)


async def _give_up(db: Database, blobs: Blobs, owner_id: str, key: str, note: str) -> None:
    try:
        async with db.write() as session:
            unwanted = await cleanups.give_up(session, owner_id, note)
        if unwanted:
            await blobs.delete(key)  # at once; a worker finds nothing left to do
    except Exception as error:  # noqa: BLE001  the note remains, and with it the promise
        _log.warning("file.left", key=key, error=str(error))
