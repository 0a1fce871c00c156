"""The queue of the io worker: rows that it claims, hands back and loses in the same way, whatever they stand for.

Unlike a job, such a row has no events: its owner sees what became of it, or need not know.
"""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.owners import locked
from db.domain.states import Transition
from db.models import Cleanup, Export
from db.queue import leases
from db.queue.leases import Lease
from db.store.clock import db_now
from db.store.notifications import Notification, notify_on_commit
from db.store.session import Database
from db.store.transactions import Transaction

Errand = TypeVar("Errand", Export, Cleanup)

TOPICS: Final[dict[type[Any], Literal["export", "cleanup"]]] = {Export: "export", Cleanup: "cleanup"}
"""The tables, and the news that a row of theirs waits."""


async def claim(
    db: Database, table: type[Errand], *, worker: str, per_owner: int, lease_ms: int = leases.LEASE_MS
) -> tuple[Errand, Lease] | None:
    """The best waiting row, now RUNNING and this worker's; None when nothing may run."""

    def record(_owner_id: str, _id: str, _token: None) -> Transaction[None]:
        """There are no events."""
        yield from ()

    row = await leases.claim(
        db, table, worker=worker, per_owner=per_owner, lease_ms=lease_ms, lock=locked, record=record
    )
    return None if row is None else (row, leases.lease_of(row, lease_ms))


async def put_back(session: AsyncSession, lease: Lease, how: Transition, *, delay_ms: int = 0) -> None:
    """Again later: RETRY_LATER, or HAND_BACK, which charges no attempt. Raises LeaseLost."""
    charge = 0 if how is Transition.HAND_BACK else 1
    attempt = col(lease.table.attempt) - 1 + charge
    await leases.move(session, lease, how, run_after=db_now() + delay_ms, attempt=attempt)
    ring(session, lease.table, lease.owner_id)


async def rescue(
    session: AsyncSession, table: type[Errand], give_up: Callable[[int], dict[str, Any]] | None = None
) -> int:
    """Takes back the rows of silent workers. What took its workers down too often fails, with the values that `give_up`
    makes of the number of crashes; without that, it is tried for ever.
    """
    lost = await leases.expired(session, table)
    for row in lost:
        crashes = row.crashes + 1
        hopeless = give_up is not None and crashes >= leases.MAX_CRASHES
        ended = give_up(crashes) if give_up is not None and hopeless else {}
        statement = (
            leases.unheld_transition(table, Transition.FAIL if hopeless else Transition.RESCUE)
            .where(col(table.id) == row.id, col(table.owner_id) == row.owner_id)
            .values(worker=None, lease_until=None, fence=col(table.fence) + 1, crashes=crashes, rescued=True, **ended)
        )
        await session.execute(statement)
        ring(session, table, row.owner_id)
    return len(lost)


def ring(session: AsyncSession, table: type[Any], owner_id: str) -> None:
    """Wakes an io worker once a row of this table waits durably."""
    notify_on_commit(session, Notification(TOPICS[table], owner_id))
