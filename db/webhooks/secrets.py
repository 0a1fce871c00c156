"""The secrets that sign messages: shown once, sealed in the database, rotated with both valid for a day."""

import base64
import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.owners import lock_owner
from db.domain.clock import now
from db.webhooks.tables import WebhookSecret

PURPOSE = "webhooks"
"""The purpose that they are sealed for: see `db.accounts.keys.Seals`."""

BOTH_MS = 24 * 3_600_000
"""The time for which the secret before signs, too, after a rotation."""

_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret, as the Standard Webhooks specification writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


async def put(session: AsyncSession, owner_id: str, holder_id: str, sealed: str) -> None:
    """Give an endpoint, or the owner for jobs' own addresses, a secret; the one that it had stays valid for a day."""
    await lock_owner(session, owner_id)
    had = await _of(session, owner_id, holder_id)
    if had is None:
        session.add(WebhookSecret(holder_id=holder_id, owner_id=owner_id, sealed=sealed))
    else:
        had.former, had.former_until, had.sealed = had.sealed, now() + BOTH_MS, sealed
    await session.flush()


async def ensure(session: AsyncSession, owner_id: str, holder_id: str, sealed: str) -> None:
    """Give a secret to a holder that has none: it can be rotated to be seen."""
    await lock_owner(session, owner_id)
    if await _of(session, owner_id, holder_id) is None:
        await put(session, owner_id, holder_id, sealed)


async def live(session: AsyncSession, owner_id: str, holder_id: str) -> list[str]:
    """Return the sealed secrets that sign now, the newest first; none where none was ever given."""
    found = await _of(session, owner_id, holder_id)
    if found is None:
        return []
    former = found.former if found.former and (found.former_until or 0) > now() else None
    return [found.sealed, *([former] if former else [])]


async def remove(session: AsyncSession, owner_id: str, holder_id: str) -> None:
    """Forget a holder's secrets."""
    found = await _of(session, owner_id, holder_id)
    if found is not None:
        await session.delete(found)


async def _of(session: AsyncSession, owner_id: str, holder_id: str) -> WebhookSecret | None:
    mine = (col(WebhookSecret.owner_id) == owner_id, col(WebhookSecret.holder_id) == holder_id)
    return (await session.execute(select(WebhookSecret).where(*mine))).scalar_one_or_none()
