"""Claims, leases and fences: how a row becomes one worker's, and stays nobody else's.

A claim is one conditional UPDATE. It issues a fencing number; every later write of the worker carries it, so a worker
that froze and woke up cannot overwrite its successor (Kleppmann, "How to do distributed locking", 2016). Leases are
judged by the database's clock. Jobs, exports and clean-ups share all of this: a table that inherits `Leased` is
claimable.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.domain.values import JobState
from db.models import Cleanup, Export, Job
from db.store.base import table_of
from db.store.clock import db_now
from db.store.session import Database
from db.store.transactions import Execute, Transaction

Claimable = TypeVar("Claimable", Job, Export, Cleanup)
Token = TypeVar("Token")

LEASE_MS = 15_000
"""How long a worker may be silent: it bounds how late a dead worker's job runs again."""

MAX_CRASHES = 3
"""A job that took its worker down this often is not tried again."""

PATIENCE = 100
"""How often a claim looks again when others take what it saw; each time, somebody else got on."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to one row, for as long as `fence` is the row's newest. Unrenewed, it lasts `ms`."""

    table: type[Job] | type[Export] | type[Cleanup]
    id: str
    owner_id: str
    fence: int
    ms: int = LEASE_MS


def lease_of(row: Job | Export | Cleanup, ms: int = LEASE_MS) -> Lease:
    """The lease under which a row was just claimed."""
    return Lease(type(row), row.id, row.owner_id, row.fence, ms)


class _Outrun(Exception):
    """Others took the row that this transaction saw."""


async def claim(
    db: Database,
    table: type[Claimable],
    *,
    worker: str,
    per_owner: int,
    lease_ms: int = LEASE_MS,
    lock: Callable[[str], Transaction[Token]],
    record: Callable[[str, str, Token], Transaction[None]],
) -> Claimable | None:
    """The best waiting row, now RUNNING and this worker's: rescued first, then the owner with the fewest running,
    then priority, then age. None when nothing may run.

    `lock` makes what follows one step among all of the owner's: without it, two claims at once could exceed the owner's
    limit. `record` writes whatever else belongs to the claim: it is told the owner, the row's id, and what `lock` gave.
    """
    values = {"by": worker, "per_owner": per_owner, "lease_ms": lease_ms, "at": now()}
    for _ in range(PATIENCE):
        with suppress(_Outrun):
            row = await db.run(_claimed(table, values, lock, record))
            return None if row is None else db.model(table, row)
    return None


def _claimed(
    table: type[Claimable],
    values: dict[str, Any],
    lock: Callable[[str], Transaction[Token]],
    record: Callable[[str, str, Token], Transaction[None]],
) -> Transaction[Sequence[Any] | None]:
    owners = yield Execute(_next_owner(table), values)
    if not owners:
        return None
    owner_id: str = owners[0][0]
    token = yield from lock(owner_id)
    rows = yield Execute(_take_best(table), values | {"owner": owner_id})
    if not rows:
        raise _Outrun  # ends the transaction and with it the lock, so that no two wait for each other
    row: list[Any]
    id_, *row = rows[0]
    yield from record(owner_id, id_, token)
    return row


# These two are made once: to make a statement of this size costs more than to run it.


@cache
def _next_owner(table: type[Claimable]) -> Select[str]:
    """Whose turn it is. Touches one row of each owner who waits, however long the queue: it hops from owner to owner
    in the index (a "loose index scan", written out as a recursion since neither database does it by itself).
    """
    hop, candidate, best = aliased(table), aliased(table), aliased(table)
    waiting = select(func.min(col(hop.owner_id)).label("owner_id")).where(is_in(hop, JobState.QUEUED))
    owners = waiting.cte("owners", recursive=True)
    further = waiting.where(col(hop.owner_id) > owners.c.owner_id).scalar_subquery()
    owners = owners.union_all(select(further).where(owners.c.owner_id.is_not(None)))
    running = (
        select(col(table.owner_id).label("owner_id"), func.count().label("n"))
        .where(is_in(table, JobState.RUNNING))
        .group_by(col(table.owner_id))
        .cte("running")
    )
    busy = func.coalesce(running.c.n, 0)
    first = _in_order(
        select(col(candidate.id)).where(col(candidate.owner_id) == owners.c.owner_id, _due(candidate)), candidate
    )
    return (
        select(owners.c.owner_id)
        .outerjoin(running, running.c.owner_id == owners.c.owner_id)
        .join(best, col(best.id) == first.limit(1).correlate(owners).scalar_subquery())
        .where(busy < bindparam("per_owner", type_=Integer))
        .order_by(col(best.rescued).desc(), busy, col(best.priority).desc(), col(best.created_at), col(best.id))
        .limit(1)
    )


