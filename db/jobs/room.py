"""Room in the queue: how many jobs may wait, and when there is a place again."""

import msgspec
from sqlalchemy import bindparam, func, select
from sqlmodel import col

from db.domain.errors import QueueFull
from db.domain.values import JobState
from db.models import Job
from db.queue import leases
from db.store.base import table_of
from db.store.transactions import Execute, Transaction, Verb


class QueueLimits(msgspec.Struct, frozen=True):
    """The numbers of jobs that may wait: in all, and of one owner."""

    max_queued: int
    max_queued_per_owner: int


_TABLE = table_of(Job)
_WAITING = (
    select(func.count(), func.count().filter(_TABLE.c.owner_id == bindparam("owner")))
    .select_from(_TABLE)
    .where(leases.is_in(_TABLE.c, JobState.QUEUED))
)


@Verb
def check_room(owner_id: str, limits: QueueLimits) -> Transaction[None]:
    """Raise QueueFull when no more jobs may wait."""
    [(total, own)] = yield Execute(_WAITING, {"owner": owner_id})
    if total >= limits.max_queued or own >= limits.max_queued_per_owner:
        raise QueueFull((yield from _seconds_until_room()))


def _seconds_until_room() -> Transaction[float]:
    """Estimate when the next place is free: the last finished jobs' mean duration over the number of running jobs."""
    done = (
        select((col(Job.finished_at) - col(Job.started_at)).label("ms"))
        .where(col(Job.state) == JobState.SUCCEEDED, col(Job.finished_at).is_not(None))
        .order_by(col(Job.finished_at).desc())
        .limit(20)
        .subquery()
    )
    average: float | None
    workers: int
    [(average,)] = yield Execute(select(func.avg(done.c.ms)), {})
    running = select(func.count()).select_from(Job).where(leases.is_in(Job, JobState.RUNNING))
    [(workers,)] = yield Execute(running, {})
    return round(max(1.0, float(average or 30_000) / 1000 / max(1, workers)), 1)
