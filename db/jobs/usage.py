"""Usage, and the pace of work: for the viewer's account and for estimates."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.values import JobState
from db.models import Job, Media

RECENT = 20
"""The number of finished jobs by which the next one's duration is estimated."""


class Used(NamedTuple):
    """Jobs by state, and the recordings' length in milliseconds."""

    running: int
    queued: int
    audio_ms: int


class Pace(NamedTuple):
    """Milliseconds of work for a millisecond of recording, recently, if that is known; and the recordings that wait."""

    factor: float | None
    waiting_ms: int


async def of(session: AsyncSession, owner_id: str, *, since: int) -> Used:
    """Return an owner's usage since an instant."""
    begun = func.coalesce(func.sum(col(Media.duration_ms)).filter(col(Job.started_at) >= since), 0)
    statement = (
        select(
            func.count().filter(col(Job.state) == JobState.RUNNING),
            func.count().filter(col(Job.state) == JobState.QUEUED),
            begun,
        )
        .select_from(Job)
        .join(Media, (col(Media.id) == col(Job.media_id)) & (col(Media.owner_id) == owner_id))
        .where(col(Job.owner_id) == owner_id)
    )
    return Used(*(int(value) for value in (await session.execute(statement)).one()))


async def asked_ms(session: AsyncSession, owner_id: str, *, since: int) -> int:
    """Return the length of the recordings that an owner has asked jobs for since an instant, each job by itself."""
    statement = (
        select(func.coalesce(func.sum(col(Media.duration_ms)), 0))
        .join(Job, (col(Media.id) == col(Job.media_id)) & (col(Job.owner_id) == owner_id))
        .where(col(Media.owner_id) == owner_id, col(Job.created_at) >= since)
    )
    return int((await session.execute(statement)).scalar_one())


async def pace(session: AsyncSession) -> Pace:
    """Return the pace of work, over the last finished jobs of all owners, and how much waits."""
    recent = (
        select((col(Job.finished_at) - col(Job.started_at)).label("work"), col(Media.duration_ms).label("audio"))
        .join(Media, col(Media.id) == col(Job.media_id))
        .where(col(Job.state).in_((JobState.SUCCEEDED, JobState.PARTIAL)), col(Job.started_at).is_not(None))
        .order_by(col(Job.finished_at).desc())
        .limit(RECENT)
        .subquery()
    )
    unfinished = (
        select(func.coalesce(func.sum(col(Media.duration_ms)), 0))
        .join(Job, col(Media.id) == col(Job.media_id))
        .where(col(Job.state) == JobState.QUEUED)
        .scalar_subquery()
    )
    told = select(func.sum(recent.c.work), func.sum(recent.c.audio), unfinished)
    work, audio, waiting = (await session.execute(told)).one()
    return Pace(float(work) / float(audio) if work is not None and audio else None, int(waiting))
