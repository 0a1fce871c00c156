"""Claims, leases and fences: how a row becomes one worker's, and stays nobody else's.

A claim is one conditional UPDATE. It issues a fencing number; every later write of the worker carries it, so a worker
that froze and woke up cannot overwrite its successor (Kleppmann, "How to do distributed locking", 2016). Leases are
judged by the database's clock. Jobs and exports share all of this: a table that inherits `Leased` is claimable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from db.clock import db_now
from db.errors import LeaseLost
from db.models import Export, Job
from db.states import Move
from db.values import JobState

Claimable = TypeVar("Claimable", Job, Export)

LEASE_MS = 15_000
"""How long a worker may be silent: it bounds how late a dead worker's job runs again."""

MAX_CRASHES = 3
"""A job that took its worker down this often is not tried again."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one row, for as long as `fence` is the row's newest."""

    table: type[Job] | type[Export]
    id: str
    owner_id: str
    fence: int


def lease_of(row: Job | Export) -> Lease:
    """The lease under which a row was just claimed."""
    return Lease(type(row), row.id, row.owner_id, row.fence)


async def claim(
    session: AsyncSession, table: type[Claimable], *, worker: str, per_owner: int, lease_ms: int = LEASE_MS
) -> Claimable | None:
    """The best waiting row, now RUNNING and this worker's: rescued first, then the owner with the fewest running,
    then priority, then age. None when nothing may run.
    """
    waiting = aliased(table)
    running = (
        select(col(table.owner_id), func.count().label("n"))
        .where(col(table.state) == JobState.RUNNING)
        .group_by(col(table.owner_id))
        .subquery()
    )
    busy = func.coalesce(running.c.n, 0)
    best = (
        select(col(waiting.id))
        .outerjoin(running, running.c.owner_id == col(waiting.owner_id))
        .where(col(waiting.state) == JobState.QUEUED, col(waiting.run_after) <= db_now(), busy < per_owner)
        .order_by(col(waiting.rescued).desc(), busy, col(waiting.priority).desc(), col(waiting.created_at),
                  col(waiting.id))
        .limit(1)
        .with_for_update(of=waiting, skip_locked=True)
        .scalar_subquery()
    )  # fmt: skip
    statement = (
        _move(table, Move.CLAIM)
        .where(col(table.id) == best)
        .values(
            fence=col(table.fence) + 1,
            attempt=col(table.attempt) + 1,
            worker=worker,
            lease_until=db_now() + lease_ms,
            rescued=False,
        )
        .returning(table)
    )
    row = (await session.execute(statement, execution_options={"populate_existing": True})).scalar_one_or_none()
    return cast("Claimable | None", row)


async def write(session: AsyncSession, lease: Lease, **values: Any) -> None:
    """A write under the lease; the first statement of every transaction of a worker, since it also locks the row.

    Raises LeaseLost when the row is no longer this worker's.
    """
    statement = update(lease.table).where(*_held(lease)).values(**(values or {"fence": lease.fence}))
    await _exactly_one(session, statement)


async def move(session: AsyncSession, lease: Lease, how: Move, **values: Any) -> None:
    """Ends the lease with a move of the table of states. Raises LeaseLost."""
    statement = _move(lease.table, how).where(*_held(lease)).values(worker=None, lease_until=None, **values)
    await _exactly_one(session, statement)


async def renew(session: AsyncSession, lease: Lease, *, lease_ms: int = LEASE_MS, **values: Any) -> bool:
    """The heartbeat; tells whether the owner has asked to cancel. Raises LeaseLost."""
    statement = (
        update(lease.table)
        .where(*_held(lease))
        .values(lease_until=db_now() + lease_ms, **values)
        .returning(col(lease.table.cancel_requested))
    )
    wish = (await session.execute(statement)).scalar_one_or_none()
    if wish is None:
        raise LeaseLost(f"{lease.id} is no longer ours")
    return bool(wish)


async def expired(session: AsyncSession, table: type[Claimable]) -> Sequence[Claimable]:
    """Running rows whose worker has been silent for too long, locked against other sweepers."""
    statement = (
        select(table)
        .where(col(table.state) == JobState.RUNNING, col(table.lease_until) < db_now())
        .order_by(col(table.owner_id), col(table.id))
        .with_for_update(skip_locked=True)
    )
    return (await session.execute(statement)).scalars().all()


async def waiting(session: AsyncSession, table: type[Claimable]) -> bool:
    """Whether some row could be claimed now, caps aside; the sweeper rings the doorbell again when it is so."""
    statement = select(col(table.id)).where(col(table.state) == JobState.QUEUED, col(table.run_after) <= db_now())
    return (await session.execute(statement.limit(1))).first() is not None


def _move(table: type[Job] | type[Export], how: Move) -> Any:
    return update(table).where(col(table.state).in_(sorted(how.sources))).values(state=how.target)


def _held(lease: Lease) -> tuple[ColumnElement[bool], ...]:
    table = lease.table
    return (
        col(table.id) == lease.id,
        col(table.owner_id) == lease.owner_id,
        col(table.fence) == lease.fence,
        col(table.state) == JobState.RUNNING,
    )


async def _exactly_one(session: AsyncSession, statement: Any) -> None:
    result = cast("CursorResult[Any]", await session.execute(statement))
    if result.rowcount != 1:
        raise LeaseLost("the work is no longer ours")


# A move of a row that nobody holds (cancel, rescue, retry): the caller has locked the row or reads it back.
unheld_move = _move
