"""Retention: uploads and files that are kept for a time only."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, exists, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.values import JobState
from db.media import UPLOAD_TTL_MS
from db.models import Export, Job, Media, Upload
from db.queue import cleanups
from db.webhooks import outbox

Kept = TypeVar("Kept", Export, Media)

BATCH = 100
"""Rows of a table let go of in one transaction."""


async def expire(session: AsyncSession) -> int:
    """Let go of what is kept for a time only: uploads, and the files of documents and recordings, whose rows stay. A
    recording that a job still needs is kept for longer. Return of how many files, at most.
    """
    forgotten = now() - UPLOAD_TTL_MS  # one that began just before its time was over may still be under way
    await session.execute(delete(Upload).where(col(Upload.expires_at) < forgotten))
    needed = exists().where(col(Job.media_id) == col(Media.id), col(Job.state).in_([JobState.QUEUED, JobState.RUNNING]))
    rows: list[Export | Media] = [*await _over(session, Export, true()), *await _over(session, Media, ~needed)]
    for row in rows:
        await cleanups.add(session, row.owner_id, [row.blob_key] if row.blob_key else [])
        row.blob_key = None
        if isinstance(row, Media):
            await outbox.tell_of_media(session, row.owner_id, row.id)
    return len(rows)


async def _over(session: AsyncSession, table: type[Kept], condition: ColumnElement[bool]) -> Sequence[Kept]:
    late = select(table).where(col(table.expires_at) < now(), col(table.blob_key).is_not(None), condition)
    return (await session.execute(late.limit(BATCH).with_for_update(skip_locked=True))).scalars().all()
