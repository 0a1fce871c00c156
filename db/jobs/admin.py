"""The operator's view and hand: jobs of all owners. The one place, with the sweepers, whose statements name no owner;
only the command line of somebody who can reach the database calls it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import jobs
from db.domain.clock import now
from db.domain.errors import Conflict, NotFound
from db.domain.states import TERMINAL, Transition
from db.domain.values import JobState
from db.models import Job
from db.queue.leases import MAX_CRASHES, is_in
from db.store.clock import db_now
from db.store.notifications import Notification, notify_on_commit


class Line(NamedTuple):
    """A job, and how many milliseconds its lease still lasts, or it still has to wait, by the database's clock."""

    job: Job
    lease_left: int | None
    wait_left: int


async def listing(session: AsyncSession, limit: int = 200) -> Sequence[Line]:
    """Jobs that run, wait, or are quarantined, in this order; the oldest first."""
    quarantined = is_in(Job, JobState.FAILED) & (col(Job.crashes) >= MAX_CRASHES)
    lines: list[Line] = []
    for what in (is_in(Job, JobState.RUNNING), is_in(Job, JobState.QUEUED), quarantined):
        statement = (
            select(Job, col(Job.lease_until) - db_now(), col(Job.run_after) - db_now())
            .where(what)
            .order_by(col(Job.created_at), col(Job.id))
            .limit(limit)
        )
        for job, lease_left, wait_left in await session.execute(statement):
            lines.append(Line(job, lease_left, max(0, wait_left)))
    return lines


async def requeue(session: AsyncSession, job_id: str) -> Job:
    """Queues a job again, whatever holds it up: takes it from its worker without counting a crash, ends its wait, or
    retries it when it has ended. Raises NotFound and Conflict (it succeeded).
    """
    job = await _locked(session, job_id)
    if job.state is JobState.RUNNING:
        return await jobs.force_transition(session, job, Transition.RESCUE, rescued=True, stage=None)
    if job.state is JobState.QUEUED:
        job.run_after = 0
        await session.flush()
        notify_on_commit(session, Notification("job", job.owner_id))
        return job
    limits = jobs.QueueLimits(total=1 << 30, per_owner=1 << 30)  # who does this by hand knows why
    return await jobs.retry(session, job.owner_id, job.id, limits)


async def cancel(session: AsyncSession, job_id: str) -> Job:
    """Cancels a job at once; a worker that is at it loses its lease and stops. Raises NotFound and Conflict."""
    job = await _locked(session, job_id)
    if job.state in TERMINAL:
        raise Conflict(f"The job is already {job.state}.", {"state": job.state})
    how = Transition.CANCEL_RUNNING if job.state is JobState.RUNNING else Transition.CANCEL_QUEUED
    return await jobs.force_transition(session, job, how, stage=None, finished_at=now(), cancel_requested=True)


async def _locked(session: AsyncSession, job_id: str) -> Job:
    job = (await session.execute(select(Job).where(col(Job.id) == job_id).with_for_update())).scalar_one_or_none()
    if job is None:
        raise NotFound("job", job_id)
    return job
