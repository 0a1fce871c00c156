"""Endpoints: made, changed, paused and deleted by their owner; closed by the server when they fail for days."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.owners import lock_owner
from db.domain.clock import now
from db.domain.errors import LimitExceeded, NotFound
from db.domain.ids import new_id
from db.domain.values import JobState
from db.domain.webhooks import WebhookEvent, WebhookState
from db.queue import background
from db.webhooks import secrets
from db.webhooks.tables import WebhookDelivery, WebhookEndpoint

MOST = 50
"""The number that an owner may have."""


async def create(
    session: AsyncSession, owner_id: str, *, url: str, events: Sequence[WebhookEvent], sealed: str
) -> WebhookEndpoint:
    """Make an endpoint with its secret. Raises LimitExceeded."""
    await lock_owner(session, owner_id)
    have = len(await listing(session, owner_id))
    if have >= MOST:
        raise LimitExceeded("Delete an endpoint first.", limit=MOST, actual=have + 1, unit="endpoints")
    made = WebhookEndpoint(id=new_id("whe"), owner_id=owner_id, url=url, events=list(events), created_at=now())
    session.add(made)
    await session.flush()
    await secrets.put(session, owner_id, made.id, sealed)
    return made


async def listing(session: AsyncSession, owner_id: str) -> Sequence[WebhookEndpoint]:
    """Return the owner's endpoints, the oldest first."""
    mine = select(WebhookEndpoint).where(col(WebhookEndpoint.owner_id) == owner_id)
    ordered = mine.order_by(col(WebhookEndpoint.created_at), col(WebhookEndpoint.id))
    return (await session.execute(ordered)).scalars().all()


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, WebhookEndpoint]:
    """Return the owner's endpoints among these ids."""
    mine = select(WebhookEndpoint).where(col(WebhookEndpoint.owner_id) == owner_id, col(WebhookEndpoint.id).in_(ids))
    return {row.id: row for row in (await session.execute(mine)).scalars()}


async def locked(session: AsyncSession, owner_id: str, endpoint_id: str) -> WebhookEndpoint:
    """Return one endpoint, which nobody else changes meanwhile. Raises NotFound."""
    mine = select(WebhookEndpoint).where(
        col(WebhookEndpoint.owner_id) == owner_id, col(WebhookEndpoint.id) == endpoint_id
    )
    found = (await session.execute(mine.with_for_update())).scalar_one_or_none()
    if found is None:
        raise NotFound("webhook endpoint", endpoint_id)
    return found


async def change(
    session: AsyncSession,
    owner_id: str,
    endpoint_id: str,
    *,
    url: str | None,
    events: Sequence[WebhookEvent] | None,
    state: WebhookState | None,
) -> WebhookEndpoint:
    """Change what is given. One that is enabled after a pause is sent what was kept for it. Raises NotFound."""
    found = await locked(session, owner_id, endpoint_id)
    if url is not None and url != found.url:
        found.url, found.failing_since, found.silent_until = url, None, 0
    if events is not None:
        found.events = list(events)
    if state is WebhookState.ENABLED and found.state is not state:
        await _open(session, found)
    elif state is not None and state is not found.state:
        await close(session, found, state, f"{state.value.capitalize()} by its owner.")
    await session.flush()
    return found


async def rotate(session: AsyncSession, owner_id: str, endpoint_id: str, sealed: str) -> WebhookEndpoint:
    """Give an endpoint another secret; the one before signs, too, for a day. Raises NotFound."""
    found = await locked(session, owner_id, endpoint_id)
    await secrets.put(session, owner_id, endpoint_id, sealed)
    return found


async def delete(session: AsyncSession, owner_id: str, endpoint_id: str) -> None:
    """Delete an endpoint with its deliveries. Raises NotFound."""
    mine = (col(WebhookEndpoint.owner_id) == owner_id, col(WebhookEndpoint.id) == endpoint_id)
    gone = sql_delete(WebhookEndpoint).where(*mine).returning(col(WebhookEndpoint.id))
    if (await session.execute(gone)).first() is None:
        raise NotFound("webhook endpoint", endpoint_id)
    await secrets.remove(session, owner_id, endpoint_id)


async def close(session: AsyncSession, endpoint: WebhookEndpoint, state: WebhookState, reason: str) -> None:
    """Send a locked endpoint nothing more, and park what waits for it."""
    endpoint.state, endpoint.reason, endpoint.closed_at = state, reason, now()
    await session.flush()
    waiting = _of(endpoint).where(col(WebhookDelivery.state) == JobState.QUEUED)
    parked: dict[str, Any] = {"state": JobState.FAILED, "finished_at": endpoint.closed_at}
    await session.execute(waiting.values(**parked, last_error=func.coalesce(col(WebhookDelivery.last_error), reason)))


async def _open(session: AsyncSession, endpoint: WebhookEndpoint) -> None:
    """Enable an endpoint. All that was parked since its pause began is sent."""
    if endpoint.state is WebhookState.PAUSED:
        kept = _of(endpoint).where(
            col(WebhookDelivery.state) == JobState.FAILED,
            col(WebhookDelivery.finished_at) >= (endpoint.closed_at or 0),
        )
        await session.execute(kept.values(state=JobState.QUEUED, attempt=0, crashes=0, run_after=0, finished_at=None))
        background.notify(session, WebhookDelivery, endpoint.owner_id)
    endpoint.state, endpoint.reason, endpoint.closed_at = WebhookState.ENABLED, None, None
    endpoint.failing_since, endpoint.silent_until = None, 0


def _of(endpoint: WebhookEndpoint) -> Any:
    return update(WebhookDelivery).where(
        col(WebhookDelivery.owner_id) == endpoint.owner_id, col(WebhookDelivery.endpoint_id) == endpoint.id
    )
