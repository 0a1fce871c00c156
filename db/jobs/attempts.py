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
from db.models import Job, Media
from db.queue import background, claims, leases
from db.queue.leases import Lease
from db.store.session import Database
from db.store.transactions import Transaction


async def claim(
    db: Database, *, worker: str, per_owner: int = 0, lease_ms: int = leases.LEASE_MS
) -> tuple[Job, Lease] | None:
    """Take the best waiting job, which is RUNNING and this worker's then; None when nothing may run."""
    return await claims.claim(db, Job, worker=worker, per_owner=per_owner, lease_ms=lease_ms, journal=JOURNAL)


def _record_claim(owner_id: str, job_id: str, number: int) -> Transaction[None]:
    claimed = events.StateChanged(JobState.QUEUED, JobState.RUNNING)
    yield from events.record(owner_id, job_id, number, [claimed])


JOURNAL = claims.Journal(events.take_numbers, _record_claim)
"""A claim is an event of the job."""


async def report(
    session: AsyncSession, lease: Lease, stages: Sequence[StageReport], changed: StageReport, **values: Any
) -> None:
    """Record what became of a stage: the job's list of stages, the event, and whatever else the job's row holds."""
    running = next((s.stage for s in stages if s.state is StageState.RUNNING), None)
    await leases.write(session, lease, stages=list(stages), stage=running, **values)
    await events.append(session, lease.owner_id, lease.id, [events.StageReported(changed)])


async def finish(session: AsyncSession, lease: Lease, how: Transition, **values: Any) -> None:
    """End the job: SUCCEED, END_PARTIAL, FAIL or CANCEL_RUNNING."""
    await leases.transition(session, lease, how, stage=None, eta_seconds=None, finished_at=now(), **values)
    await _changed(session, lease, how.target)


async def put_back(
    session: AsyncSession, lease: Lease, how: Transition, *, delay_ms: int = 0, **values: Any
) -> JobState:
    """Put the job back into the queue: RETRY_LATER, or HAND_BACK, which charges no attempt; one that its owner no
    longer wants is CANCELED. Return the state in which it is now. Raises LeaseLost.
    """
    state = await background.put_back(session, lease, how, delay_ms=delay_ms, stage=None, eta_seconds=None, **values)
    await _changed(session, lease, state)
    return state


async def rescue(session: AsyncSession) -> int:
    """Take back the jobs of silent workers, and return of how many; one that took its workers down too often fails."""
    return await background.rescue(session, Job, _quarantine, changed=_changed, stage=None)


async def _quarantine(session: AsyncSession, job: Job, lease: Lease, lost: Exception) -> None:
    problem = Problem(
        code=ErrorCode.WORKER_LOST,
        message=f"While it worked on this recording, {lost}.",
        stage=job.stage,
        remedy="Look at the worker's log for this correlation id; retry when the cause is gone.",
    )
    await finish(session, lease, Transition.FAIL, problems=[*job.problems, problem])


async def _changed(session: AsyncSession, lease: Lease, state: JobState) -> None:
    await events.append(session, lease.owner_id, lease.id, [events.StateChanged(JobState.RUNNING, state)])


async def media_of(session: AsyncSession, lease: Lease, media_id: str) -> Media:
    """Return the recording that a claimed job works on."""
    statement = select(Media).where(col(Media.owner_id) == lease.owner_id, col(Media.id) == media_id)
    return (await session.execute(statement)).scalar_one()
