"""The operator's view and hand: work of all owners, in every table of it. The one place, with the sweepers, whose
statements name no owner; only the command line of somebody who can reach the database calls it.
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
from db.models import Job, Leased
from db.queue import background, leases
from db.queue.leases import MAX_CRASHES, is_in
from db.store.clock import db_now


class Line(NamedTuple):
    """A row of work; for how many milliseconds its lease still lasts, and it still waits, by the database's clock."""

    work: Leased
    lease_left: int | None
    wait_left: int


async def listing(session: AsyncSession, limit: int = 200) -> Sequence[Line]:
    """Return what runs, waits, or is quarantined, in this order; jobs before other work, the oldest first."""
    lines: list[Line] = []
    for table in leases.tables():
        quarantined = is_in(table, JobState.FAILED) & (col(table.crashes) >= MAX_CRASHES)
        waits = is_in(table, JobState.QUEUED) & ((col(table.attempt) > 0) | (col(table.run_after) <= db_now()))
        for condition in (is_in(table, JobState.RUNNING), waits, quarantined):
            statement = (
                select(table, col(table.lease_until) - db_now(), col(table.run_after) - db_now())
                .where(condition)
                .order_by(col(table.created_at), col(table.id))
                .limit(limit)
            )
            for row, lease_left, wait_left in await session.execute(statement):
                lines.append(Line(row, lease_left, max(0, wait_left)))
    return sorted(lines, key=lambda line: _ORDER[line.work.state])


_ORDER = {JobState.RUNNING: 0, JobState.QUEUED: 1, JobState.FAILED: 2}


async def requeue(session: AsyncSession, id_: str) -> Leased:
    """Queue work again, whatever holds it up: take it from its worker without counting a crash, end its wait, or, if it
    is a job that has ended, retry it. Raises NotFound and Conflict (it succeeded).
    """
    row = await _locked(session, id_)
    if row.state is JobState.QUEUED:
        row.run_after = 0
        await session.flush()
        background.notify(session, type(row), row.owner_id)
        return row
    if isinstance(row, Job):
        if row.state is JobState.RUNNING:
            return await jobs.force_transition(session, row, Transition.RESCUE, rescued=True, stage=None)
        limits = jobs.QueueLimits(max_queued=1 << 30, max_queued_per_owner=1 << 30)  # who does this by hand knows why
        return await jobs.retry(session, row.owner_id, row.id, limits)
    how, fresh = (Transition.RESCUE, {"rescued": True}) if row.state is JobState.RUNNING else (Transition.RETRY, _FRESH)
    await _move(session, row, how, **fresh)
    background.notify(session, type(row), row.owner_id)
    return row


_FRESH = {"attempt": 0, "crashes": 0, "run_after": 0, "cancel_requested": False}


async def cancel(session: AsyncSession, id_: str) -> Leased:
    """Cancel work at once; a worker that is at it loses its lease and stops. Raises NotFound and Conflict."""
    row = await _locked(session, id_)
    if row.state in TERMINAL:
        raise Conflict(f"It is already {row.state}.", {"state": row.state})
    how = Transition.CANCEL_RUNNING if row.state is JobState.RUNNING else Transition.CANCEL_QUEUED
    if isinstance(row, Job):
        return await jobs.force_transition(session, row, how, stage=None, finished_at=now(), cancel_requested=True)
    await _move(session, row, how, cancel_requested=True)
    return row


async def _move(session: AsyncSession, row: Leased, how: Transition, **values: int | bool) -> None:
    before = row.state
    if not await leases.take_away(session, row, how, **values):
        raise Conflict(f"It is {before}.", {"state": before})
    await session.refresh(row)


async def _locked(session: AsyncSession, id_: str) -> Leased:
    for table in leases.tables():
        row = (await session.execute(select(table).where(col(table.id) == id_).with_for_update())).scalar_one_or_none()
        if row is not None:
            return row
    raise NotFound("work", id_)
