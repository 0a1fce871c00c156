"""The rows that wait, for the operator's metrics: one query over all kinds of background work."""

from typing import NamedTuple

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.values import JobState
from db.models import Worker
from db.queue import leases
from db.queue.workers import SILENT_MS
from db.store.base import table_of
from db.store.clock import db_now


class Backlog(NamedTuple):
    """`queues`: kind of work, rows that could be claimed now, seconds that the oldest of them waits.

    `workers`: kind, and how many are up.
    """

    queues: tuple[tuple[str, int, float], ...]
    workers: tuple[tuple[str, int], ...]


async def look(session: AsyncSession) -> Backlog:
    """Count what waits and who is there to do it; cheap, since only waiting rows are touched."""
    parts = [
        select(
            literal(table_of(table).name).label("work"),
            func.count().label("waiting"),
            func.coalesce(db_now() - func.min(col(table.run_after)), 0).label("age"),
            func.coalesce(db_now() - func.min(col(table.created_at)), 0).label("since"),
        ).where(leases.is_in(table, JobState.QUEUED), col(table.run_after) <= db_now())
        for table in leases.tables()
    ]
    queues = [
        (work, waiting, max(0, min(age, since)) / 1000)
        for work, waiting, age, since in await session.execute(union_all(*parts))
    ]
    online = select(col(Worker.kind), func.count()).where(col(Worker.seen_at) > db_now() - SILENT_MS)
    workers = [(kind, count) for kind, count in await session.execute(online.group_by(col(Worker.kind)))]
    return Backlog(tuple(queues), tuple(workers))
