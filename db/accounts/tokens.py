"""Personal access tokens: made, listed and revoked by their owner."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.owners import lock_owner
from db.accounts.secrets import PERSONAL, hash_of, new_secret
from db.accounts.tables import AccessToken
from db.domain.clock import now
from db.domain.errors import LimitExceeded, NotFound
from db.domain.ids import new_id
from db.store.pages import Order

MOST = 100
"""The number of tokens that an account may have."""

USE_WRITTEN_MS = 60_000
"""The last use is written at most once in this time."""

SHOWN = len(PERSONAL) + 4
"""Characters that people see of a secret."""


class Created(NamedTuple):
    """A token, and its secret, which nobody can see again."""

    token: AccessToken
    secret: str


async def create(
    session: AsyncSession, owner_id: str, *, name: str, scopes: Sequence[str], expires_at: int | None
) -> Created:
    """Make a token. Raises LimitExceeded."""
    await lock_owner(session, owner_id)
    count = select(func.count()).select_from(AccessToken).where(col(AccessToken.owner_id) == owner_id)
    have = int((await session.execute(count)).scalar_one())
    if have >= MOST:
        raise LimitExceeded("Revoke a token first.", limit=MOST, actual=have + 1, unit="tokens")
    secret = new_secret(PERSONAL)
    token = AccessToken(
        id=new_id("tok"),
        owner_id=owner_id,
        name=name,
        prefix=secret[:SHOWN],
        secret_hash=hash_of(secret),
        scopes=sorted(scopes),
        created_at=now(),
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    return Created(token, secret)


async def revoke(session: AsyncSession, owner_id: str, token_id: str) -> None:
    """Delete a token of this owner. Raises NotFound."""
    statement = delete(AccessToken).where(col(AccessToken.owner_id) == owner_id, col(AccessToken.id) == token_id)
    if not (await session.execute(statement.returning(col(AccessToken.id)))).all():
        raise NotFound("access token", token_id)


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, AccessToken]:
    """Return those of an owner's tokens that have these ids."""
    statement = select(AccessToken).where(col(AccessToken.owner_id) == owner_id, col(AccessToken.id).in_(ids))
    return {token.id: token for token in (await session.execute(statement)).scalars()}


def listing(owner_id: str) -> Select[AccessToken]:
    """Return the statement of an owner's tokens."""
    return select(AccessToken).where(col(AccessToken.owner_id) == owner_id)


def by_age() -> Order:
    """Return the order of their making, the newest first."""
    return Order(
        "AccessToken",
        (col(AccessToken.created_at), col(AccessToken.id)),
        lambda row: (row.created_at, row.id),
        descending=True,
    )


async def note_uses(session: AsyncSession, uses: Mapping[str, int]) -> None:
    """Write when tokens were last used; times less than a minute behind the last are left out."""
    for token_id, at in uses.items():
        before = or_(col(AccessToken.last_used_at).is_(None), col(AccessToken.last_used_at) < at - USE_WRITTEN_MS)
        statement = update(AccessToken).where(col(AccessToken.id) == token_id, before).values(last_used_at=at)
        await session.execute(statement)
