"""Leases and fences: how a row becomes one worker's, and stays nobody else's.

A claim (`db.queue.claims`) issues a fencing number; every later write of the worker carries it, so a worker that froze
and woke up cannot overwrite its successor (Kleppmann, "How to do distributed locking", 2016). Leases are judged by the
database's clock. A table that inherits `Leased` has all of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.domain.values import JobState
from db.models import Leased
from db.store.clock import db_now

Work = TypeVar("Work", bound=Leased)
"""A row of a table whose rows are work."""

LEASE_MS = 15_000
"""The time for which a worker may be silent: it bounds how late a dead worker's job runs again."""

MAX_CRASHES = 3
"""A job that took its worker down this often is not tried again."""


class WorkerLost(Exception):
    """A worker did not renew its lease; `crashes` counts how often that happened to this work."""

    def __init__(self, crashes: int) -> None:
        super().__init__(f"the worker was lost {crashes} times")
        self.crashes = crashes


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one row, for as long as `fence` is the row's newest. Unrenewed, it lasts `ms`."""

    table: type[Leased]
    id: str
    owner_id: str
    fence: int
    ms: int = LEASE_MS


def lease_of(row: Leased, ms: int = LEASE_MS) -> Lease:
    """Return the lease under which a row was claimed last."""
    return Lease(type(row), row.id, row.owner_id, row.fence, ms)


def tables() -> tuple[type[Leased], ...]:
    """Return the tables whose rows are work."""
    return tuple(Leased.__subclasses__())


def is_in(row: Any, state: JobState) -> ColumnElement[bool]:
    """Return the condition that a row is in a state, so that SQLite finds the index on the rows in that state."""
    return cast("ColumnElement[bool]", row.state == literal_column(f"'{state}'"))


def due(row: Any) -> ColumnElement[bool]:
    """Return the condition that a row waits and its time has come."""
    return and_(is_in(row, JobState.QUEUED), row.run_after <= db_now(), row.may_run())


async def write(session: AsyncSession, lease: Lease, **values: Any) -> None:
    """Write under the lease. The first statement of every transaction of a worker, since it also locks the row.

    Raises LeaseLost when the row is no longer this worker's.
    """
    statement = update(lease.table).where(*_held(lease)).values(**(values or {"fence": lease.fence}))
    await _exactly_one(session, statement)


async def transition(session: AsyncSession, lease: Lease, how: Transition, **values: Any) -> None:
    """End the lease with a transition. Raises LeaseLost."""
    statement = transition_of(lease.table, how).where(*_held(lease)).values(worker=None, lease_until=None, **values)
    await _exactly_one(session, statement)


async def remove(session: AsyncSession, lease: Lease) -> None:
    """End the lease and delete the row. Raises LeaseLost."""
    await _exactly_one(session, delete(lease.table).where(*_held(lease)))


async def renew(session: AsyncSession, lease: Lease, **values: Any) -> bool:
    """Renew the lease and tell whether the owner has asked to cancel. Raises LeaseLost."""
    statement = (
        update(lease.table)
        .where(*_held(lease))
        .values(lease_until=db_now() + lease.ms, **values)
        .returning(col(lease.table.cancel_requested))
    )
    requested = (await session.execute(statement)).scalar_one_or_none()
    if requested is None:
        raise LeaseLost(f"{lease.id} is no longer ours")
    return bool(requested)


async def expired(session: AsyncSession, table: type[Work]) -> Sequence[Work]:
    """Return the running rows whose worker has been silent for too long, locked against other sweepers."""
    statement = (
        select(table)
        .where(is_in(table, JobState.RUNNING), col(table.lease_until) < db_now())
        .order_by(col(table.owner_id), col(table.id))
        .with_for_update(skip_locked=True)
    )
    return (await session.execute(statement)).scalars().all()


class Overdue(NamedTuple):
    """A sweeper's findings in a table: rows whose worker is silent, and rows that wait, limits aside."""

    lost: bool
    waiting: bool


async def overdue(session: AsyncSession, table: type[Leased]) -> Overdue:
    """Look whether there is something to do for a sweeper."""
    lost = exists().where(col(table.lease_until) < db_now(), is_in(table, JobState.RUNNING))
    return Overdue(*(await session.execute(select(lost, exists().where(due(table))))).one())


def transition_of(table: type[Leased], how: Transition) -> Any:
    """Return the statement of a transition, without its row; the caller names it and has locked it or reads it back."""
    return update(table).where(or_(*(is_in(table, state) for state in sorted(how.sources)))).values(state=how.target)


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


async def take_away(session: AsyncSession, row: Leased, how: Transition, **values: Any) -> bool:
    """Move a row whoever holds it: the fence goes up, so its worker can write no more. False when it cannot be moved
    from where it is.
    """
    table = type(row)
    statement = (
        transition_of(table, how)
        .where(col(table.id) == row.id, col(table.owner_id) == row.owner_id)
        .values(worker=None, lease_until=None, fence=col(table.fence) + 1, **values)
        .returning(col(table.id))
    )
    return (await session.execute(statement)).first() is not None
