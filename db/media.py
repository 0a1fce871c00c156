"""Recordings. Those with the same content share one file, as long as one of them needs it."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import Conflict, NotFound
from db.domain.states import TERMINAL
from db.domain.values import MediaFacts
from db.models import Job, Media
from db.queue import cleanups
from db.uploads.tables import Upload
from db.webhooks import outbox

PEAKS = "peaks"
"""The name of the checkpoint that holds a waveform."""


async def add(
    session: AsyncSession,
    owner_id: str,
    *,
    media_id: str,
    filename: str,
    byte_size: int,
    sha256: str,
    facts: MediaFacts,
    blob_key: str,
    upload_id: str | None = None,
    keep_ms: int | None = None,
) -> Media:
    """Add a recording whose bytes are stored and probed, to be kept for `keep_ms` (None: for ever); fulfil the upload
    that brought it. Raises Conflict when the upload was fulfilled already.
    """
    at = now()
    media = Media(
        id=media_id,
        owner_id=owner_id,
        filename=filename,
        byte_size=byte_size,
        sha256=sha256,
        container=facts.container,
        codec=facts.codec,
        duration_ms=round(facts.duration_seconds * 1000),
        channels=facts.channels,
        sample_rate=facts.sample_rate,
        has_video=facts.has_video,
        tracks=list(facts.tracks),
        blob_key=blob_key,
        created_at=at,
        expires_at=None if keep_ms is None else at + keep_ms,
    )
    session.add(media)
    await session.flush()
    if upload_id is not None:
        fulfil = (
            update(Upload)
            .where(col(Upload.owner_id) == owner_id, col(Upload.id) == upload_id, col(Upload.media_id).is_(None))
            .values(media_id=media.id, received=byte_size, problem=None)
            .returning(col(Upload.id))
        )
        if (await session.execute(fulfil)).first() is None:
            raise Conflict("This upload is complete already.", {"id": upload_id})
    return media


async def twin(session: AsyncSession, owner_id: str, sha256: str, *, for_update: bool = False) -> Media | None:
    """Return a recording of the owner's with this content whose file is there; `for_update` keeps it there until the
    transaction ends.
    """
    same = select(Media).where(
        col(Media.owner_id) == owner_id, col(Media.sha256) == sha256, col(Media.blob_key).is_not(None)
    )
    found = same.order_by(col(Media.id)).limit(1).execution_options(populate_existing=True)
    return (await session.execute(found.with_for_update() if for_update else found)).scalar_one_or_none()


async def unshared(session: AsyncSession, owner_id: str, blob_key: str | None) -> list[str]:
    """Return the file that a recording has let go of in this transaction, unless another one shares it."""
    if blob_key is None:
        return []
    others = select(col(Media.id)).where(col(Media.owner_id) == owner_id, col(Media.blob_key) == blob_key).limit(1)
    return [] if (await session.execute(others)).first() else [blob_key]


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Media]:
    """Return the owner's recordings among these ids."""
    statement = select(Media).where(col(Media.owner_id) == owner_id, col(Media.id).in_(ids))
    return {media.id: media for media in (await session.execute(statement)).scalars()}


async def peaks(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, str]:
    """Return the keys of these recordings' waveforms, kept by any of their jobs that has decoded them."""
    statement = select(col(Job.media_id), col(Job.checkpoints)).where(
        col(Job.owner_id) == owner_id, col(Job.media_id).in_(ids)
    )
    rows = await session.execute(statement)
    return {media_id: checkpoints[PEAKS] for media_id, checkpoints in rows if PEAKS in checkpoints}


async def get(session: AsyncSession, owner_id: str, media_id: str) -> Media:
    """Return one recording. Raises NotFound."""
    found = (await many(session, owner_id, [media_id])).get(media_id)
    if found is None:
        raise NotFound("recording", media_id)
    return found


async def erase(session: AsyncSession, owner_id: str, media_id: str) -> Media:
    """Give up a recording's bytes and waveform, which no job may need any more; the row stays. Raises NotFound, and
    Conflict while a job has not ended.
    """
    mine = select(Media).where(col(Media.owner_id) == owner_id, col(Media.id) == media_id).with_for_update()
    media = (await session.execute(mine)).scalar_one_or_none()
    if media is None:
        raise NotFound("recording", media_id)
    users = select(col(Job.id), col(Job.state)).where(col(Job.owner_id) == owner_id, col(Job.media_id) == media_id)
    for job_id, state in await session.execute(users):
        if state not in TERMINAL:
            raise Conflict("A job still needs this recording; cancel it first.", {"jobId": job_id, "state": state})
    if (blob_key := media.blob_key) is not None:
        media.blob_key = None
        await session.flush()
        await cleanups.add(session, owner_id, await unshared(session, owner_id, blob_key))
        await outbox.tell_of_media(session, owner_id, media_id)
    return media


async def remove(session: AsyncSession, owner_id: str, media_id: str) -> list[str]:
    """Forget a recording that no job uses; its file goes soon after, unless another recording shares it. Return the
    keys of what goes.
    """
    gone = delete(Media).where(col(Media.owner_id) == owner_id, col(Media.id) == media_id)
    blob_key = (await session.execute(gone.returning(col(Media.blob_key)))).scalar_one_or_none()
    unwanted = await unshared(session, owner_id, blob_key)
    await cleanups.add(session, owner_id, unwanted)
    return unwanted