@cache
def _take_best(table: type[Claimable]) -> Any:
    """The claim: the owner's first row becomes this worker's, unless as many as allowed are running."""
    candidate, other, owner = aliased(table), aliased(table), bindparam("owner", type_=String)
    running = select(func.count()).where(is_in(other, JobState.RUNNING), col(other.owner_id) == owner)
    mine = select(col(candidate.id)).where(
        col(candidate.owner_id) == owner,
        _due(candidate),
        running.scalar_subquery() < bindparam("per_owner", type_=Integer),
    )
    best = _in_order(mine, candidate).limit(1).with_for_update(of=candidate, skip_locked=True).scalar_subquery()
    first = {"started_at": func.coalesce(col(Job.started_at), bindparam("at", type_=BigInteger))}
    return (
        _move(table, Transition.CLAIM)
        .where(col(table.id) == best)
        .values(
            fence=col(table.fence) + 1,
            attempt=col(table.attempt) + 1,
            worker=bindparam("by", type_=String),
            lease_until=db_now() + bindparam("lease_ms", type_=BigInteger),
            rescued=False,
            **(first if table is Job else {}),
        )
        .returning(table_of(table).c.id, *table_of(table).columns)
    )


def _in_order(statement: Select[str], row: Any) -> Select[str]:
    return statement.order_by(row.rescued.desc(), row.priority.desc(), row.created_at, row.id)


def _due(row: Any) -> ColumnElement[bool]:
    return and_(is_in(row, JobState.QUEUED), row.run_after <= db_now())


def is_in(row: Any, state: JobState) -> ColumnElement[bool]:
    """Whether a row is in a state, written so that SQLite finds the index on the rows in that state."""
    return cast("ColumnElement[bool]", row.state == literal_column(f"'{state}'"))


async def write(session: AsyncSession, lease: Lease, **values: Any) -> None:
    """A write under the lease; the first statement of every transaction of a worker, since it also locks the row.

    Raises LeaseLost when the row is no longer this worker's.
    """
    statement = update(lease.table).where(*_held(lease)).values(**(values or {"fence": lease.fence}))
    await _exactly_one(session, statement)


async def move(session: AsyncSession, lease: Lease, how: Transition, **values: Any) -> None:
    """Ends the lease with a move of the table of states. Raises LeaseLost."""
    statement = _move(lease.table, how).where(*_held(lease)).values(worker=None, lease_until=None, **values)
    await _exactly_one(session, statement)


async def remove(session: AsyncSession, lease: Lease) -> None:
    """Ends the lease and the row with it: nobody needs to know that it was. Raises LeaseLost."""
    await _exactly_one(session, delete(lease.table).where(*_held(lease)))


async def renew(session: AsyncSession, lease: Lease, **values: Any) -> bool:
    """The heartbeat; tells whether the owner has asked to cancel. Raises LeaseLost."""
    statement = (
        update(lease.table)
        .where(*_held(lease))
        .values(lease_until=db_now() + lease.ms, **values)
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
        .where(is_in(table, JobState.RUNNING), col(table.lease_until) < db_now())
        .order_by(col(table.owner_id), col(table.id))
        .with_for_update(skip_locked=True)
    )
    return (await session.execute(statement)).scalars().all()


async def waiting(session: AsyncSession, table: type[Claimable]) -> bool:
    """Whether some row could be claimed now, caps aside; the sweeper rings the notifier again when it is so."""
    return (await session.execute(select(col(table.id)).where(_due(table)).limit(1))).first() is not None


def _move(table: type[Job] | type[Export] | type[Cleanup], how: Transition) -> Any:
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


# A move of a row that nobody holds (cancel, rescue, retry): the caller has locked the row or reads it back.
unheld_transition = _move
