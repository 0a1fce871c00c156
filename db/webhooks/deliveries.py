"""Deliveries: listed and replayed by their owner; sent, put off and given up by the worker that holds their lease."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import Conflict, NotFound
from db.domain.states import Transition
from db.domain.values import JobState
from db.domain.webhooks import WebhookEvent, WebhookState, payload
from db.queue import background, leases
from db.queue.leases import Lease
from db.store.clock import db_now
from db.store.pages import Order
from db.webhooks import endpoints, outbox, secrets
from db.webhooks.tables import WebhookDelivery, WebhookEndpoint


async def many(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, WebhookDelivery]:
    """Return the owner's deliveries among these ids."""
    mine = select(WebhookDelivery).where(col(WebhookDelivery.owner_id) == owner_id, col(WebhookDelivery.id).in_(ids))
    return {row.id: row for row in (await session.execute(mine)).scalars()}


def to_endpoint(owner_id: str, endpoint_id: str) -> Select[WebhookDelivery]:
    """Return the statement of what is told to an endpoint."""
    mine = select(WebhookDelivery).where(col(WebhookDelivery.owner_id) == owner_id)
    return mine.where(col(WebhookDelivery.endpoint_id) == endpoint_id)


def of_job(owner_id: str, job_id: str) -> Select[WebhookDelivery]:
    """Return the statement of what is told of a job, to whomever."""
    mine = select(WebhookDelivery).where(col(WebhookDelivery.owner_id) == owner_id)
    return mine.where(col(WebhookDelivery.subject) == job_id)


def by_age() -> Order:
    """Return the order of their making, the newest first."""
    columns = (col(WebhookDelivery.created_at), col(WebhookDelivery.id))
    return Order("WebhookDelivery", columns, lambda row: (row.created_at, row.id), descending=True)


async def replay(session: AsyncSession, owner_id: str, delivery_id: str) -> WebhookDelivery:
    """Send a message again, with the same id and the same bytes. Raises NotFound, and Conflict while it is being sent
    or its endpoint is not enabled.
    """
    mine = (col(WebhookDelivery.owner_id) == owner_id, col(WebhookDelivery.id) == delivery_id)
    row = (await session.execute(select(WebhookDelivery).where(*mine).with_for_update())).scalar_one_or_none()
    if row is None:
        raise NotFound("webhook delivery", delivery_id)
    if row.state in {JobState.QUEUED, JobState.RUNNING}:
        raise Conflict("It is still being sent.", {"state": "PENDING"})
    if row.endpoint_id is not None:
        check_enabled(await endpoints.locked(session, owner_id, row.endpoint_id))
    how = Transition.RERUN if row.state is JobState.SUCCEEDED else Transition.RETRY
    fresh = {"attempt": 0, "crashes": 0, "run_after": 0, "cancel_requested": False, "finished_at": None}
    await leases.take_away(session, row, how, **fresh)
    await session.execute(select(WebhookDelivery).where(*mine).execution_options(populate_existing=True))
    background.notify(session, WebhookDelivery, owner_id)
    return row


async def test(
    session: AsyncSession, owner_id: str, endpoint_id: str, event: WebhookEvent | None, correlation_id: str
) -> WebhookDelivery:
    """Send an example of an event, the endpoint's first when none is named. Raises NotFound and Conflict."""
    endpoint = await endpoints.locked(session, owner_id, endpoint_id)
    check_enabled(endpoint)
    event = event or endpoint.events[0]
    body = payload(event, now(), {"test": True})
    row = outbox.delivery(
        endpoint_id,
        endpoint_id=endpoint_id,
        owner_id=owner_id,
        subject="test",
        event=event,
        body=body,
        correlation_id=correlation_id,
    )
    session.add(row)
    await session.flush()
    background.notify(session, WebhookDelivery, owner_id)
    return row


def check_enabled(endpoint: WebhookEndpoint) -> None:
    """Raise Conflict unless messages are sent to the endpoint."""
    if endpoint.state is not WebhookState.ENABLED:
        raise Conflict(f"The endpoint is {endpoint.state}; enable it first.", {"state": endpoint.state})


async def forget(session: AsyncSession, before: int, limit: int = 1000) -> int:
    """Delete deliveries that ended before an instant, at most `limit` at once; return how many."""
    old = select(col(WebhookDelivery.id)).where(col(WebhookDelivery.finished_at) < before).limit(limit)
    gone = delete(WebhookDelivery).where(col(WebhookDelivery.id).in_(old), col(WebhookDelivery.finished_at) < before)
    return len((await session.execute(gone.returning(col(WebhookDelivery.id)))).all())


