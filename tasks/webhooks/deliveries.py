"""Deliveries on the io worker: messages are signed, posted, and tried again for a day and more."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts.keys import CannotOpen
from db.domain.errors import LeaseLost, NotFound
from db.domain.states import Transition
from db.domain.webhooks import WebhookState
from db.queue import background
from db.queue.leases import Lease
from db.webhooks import deliveries, secrets
from db.webhooks.deliveries import Answer
from db.webhooks.tables import WebhookDelivery
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler
from tasks.telemetry import metrics
from tasks.webhooks.schedule import delay_after
from tasks.webhooks.sending import Sent, headers, post

UNSEALED_MS = 60_000
"""The time until a message is tried again that cannot be signed: the operator's fault is not the receiver's."""

DAY_MS = 86_400_000

_log = structlog.get_logger(__name__)


async def _deliver(runtime: Runtime, row: WebhookDelivery, lease: Lease) -> None:
    try:
        target = await _target(runtime, row)
        signers = [runtime.seals.open(sealed) for sealed in target.sealed]
    except NotFound:
        raise LeaseLost("the endpoint was deleted, and its deliveries with it") from None
    except CannotOpen as fault:
        _log.error("webhook.cannot_sign", error=str(fault))
        why, how = "The message could not be signed.", Transition.HAND_BACK
        async with runtime.db.write() as session:
            await background.put_back(session, lease, how, delay_ms=UNSEALED_MS, last_error=why)
        return
    if not target.enabled:
        sent = Sent(Answer(row.last_status, row.last_answer, row.last_error))
    else:
        seconds = runtime.settings.webhook_timeout
        with metrics.timed("graphophone.webhook.duration") as labels:
            sent = await post(runtime.outbound, target.url, row.body, headers(row.id, row.body, signers), seconds)
            labels["outcome"] = "failed" if sent.answer.error else "delivered"
        if not sent.answer.error:
            async with runtime.db.write() as session:
                await deliveries.delivered(session, row, lease, sent.answer)
            _log.info("webhook.delivered", event_type=row.event.type, attempt=row.attempt)
            return
    await _failed(runtime, row, lease, sent)


async def _target(runtime: Runtime, row: WebhookDelivery) -> deliveries.Destination:
    """Return where the message goes and what signs it; the secret of jobs' own addresses is made when none was."""
    async with runtime.db.read() as session:
        found = await deliveries.destination(session, row)
    if not found.sealed:
        holder = row.endpoint_id or row.owner_id
        async with runtime.db.write() as session:
            await secrets.ensure(session, row.owner_id, holder, runtime.seals.seal(secrets.new_secret()))
        async with runtime.db.read() as session:
            found = await deliveries.destination(session, row)
    return found


async def _failed(runtime: Runtime, row: WebhookDelivery, lease: Lease, sent: Sent) -> None:
    """Record that it was not taken: again when the schedule says so, not before the receiver wants it."""
    settings, answer = runtime.settings, sent.answer
    delay = None if answer.status == 410 else delay_after(row.attempt, settings.webhook_schedule)
    wait = None if delay is None else max(delay, sent.spare_seconds)
    async with runtime.db.write() as session:
        state = await deliveries.failed(
            session,
            row,
            lease,
            answer,
            delay_ms=None if wait is None else round(wait * 1000),
            silent_ms=round(sent.spare_seconds * 1000),
            pause_after_ms=round(settings.webhook_pause_days * DAY_MS),
        )
    parked = wait is None or state is not WebhookState.ENABLED
    if parked:
        metrics.add(
            "graphophone.webhooks.parked", reason="given_up" if state is WebhookState.ENABLED else state.lower()
        )
    seconds = None if wait is None else round(wait, 1)
    _log.warning("webhook.failed", error=answer.error, attempt=row.attempt, parked=parked, seconds=seconds)
    if state is not WebhookState.ENABLED:
        metrics.add("graphophone.webhooks.closed", state=state)
        _log.warning("webhook.endpoint_closed", endpoint_id=row.endpoint_id, state=state)


async def _give_up(session: AsyncSession, row: WebhookDelivery, lease: Lease, _error: Exception) -> None:
    answer = Answer(row.last_status, row.last_answer, "It could not be sent; the log has the details.")
    await deliveries.failed(session, row, lease, answer, delay_ms=None, pause_after_ms=1 << 60)


DELIVERIES = Handler(
    table=WebhookDelivery,
    run=_deliver,
    timeout=lambda settings: settings.webhook_timeout + 30,
    give_up=_give_up,
    light=True,
)
