"""The outbox: deliveries are recorded in the transaction of the event that they tell of, for whoever wants it told."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import and_, bindparam, insert, or_, select

from db.domain.clock import now
from db.domain.ids import new_id
from db.domain.trace import TRACEPARENT
from db.domain.values import JobState
from db.domain.webhooks import OF_JOBS, WebhookEvent, WebhookState, payload
from db.models import Export, Job
from db.store.base import table_of
from db.store.notifications import Notification
from db.store.transactions import Execute, Transaction, Verb, fields_of
from db.webhooks.tables import WebhookDelivery, WebhookEndpoint

PAUSED = "The endpoint is paused."

_ENDPOINTS, _JOBS, _EXPORTS = table_of(WebhookEndpoint), table_of(Job), table_of(Export)
_INSERT = insert(table_of(WebhookDelivery))
_FIELDS = [(column.key, field) for field, column in fields_of(WebhookDelivery)]
_WANTS = _ENDPOINTS.c.state != WebhookState.DISABLED
_OF_OWNER = select(_ENDPOINTS.c.id, _ENDPOINTS.c.events, _ENDPOINTS.c.state).where(
    _ENDPOINTS.c.owner_id == bindparam("owner"), _WANTS
)
_OF_JOB = (
    select(
        _ENDPOINTS.c.id,
        _ENDPOINTS.c.events,
        _ENDPOINTS.c.state,
        _JOBS.c.webhook_url,
        _JOBS.c.media_id,
        _JOBS.c.state,
        _JOBS.c.problems,
        _JOBS.c.correlation_id,
        _JOBS.c.traceparent,
    )
    .select_from(_JOBS.outerjoin(_ENDPOINTS, and_(_ENDPOINTS.c.owner_id == _JOBS.c.owner_id, _WANTS)))
    .where(
        _JOBS.c.owner_id == bindparam("owner"),
        _JOBS.c.id == bindparam("job"),
        or_(_JOBS.c.webhook_url.is_not(None), _ENDPOINTS.c.id.is_not(None)),
    )
)
_EXPORT = select(
    _EXPORTS.c.state, _EXPORTS.c.transcript_id, _EXPORTS.c.format, _EXPORTS.c.byte_size, _EXPORTS.c.sha256
).where(_EXPORTS.c.owner_id == bindparam("owner"), _EXPORTS.c.id == bindparam("export"))


def tell_of_job(
    owner_id: str, job_id: str, seq: int, event: WebhookEvent, facts: Mapping[str, object]
) -> Transaction[None]:
    """Record what receivers are to be told of a job, of its transcript or of an export; `seq` is the event's number."""
    rows = yield Execute(_OF_JOB, {"owner": owner_id, "job": job_id})
    endpoints = [(id_, state) for id_, events, state, *_ in rows if id_ is not None and event in events]
    own = rows[0][3] if rows and event in OF_JOBS else None
    if not endpoints and own is None:
        return
    media_id, state, problems, correlation_id, traceparent = rows[0][4:]
    transcript: str | None = f"trn_{job_id.partition('_')[2]}"
    if event is WebhookEvent.EXPORT_READY:
        found = yield from _export(owner_id, str(facts["exportId"]))
        if found is None:
            return
        facts = {**facts, **found}
    elif event in OF_JOBS:
        code = problems[-1].code if event is WebhookEvent.JOB_FAILED and problems else None
        facts = {**facts, "mediaId": media_id, "state": state, "code": code}
        transcript = transcript if state in {JobState.SUCCEEDED, JobState.PARTIAL} else None
    body = payload(event, now(), {"jobId": job_id, "transcriptId": transcript, **facts})
    common: dict[str, Any] = {
        "owner_id": owner_id, "subject": job_id, "number": seq, "event": event, "body": body,
        "correlation_id": correlation_id, "traceparent": TRACEPARENT.get() or traceparent,
    }  # fmt: skip
    yield from _record(endpoints, own, common)


def _export(owner_id: str, export_id: str) -> Transaction[dict[str, object] | None]:
    """Return what is told of a document that is ready; None for one that is not."""
    rows = yield Execute(_EXPORT, {"owner": owner_id, "export": export_id})
    if not rows or rows[0][0] != JobState.SUCCEEDED:
        return None
    _, transcript, format_, size, sha256 = rows[0]
    return {"transcriptId": transcript, "format": format_, "byteSize": size, "sha256": sha256}


@Verb
def tell_of_media(owner_id: str, media_id: str) -> Transaction[None]:
    """Record that receivers are to be told that a recording's bytes are gone."""
    event = WebhookEvent.MEDIA_DELETED
    rows = yield Execute(_OF_OWNER, {"owner": owner_id})
    endpoints = [(id_, state) for id_, events, state in rows if event in events]
    body = payload(event, now(), {"mediaId": media_id})
    common = {"owner_id": owner_id, "subject": media_id, "event": event, "body": body, "correlation_id": ""}
    yield from _record(endpoints, None, common)


def _record(
    endpoints: Sequence[tuple[str, WebhookState]], own: str | None, common: Mapping[str, Any]
) -> Transaction[None]:
    made = [delivery(id_, endpoint_id=id_, **common) for id_, _ in endpoints]
    for row, (_, state) in zip(made, endpoints, strict=True):
        if state is WebhookState.PAUSED:  # kept until it is enabled again
            row.state, row.last_error, row.finished_at = JobState.FAILED, PAUSED, now()
    made += [] if own is None else [delivery(_origin(own), url=own, **common)]
    for row in made:
        yield Execute(_INSERT, {column: getattr(row, field) for column, field in _FIELDS})
    if made:
        yield Notification(WebhookDelivery.queue, made[0].owner_id)


def delivery(destination: str, **values: Any) -> WebhookDelivery:
    """Return a message that waits; its id is the message's, the same at every try."""
    return WebhookDelivery(id=new_id("whd"), destination=destination, created_at=now(), **values)


def _origin(url: str) -> str:
    found = urlsplit(url)
    return f"{found.scheme}://{found.netloc}"