# ---------------------------------------------------------------- the worker's side, under its lease


class Destination(NamedTuple):
    """An address, the sealed secrets that sign what is sent there, and whether anything is sent at all."""

    url: str
    sealed: list[str]
    enabled: bool = True


class Answer(NamedTuple):
    """An attempt's result: the HTTP status, if there was an answer; the beginning of its body; what went wrong."""

    status: int | None = None
    excerpt: str | None = None
    error: str | None = None


async def destination(session: AsyncSession, row: WebhookDelivery) -> Destination:
    """Return where a claimed message goes. Raises NotFound when its endpoint is gone."""
    if row.endpoint_id is None:
        return Destination(row.url or "", await secrets.live(session, row.owner_id, row.owner_id))
    found = (await endpoints.many(session, row.owner_id, [row.endpoint_id])).get(row.endpoint_id)
    if found is None:
        raise NotFound("webhook endpoint", row.endpoint_id)
    sealed = await secrets.live(session, row.owner_id, found.id)
    return Destination(found.url, sealed, found.state is WebhookState.ENABLED)


async def delivered(session: AsyncSession, row: WebhookDelivery, lease: Lease, answer: Answer) -> None:
    """Record that the receiver has taken the message. Raises LeaseLost."""
    await leases.transition(session, lease, Transition.SUCCEED, finished_at=now(), **_values(answer))
    failing = update(WebhookEndpoint).where(
        col(WebhookEndpoint.owner_id) == lease.owner_id,
        col(WebhookEndpoint.id) == row.endpoint_id,
        col(WebhookEndpoint.failing_since).is_not(None),
    )
    await session.execute(failing.values(failing_since=None))
    _wake_next(session, lease)


async def failed(
    session: AsyncSession,
    row: WebhookDelivery,
    lease: Lease,
    answer: Answer,
    *,
    delay_ms: int | None,
    silent_ms: int = 0,
    pause_after_ms: int,
) -> WebhookState:
    """Record that the receiver has not taken it: again after `delay_ms`, or, without one, never by itself.

    An endpoint that answered 410 is disabled; one of which nothing is heard but failures for `pause_after_ms` is
    paused; one that asked for patience is sent nothing for `silent_ms`. Return the endpoint's state. Raises LeaseLost.
    """
    await leases.write(session, lease, **_values(answer))
    state = WebhookState.ENABLED
    if row.endpoint_id is not None:
        endpoint = await endpoints.locked(session, lease.owner_id, row.endpoint_id)
        if endpoint.state is WebhookState.ENABLED:
            await _judge(session, endpoint, answer, silent_ms, pause_after_ms)
        state = endpoint.state
    if delay_ms is None or state is not WebhookState.ENABLED:
        await leases.transition(session, lease, Transition.FAIL, finished_at=now())
        _wake_next(session, lease)
    else:
        await background.put_back(session, lease, Transition.RETRY_LATER, delay_ms=delay_ms)
    return state


async def _judge(
    session: AsyncSession, endpoint: WebhookEndpoint, answer: Answer, silent_ms: int, pause_after_ms: int
) -> None:
    endpoint.failing_since = endpoint.failing_since or now()
    if answer.status == 410:
        reason = "It answered 410 Gone: nothing is sent there any more."
        await endpoints.close(session, endpoint, WebhookState.DISABLED, reason)
    elif now() - endpoint.failing_since >= pause_after_ms:
        reason = f"Nothing was delivered for {pause_after_ms / 86_400_000:g} days; the last failure: {answer.error}"
        await endpoints.close(session, endpoint, WebhookState.PAUSED, reason)
    await session.flush()
    if silent_ms:
        mine = (col(WebhookEndpoint.owner_id) == endpoint.owner_id, col(WebhookEndpoint.id) == endpoint.id)
        await session.execute(update(WebhookEndpoint).where(*mine).values(silent_until=db_now() + silent_ms))


def _values(answer: Answer) -> dict[str, Any]:
    return {"last_status": answer.status, "last_error": answer.error, "last_answer": answer.excerpt}


def _wake_next(session: AsyncSession, lease: Lease) -> None:
    """Wake a worker for what waited behind this message."""
    background.notify(session, WebhookDelivery, lease.owner_id)
