"""Retention: uploads and files that are kept for a time only."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, exists, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import media
from db.domain.clock import now
from db.domain.values import JobState
from db.models import Export, Job, Media
from db.queue import cleanups
from db.uploads import UPLOAD_TTL_MS
from db.uploads.lifecycle import remove
from db.uploads.tables import Upload
from db.webhooks import outbox

Kept = TypeVar("Kept", Export, Media)

BATCH = 100
"""Rows of a table let go of in one transaction."""


async def expire(session: AsyncSession) -> int:
    """Let go of what is kept for a time only: uploads with their pieces, and the files of documents and recordings,
    whose rows stay. A recording that a job still needs is kept for longer. Return of how many, at most.
    """
    forgotten = now() - UPLOAD_TTL_MS  # one that began just before its time was over may still be under way
    late = select(Upload).where(col(Upload.expires_at) < forgotten).limit(BATCH).with_for_update(skip_locked=True)
    uploads = (await session.execute(late)).scalars().all()
    for upload in uploads:
        await remove(session, upload.owner_id, upload)
    needed = exists().where(col(Job.media_id) == col(Media.id), col(Job.state).in_([JobState.QUEUED, JobState.RUNNING]))
    documents, recordings = await _over(session, Export, true()), await _over(session, Media, ~needed)
    given_up = {(row.owner_id, row.blob_key) for row in recordings}
    for document in documents:
        await cleanups.add(session, document.owner_id, [document.blob_key] if document.blob_key else [])
    for row in (*documents, *recordings):
        row.blob_key = None
        if isinstance(row, Media):
            await outbox.tell_of_media(session, row.owner_id, row.id)
    await session.flush()
    for owner_id, blob_key in given_up:
        await cleanups.add(session, owner_id, await media.unshared(session, owner_id, blob_key))
    return len(uploads) + len(documents) + len(recordings)


async def _over(session: AsyncSession, table: type[Kept], condition: ColumnElement[bool]) -> Sequence[Kept]:
    late = select(table).where(col(table.expires_at) < now(), col(table.blob_key).is_not(None), condition)
    return (await session.execute(late.limit(BATCH).with_for_update(skip_locked=True))).scalars().all()
