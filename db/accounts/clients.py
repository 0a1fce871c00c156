"""Service accounts: programs that get tokens with credentials of their own."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.grants import Client, Grant
from db.accounts.owners import ensure
from db.accounts.scopes import ADMIN, Role
from db.accounts.secrets import CLIENT, hash_of, new_secret
from db.accounts.tables import Account
from db.domain.clock import now
from db.domain.errors import NotFound
from db.domain.ids import new_id


class Created(NamedTuple):
    """A client, and its secret, which nobody can see again."""

    client: Client
    secret: str


async def create(session: AsyncSession, *, name: str, scopes: Sequence[str]) -> Created:
    """Make a client with an account of its own."""
    owner_id, at = new_id("usr"), now()
    await ensure(session, owner_id, name)
    session.add(Account(id=owner_id, role=Role.ADMIN if ADMIN in scopes else Role.MEMBER, created_at=at))
    secret = new_secret(CLIENT)
    client = Client(
        id=new_id("cli"),
        owner_id=owner_id,
        name=name,
        secret_hash=hash_of(secret),
        scopes=sorted(set(scopes)),
        created_at=at,
    )
    session.add(client)
    await session.flush()
    return Created(client, secret)


async def listing(session: AsyncSession) -> Sequence[Client]:
    """Return all clients, the oldest first."""
    return list((await session.execute(select(Client).order_by(col(Client.created_at), col(Client.id)))).scalars())


async def remove(session: AsyncSession, client_id: str) -> None:
    """Delete a client with all of its tokens; what it made stays. Raises NotFound."""
    found = await session.execute(delete(Client).where(col(Client.id) == client_id).returning(col(Client.id)))
    if not found.all():
        raise NotFound("client", client_id)
    await session.execute(delete(Grant).where(col(Grant.client_id) == client_id))
