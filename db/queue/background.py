"""The ways back into the queue, the same for all tables of work: again later, handed back, taken from a lost worker."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.states import Transition
from db.domain.values import JobState
from db.models import Leased
from db.queue import leases
from db.queue.leases import Lease, Work, WorkerLost
from db.store.base import table_of
from db.store.clock import db_now
from db.store.notifications import Notification, notify_on_commit

GiveUp = Callable[[AsyncSession, Work, Lease, Exception], Awaitable[None]]
"""Records, under the lease, why this work is in vain."""

Changed = Callable[[AsyncSession, Lease, JobState], Awaitable[None]]
"""Records that a running row is in another state now."""


async def put_back(
    session: AsyncSession, lease: Lease, how: Transition, *, delay_ms: int = 0, **values: Any
) -> JobState:
    """Put the row back into the queue: RETRY_LATER, or HAND_BACK, which charges no attempt. One that its owner no
    longer wants is CANCELED. Return the state in which it is now. Raises LeaseLost.
    """
    if await leases.renew(session, lease):
        await leases.transition(session, lease, Transition.CANCEL_RUNNING, **_end(lease.table), **values)
        return JobState.CANCELED
    charge = 0 if how is Transition.HAND_BACK else 1
    attempt = col(lease.table.attempt) - 1 + charge
    await leases.transition(session, lease, how, run_after=db_now() + delay_ms, attempt=attempt, **values)
    notify(session, lease.table, lease.owner_id)
    return JobState.QUEUED


async def rescue(
    session: AsyncSession,
    table: type[Work],
    give_up: GiveUp[Work] | None = None,
    *,
    changed: Changed | None = None,
    **values: Any,
) -> int:
    """Take back the rows of silent workers, and return of how many. One that took its workers down too often is given
    up; without `give_up` it is tried for ever. Any worker may call it, any number of times.
    """
    lost = await leases.expired(session, table)
    for row in lost:
        crashes, lease = row.crashes + 1, leases.lease_of(row)
        if crashes >= leases.MAX_CRASHES and give_up is not None and not row.cancel_requested:
            await leases.write(session, lease, crashes=crashes)
            await give_up(session, row, lease, WorkerLost(crashes))
            continue
        how = Transition.CANCEL_RUNNING if row.cancel_requested else Transition.RESCUE
        further = _end(table) if row.cancel_requested else {"rescued": True}
        await leases.take_away(session, row, how, crashes=crashes, **further, **values)
        if changed is not None:
            await changed(session, lease, how.target)
        if how is Transition.RESCUE:
            notify(session, table, row.owner_id)
    return len(lost)


def notify(session: AsyncSession, table: type[Leased], owner_id: str) -> None:
    """Wake a worker once a row of this table waits durably."""
    notify_on_commit(session, Notification(table.queue, owner_id))


def _end(table: type[Leased]) -> dict[str, int]:
    return {"finished_at": now()} if "finished_at" in table_of(table).c else {}
