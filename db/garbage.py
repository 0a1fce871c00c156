"""Files that nothing refers to any more: noted in the transaction that let go of them, deleted by the io worker."""

from collections.abc import Iterable

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.clock import now
from db.models import Garbage


async def add(session: AsyncSession, owner_id: str, keys: Iterable[str]) -> None:
    """Gives files away."""
    session.add_all(Garbage(blob_key=key, owner_id=owner_id, created_at=now()) for key in keys)


async def some(session: AsyncSession, limit: int = 100) -> list[Garbage]:
    """The oldest ones."""
    statement = select(Garbage).order_by(col(Garbage.created_at)).limit(limit)
    return list((await session.execute(statement)).scalars())


async def later(session: AsyncSession, item: Garbage) -> None:
    """It could not be deleted now: behind the others."""
    mine = update(Garbage).where(col(Garbage.owner_id) == item.owner_id, col(Garbage.blob_key) == item.blob_key)
    await session.execute(mine.values(created_at=now()))


async def gone(session: AsyncSession, item: Garbage) -> None:
    """The file is deleted."""
    statement = delete(Garbage).where(col(Garbage.owner_id) == item.owner_id, col(Garbage.blob_key) == item.blob_key)
    await session.execute(statement)
