"""Receivers of webhooks, and what is told to them."""

from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Any

import strawberry

from db.domain.values import JobState
from db.domain.webhooks import WebhookEvent, WebhookState
from db.webhooks import deliveries, endpoints, tables
from schema.base import connections
from schema.base.connections import Connection, ConnectionView, Listing
from schema.base.context import Info
from schema.base.enums import describe
from schema.base.fields import arg, field
from schema.base.nodes import Node, StandIn
from schema.base.scalars import Instant

EVENTS = len(WebhookEvent)


class DeliveryState(StrEnum):
    """The state of a delivery."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    PARKED = "PARKED"


describe(
    WebhookEvent,
    "An event that receivers can be told of. In the JSON its name is `job.started` and so on.",
    {
        "JOB_STARTED": "A worker has begun a job, or goes on with one after a retry.",
        "JOB_FINISHED": "A job has ended as SUCCEEDED, PARTIAL or CANCELED: see `data.state`.",
        "JOB_FAILED": "A job has failed: see `data.code`.",
        "EXPORT_READY": "A document can be downloaded.",
        "TRANSCRIPT_REVISED": "A transcript was corrected.",
        "MEDIA_DELETED": "A recording's bytes were deleted, or their retention has ended.",
    },
)
describe(
    WebhookState,
    "The state of an endpoint.",
    {
        "ENABLED": "It is told what happens.",
        "PAUSED": "By the server, after it kept failing, or by its owner: what happens is kept for it.",
        "DISABLED": "By its owner, or because it answered 410 Gone: what happens is not kept for it.",
    },
)
describe(
    DeliveryState,
    "The state of a delivery.",
    {
        "PENDING": "Waits for its first or its next attempt.",
        "DELIVERED": "The receiver answered with a status from 200 to 299.",
        "PARKED": "Every attempt has failed, or the endpoint is not enabled: sent again only when replayed, or when"
        " the endpoint is enabled after a pause.",
    },
)

Parent = strawberry.Parent[tables.WebhookDelivery]
_STATES = {
    JobState.QUEUED: DeliveryState.PENDING,
    JobState.RUNNING: DeliveryState.PENDING,
    JobState.SUCCEEDED: DeliveryState.DELIVERED,
}


def _state(parent: Parent) -> DeliveryState:
    return _STATES.get(parent.state, DeliveryState.PARKED)


def _next_attempt_at(parent: Parent) -> int | None:
    return max(parent.run_after, parent.created_at) if parent.state is JobState.QUEUED else None


@strawberry.type(description="A message to a receiver. Its id is the `webhook-id` of every attempt.")
class WebhookDelivery(StandIn, Node):
    """db.webhooks.tables.WebhookDelivery in the graph."""

    stands_for = tables.WebhookDelivery

    event: WebhookEvent = field("The event that it tells of.")
    state: DeliveryState = field("The state.", _state)
    attempt: int = field("The number of attempts up to now, since it was made or replayed.", name="attempts")
    last_status: int | None = field("The HTTP status of the last answer; null when there was none.")
    last_error: str | None = field("The reason for which the last attempt failed.")
    last_answer: str | None = field("The beginning of the last answer's body, at most 1 KiB.")
    next_attempt_at: Instant | None = field(
        "The instant of the next attempt at the earliest; null unless it is PENDING.", _next_attempt_at
    )
    created_at: Instant = field("The instant at which it was made.")


First = Annotated[int | None, arg("The number of entries from the start, at most 100.")]
After = Annotated[str | None, arg("Only what lies behind this cursor.")]

_TO_ENDPOINT = Listing(
    lambda owner_id, id_, _: deliveries.to_endpoint(owner_id, id_), attrgetter("endpoint_id"), deliveries.by_age()
)
_OF_JOB = Listing(lambda owner_id, id_, _: deliveries.of_job(owner_id, id_), attrgetter("subject"), deliveries.by_age())


async def _deliveries(
    parent: strawberry.Parent[tables.WebhookEndpoint], info: Info, first: First = 20, after: After = None
) -> ConnectionView:
    window = connections.window(_TO_ENDPOINT.order, first=first, after=after)
    return await connections.paginate_each(info.context, parent.id, _TO_ENDPOINT, window)


async def deliveries_of_job(
    parent: strawberry.Parent[Any], info: Info, first: First = 20, after: After = None
) -> ConnectionView:
    """Return a page of what receivers are told of a job."""
    window = connections.window(_OF_JOB.order, first=first, after=after)
    return await connections.paginate_each(info.context, parent.id, _OF_JOB, window)


@strawberry.type(description="A receiver of webhooks (Standard Webhooks).")
class WebhookEndpoint(StandIn, Node):
    """db.webhooks.tables.WebhookEndpoint in the graph."""

    stands_for = tables.WebhookEndpoint

    url: str = field("The address to which messages are posted.")
    events: list[WebhookEvent] = field("The events that it is told of.")
    state: WebhookState = field("The state.")
    reason: str | None = field("The reason for which it is not enabled.")
    created_at: Instant = field("The instant at which it was made.")
    deliveries: Connection[WebhookDelivery] = field("The messages to it, the newest first.", _deliveries)


async def webhook_endpoints(info: Info) -> Any:
    """Return the viewer's endpoints."""
    async with info.context.db.read() as session:
        return await endpoints.listing(session, info.context.owner_id)
