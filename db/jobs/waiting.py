"""The queue as its owners see it: places, and what waits before them."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from db.domain.values import JobState
from db.models import Job, Media


async def queue_positions(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, int]:
    """Return the place of each of these jobs that wait among the owner's own: 1 = next."""
    place = func.row_number().over(
        order_by=(col(Job.rescued).desc(), col(Job.priority).desc(), col(Job.created_at), col(Job.id))
    )
    waiting = (
        select(col(Job.id).label("id"), place.label("place"))
        .where(col(Job.owner_id) == owner_id, col(Job.state) == JobState.QUEUED)
        .subquery()
    )
    rows = await session.execute(select(waiting.c.id, waiting.c.place).where(waiting.c.id.in_(ids)))
    return {id_: int(place) for id_, place in rows}


async def audio_ahead(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, int]:
    """Return how many milliseconds of recordings wait before each of these jobs: of the owner's own that go first, and
    of all others that were accepted before.
    """
    ahead = aliased(Job)
    mine = (
        col(ahead.rescued).desc(), col(ahead.priority).desc(), col(ahead.created_at), col(ahead.id)
    )  # fmt: skip
    length = col(Media.duration_ms)
    before = func.sum(length).over(order_by=mine) - length
    own = (
        select(col(ahead.id).label("id"), before.label("before"), col(ahead.created_at).label("created_at"))
        .join(Media, col(Media.id) == col(ahead.media_id))
        .where(col(ahead.owner_id) == owner_id, col(ahead.state) == JobState.QUEUED)
        .subquery()
    )
    others = (
        select(func.coalesce(func.sum(length), 0))
        .join(Job, col(Media.id) == col(Job.media_id))
        .where(col(Job.owner_id) != owner_id, col(Job.state) == JobState.QUEUED, col(Job.created_at) < own.c.created_at)
        .scalar_subquery()
    )
    rows = await session.execute(select(own.c.id, own.c.before + others).where(own.c.id.in_(ids)))
    return {id_: int(ms) for id_, ms in rows}


async def queue_depth(session: AsyncSession) -> int:
    """Count the waiting jobs of all owners together."""
    statement = select(func.count()).select_from(Job).where(col(Job.state) == JobState.QUEUED)
    return int((await session.execute(statement)).scalar_one())
