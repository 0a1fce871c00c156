"""Files that no row refers to: proven for each by its name and its rows, never by its absence from a list alone.

Every file has a row before its first byte is written (`db.queue.cleanups`), but for the pieces of uploads, and a row
that refers to it from then on. Leftovers come from processes that were killed at the wrong moment.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.models import Cleanup, Export, Job, Media
from db.uploads.tables import UploadPiece

FOLDERS = ("exports", "jobs", "media", "uploads")
"""All else in the store is not ours."""


async def unknown(session: AsyncSession, keys: Sequence[str]) -> set[str]:
    """Return those of these files that no row refers to, of the folders that are ours."""
    left = {key for key in keys if "/" in key and key.partition("/")[0] in FOLDERS}
    for of in (_in_use, _noted):
        if left:
            left -= await of(session, left)
    return left


async def _in_use(session: AsyncSession, keys: set[str]) -> set[str]:
    ids = {folder: {key.split("/")[1] for key in keys if key.startswith(folder)} for folder in FOLDERS}
    known: set[str | None] = set()
    for table, folder in ((Media, "media"), (Export, "exports")):
        by_id = select(col(table.blob_key)).where(col(table.id).in_(ids[folder]))
        known |= set((await session.execute(by_id)).scalars())
    jobs = select(col(Job.checkpoints)).where(col(Job.id).in_(ids["jobs"]))
    for checkpoints in (await session.execute(jobs)).scalars():
        known |= set(checkpoints.values())
    uploads = {name.partition(".")[0] for name in ids["uploads"]}
    pieces = select(col(UploadPiece.blob_key)).where(col(UploadPiece.upload_id).in_(uploads))
    known |= set((await session.execute(pieces)).scalars())
    # What is left may still be another row's: a recording shares its file, a piece goes over to what is put together.
    rest = keys - known
    for column in (col(Media.blob_key), col(UploadPiece.blob_key)):
        known |= set((await session.execute(select(column).where(column.in_(rest)))).scalars())
    return {key for key in known if key is not None}


async def _noted(session: AsyncSession, keys: set[str]) -> set[str]:
    notes = (await session.execute(select(col(Cleanup.blob_keys)))).scalars()
    return {key for noted in notes for key in noted} & keys
