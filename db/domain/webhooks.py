"""The messages to receivers: the kinds of events, and the JSON that is sent (Standard Webhooks 1.0)."""

from enum import StrEnum

import msgspec

from db.domain.clock import iso
from db.domain.values import JobState


class WebhookEvent(StrEnum):
    """An event that receivers can be told of."""

    JOB_STARTED = "JOB_STARTED"
    JOB_FINISHED = "JOB_FINISHED"
    JOB_FAILED = "JOB_FAILED"
    EXPORT_READY = "EXPORT_READY"
    TRANSCRIPT_REVISED = "TRANSCRIPT_REVISED"
    MEDIA_DELETED = "MEDIA_DELETED"

    @property
    def type(self) -> str:
        """Return its name in the JSON: `job.finished`."""
        return self.lower().replace("_", ".")


class WebhookState(StrEnum):
    """The state of an endpoint."""

    ENABLED = "ENABLED"
    PAUSED = "PAUSED"  # by the server, after it kept failing, or by its owner: what happens is kept for it
    DISABLED = "DISABLED"  # by its owner, or by its answer 410: nothing is kept for it


OF_JOBS = frozenset({WebhookEvent.JOB_STARTED, WebhookEvent.JOB_FINISHED, WebhookEvent.JOB_FAILED})
"""The events that a job's own address is told."""

OF_STATES = {
    JobState.RUNNING: WebhookEvent.JOB_STARTED,
    JobState.SUCCEEDED: WebhookEvent.JOB_FINISHED,
    JobState.PARTIAL: WebhookEvent.JOB_FINISHED,
    JobState.CANCELED: WebhookEvent.JOB_FINISHED,
    JobState.FAILED: WebhookEvent.JOB_FAILED,
}
"""The event that a job's new state is."""


def payload(event: WebhookEvent, at: int, data: dict[str, object]) -> str:
    """Return the JSON that is sent: the very text is kept, since each try must send the same bytes."""
    told = {"type": event.type, "timestamp": iso(at), "data": {k: v for k, v in data.items() if v is not None}}
    return msgspec.json.encode(told).decode()
