"""Files that nothing refers to: noted in a transaction, deleted by the io worker for as long as it takes.

No file is ever without a row: a new one is noted before its first byte is written, and the note goes in the transaction
that makes a row refer to it. A process that dies in between leaves the note.
"""

from collections.abc import Iterable

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import Conflict
from db.domain.ids import new_id
from db.domain.values import JobState
from db.models import Cleanup
from db.queue import background, leases
from db.queue.leases import Lease
from db.store.clock import db_now


async def add(session: AsyncSession, owner_id: str, keys: Iterable[str], *, correlation_id: str = "") -> None:
    """Give files away: all that one transaction lets go of as one row."""
    if blob_keys := list(keys):
        session.add(_row(owner_id, blob_keys, correlation_id))
        background.notify(session, Cleanup, owner_id)


async def reserve(session: AsyncSession, owner_id: str, key: str, *, ms: int) -> str:
    """Note a file that is about to be written: it goes after `ms`, unless it was adopted. Return the note's id."""
    note = _row(owner_id, [key], "")
    await session.execute(insert(Cleanup).values(**note.model_dump() | {"run_after": db_now() + ms}))
    return note.id


async def adopt(session: AsyncSession, owner_id: str, note: str) -> None:
    """Keep the file, in the transaction that makes a row refer to it. Raises Conflict when it is too late."""
    waiting = (col(Cleanup.owner_id) == owner_id, col(Cleanup.id) == note, leases.is_in(Cleanup, JobState.QUEUED))
    if (await session.execute(delete(Cleanup).where(*waiting).returning(col(Cleanup.id)))).first() is None:
        raise Conflict("It took too long to write this file; send it again.")


async def give_up(session: AsyncSession, owner_id: str, note: str) -> bool:
    """Let the file of this note go now, since nobody wants it; False when it was adopted after all, and stays."""
    mine = update(Cleanup).where(col(Cleanup.owner_id) == owner_id, col(Cleanup.id) == note)
    background.notify(session, Cleanup, owner_id)
    return (await session.execute(mine.values(run_after=0).returning(col(Cleanup.id)))).first() is not None


async def finish(session: AsyncSession, lease: Lease) -> None:
    """Record that the files are deleted. Raises LeaseLost."""
    await leases.remove(session, lease)


def _row(owner_id: str, blob_keys: list[str], correlation_id: str) -> Cleanup:
    return Cleanup(
        id=new_id("cln"), owner_id=owner_id, blob_keys=blob_keys, correlation_id=correlation_id, created_at=now()
    )
