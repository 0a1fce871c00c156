"""Owners: who has recordings. The local default has one."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.models import Owner
from db.store.base import table_of
from db.store.transactions import Execute, Transaction, Verb

LOCAL_OWNER = "usr_local"
"""The one owner of an instance that nobody signs in to."""


async def ensure(session: AsyncSession, owner_id: str, name: str | None = None) -> Owner:
    """Return the owner's row, made at first sight."""
    owner = await session.get(Owner, owner_id)
    if owner is None:  # several processes may find so at once
        row = Owner(id=owner_id, name=name, created_at=now()).model_dump()
        insert: Any = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        await session.execute(insert(Owner).values(**row).on_conflict_do_nothing())
        owner = await session.get_one(Owner, owner_id)
    return owner


_OWNERS = table_of(Owner)
_LOCK = update(_OWNERS).where(_OWNERS.c.id == bindparam("owner")).values(last_event=_OWNERS.c.last_event)


@Verb
def lock_owner(owner_id: str) -> Transaction[None]:
    """Make what follows in this transaction one step among all of this owner's."""
    yield Execute(_LOCK, {"owner": owner_id})


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Owner]:
    """Return the owners among these ids; an owner sees nobody else."""
    statement = select(Owner).where(col(Owner.id) == owner_id, col(Owner.id).in_(ids))
    return {owner.id: owner for owner in (await session.execute(statement)).scalars()}
