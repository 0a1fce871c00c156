"""A job while a worker is at it: claimed, reported on, ended or handed back, all under its lease."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db import events
from db.domain.clock import now
from db.domain.states import Transition
from db.domain.values import ErrorCode, JobState, Problem, StageReport, StageState
from db.jobs import force_transition
from db.models import Job, Media
from db.queue import leases
from db.queue.leases import Lease
from db.store.clock import db_now
from db.store.notifications import Notification, notify_on_commit
from db.store.session import Database
from db.store.transactions import Transaction


async def claim(
    db: Database, *, worker: str, per_owner: int, lease_ms: int = leases.LEASE_MS
) -> tuple[Job, Lease] | None:
    """The best waiting job, now RUNNING and this worker's; None when nothing may run."""

    def record(owner_id: str, job_id: str, number: int) -> Transaction[None]:
        claimed = events.StateChanged(JobState.QUEUED, JobState.RUNNING)
        yield from events.recorded(owner_id, job_id, number, [claimed])

    job = await leases.claim(
        db, Job, worker=worker, per_owner=per_owner, lease_ms=lease_ms, lock=events.numbered, record=record
    )
    return None if job is None else (job, leases.lease_of(job, lease_ms))


async def report(
    session: AsyncSession, lease: Lease, stages: Sequence[StageReport], changed: StageReport, **values: Any
) -> None:
    """Records what became of a stage: the job's list of stages, the event, and whatever else the job's row holds."""
    running = next((s.stage for s in stages if s.state is StageState.RUNNING), None)
    await leases.write(session, lease, stages=list(stages), stage=running, **values)
    await events.append(session, lease.owner_id, lease.id, [events.StageReported(changed)])


async def finish(session: AsyncSession, lease: Lease, how: Transition, **values: Any) -> None:
    """Ends the job: SUCCEED, END_PARTIAL, FAIL or CANCEL_RUNNING."""
    await leases.move(session, lease, how, stage=None, eta_seconds=None, finished_at=now(), **values)
    changed = events.StateChanged(JobState.RUNNING, how.target)
    await events.append(session, lease.owner_id, lease.id, [changed])


async def put_back(
    session: AsyncSession, lease: Lease, how: Transition, *, delay_ms: int = 0, **values: Any
) -> JobState:
    """Hands the job back to the queue: RETRY_LATER, or HAND_BACK, which charges none; one that its owner no longer
    wants is CANCELED. Returns the state in which it is now. Raises LeaseLost.
    """
    if await leases.renew(session, lease):
        await finish(session, lease, Transition.CANCEL_RUNNING, **values)
        return JobState.CANCELED
    charge = 0 if how is Transition.HAND_BACK else 1
    await leases.move(
        session, lease, how, stage=None, run_after=db_now() + delay_ms, attempt=col(Job.attempt) - 1 + charge, **values
    )
    await events.append(session, lease.owner_id, lease.id, [events.StateChanged(JobState.RUNNING, JobState.QUEUED)])
    notify_on_commit(session, Notification("job", lease.owner_id))
    return JobState.QUEUED


async def rescue(session: AsyncSession) -> int:
    """Takes back the jobs of silent workers; a job that took its workers down too often fails. Any worker may call it,
    any number of times.
    """
    lost = await leases.expired(session, Job)
    for job in lost:
        crashes = job.crashes + 1
        if job.cancel_requested:
            await force_transition(
                session, job, Transition.CANCEL_RUNNING, crashes=crashes, stage=None, finished_at=now()
            )
            continue
        if crashes < leases.MAX_CRASHES:
            await force_transition(session, job, Transition.RESCUE, crashes=crashes, rescued=True, stage=None)
            continue
        problem = Problem(
            code=ErrorCode.WORKER_LOST,
            message=f"The worker was lost {crashes} times while it worked on this recording.",
            stage=job.stage,
            remedy="Look at the worker's log for this correlation id; retry when the cause is gone.",
        )
        ended = {"crashes": crashes, "stage": None, "finished_at": now(), "problems": [*job.problems, problem]}
        await force_transition(session, job, Transition.FAIL, **ended)
    return len(lost)


async def media_of(session: AsyncSession, lease: Lease, media_id: str) -> Media:
    """The recording that a claimed job works on."""
    statement = select(Media).where(col(Media.owner_id) == lease.owner_id, col(Media.id) == media_id)
    return (await session.execute(statement)).scalar_one()
