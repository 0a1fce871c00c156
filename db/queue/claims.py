"""Claims: one conditional UPDATE makes the best waiting row a worker's own, whatever table it is in."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Integer, Select, String, bindparam, func, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from db.accounts.owners import lock_owner
from db.domain.clock import now
from db.domain.states import Transition
from db.domain.values import JobState
from db.models import Leased
from db.queue.leases import LEASE_MS, Lease, Work, due, is_in, lease_of, transition_of
from db.store.base import table_of
from db.store.clock import db_now
from db.store.session import Database
from db.store.transactions import Execute, Transaction, model_of

PATIENCE = 100
"""The number of looks of a claim while others take what it saw; each time, somebody else got on."""

_NO_LIMIT = 2**31 - 1


class _Outrun(Exception):
    """Others took the row that this transaction saw."""


class Journal(NamedTuple):
    """The further writes of a claim. `lock` makes what follows one step among all of the owner's: without it, two
    claims at once could exceed the owner's limit. `record` is told the owner, the row's id, and what `lock` gave.
    """

    lock: Callable[[str], Transaction[Any]]
    record: Callable[[str, str, Any], Transaction[None]]


def _no_record(_owner_id: str, _id: str, _token: object) -> Transaction[None]:
    yield from ()


SILENT = Journal(lock_owner.steps, _no_record)
"""For tables without events."""


async def claim(
    db: Database,
    table: type[Work],
    *,
    worker: str,
    per_owner: int = 0,
    lease_ms: int = LEASE_MS,
    journal: Journal = SILENT,
) -> tuple[Work, Lease] | None:
    """Take the best waiting row, which is RUNNING and this worker's then: rescued first, then the owner with the fewest
    running, then priority, then age. Of one owner, `per_owner` run at once (0: any number). None when nothing may run.
    """
    values = {"by": worker, "per_owner": per_owner or _NO_LIMIT, "lease_ms": lease_ms, "at": now()}
    for _ in range(PATIENCE):
        with suppress(_Outrun):
            found = await db.run(_claim(table, values, journal))
            if found is None:
                return None
            row = model_of(table, found)
            return row, lease_of(row, lease_ms)
    return None


def _claim(table: type[Leased], values: dict[str, Any], journal: Journal) -> Transaction[Sequence[Any] | None]:
    owners = yield Execute(_next_owner(table), values)
    if not owners:
        return None
    owner_id: str = owners[0][0]
    token = yield from journal.lock(owner_id)
    rows = yield Execute(_take_best(table), values | {"owner": owner_id})
    if not rows:
        raise _Outrun  # ends the transaction and with it the lock, so that no two wait for each other
    row: Sequence[Any] = rows[0]
    yield from journal.record(owner_id, row[table_of(table).c.keys().index("id")], token)
    return row


# These two are made once: to make a statement of this size costs more than to run it.


@cache
def _next_owner(table: type[Leased]) -> Select[str]:
    """Select the owner whose turn it is. Touches one row of each owner who waits, however long the queue: it hops from
    owner to owner in the index (a "loose index scan", written out as a recursion since neither database does it by
    itself).
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
        select(col(candidate.id)).where(col(candidate.owner_id) == owners.c.owner_id, due(candidate)), candidate
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
def _take_best(table: type[Leased]) -> Any:
    """Return the claim: the owner's first row becomes this worker's, unless as many as allowed are running."""
    candidate, other, owner = aliased(table), aliased(table), bindparam("owner", type_=String)
    running = select(func.count()).where(is_in(other, JobState.RUNNING), col(other.owner_id) == owner)
    mine = select(col(candidate.id)).where(
        col(candidate.owner_id) == owner,
        due(candidate),
        running.scalar_subquery() < bindparam("per_owner", type_=Integer),
    )
    best = _in_order(mine, candidate).limit(1).with_for_update(of=candidate, skip_locked=True).scalar_subquery()
    first = {
        column.key: func.coalesce(column, bindparam("at", type_=BigInteger))
        for column in table_of(table).c
        if column.key == "started_at"  # where a table has such a thing
    }
    return (
        transition_of(table, Transition.CLAIM)
        .where(col(table.id) == best)
        .values(
            fence=col(table.fence) + 1,
            attempt=col(table.attempt) + 1,
            worker=bindparam("by", type_=String),
            lease_until=db_now() + bindparam("lease_ms", type_=BigInteger),
            rescued=False,
            **first,
        )
        .returning(*table_of(table).columns)
    )


def _in_order(statement: Select[str], row: Any) -> Select[str]:
    return statement.order_by(row.rescued.desc(), row.priority.desc(), row.created_at, row.id)
