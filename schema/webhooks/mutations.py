"""Endpoints made, changed, tested and deleted; secrets rotated; deliveries replayed."""

from typing import Annotated

import strawberry

from db.domain.webhooks import WebhookEvent, WebhookState
from db.webhooks import deliveries, endpoints, secrets
from schema.base import validation
from schema.base.bounds import at_most
from schema.base.context import Info
from schema.base.errors import ConflictError, ForbiddenError, InvalidInputError, LimitExceededError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.webhooks.types import EVENTS, WebhookDelivery, WebhookEndpoint

Id = Annotated[strawberry.ID, arg("The endpoint's id.", name="id")]


def _endpoint(id_: str) -> str:
    return id_ if known(id_, "whe") else ""


@strawberry.input(description="The endpoint to make.")
class CreateWebhookEndpointInput:
    """The input of `createWebhookEndpoint`."""

    url: str = field(
        "The address to which messages are posted: `https://…`, at most 2000 characters; no private address."
    )
    events: list[WebhookEvent] = field("The events to be told of, at least one.", metadata=at_most(EVENTS))


@strawberry.input(description="Changes of an endpoint; what is left out stays.")
class UpdateWebhookEndpointInput:
    """The input of `updateWebhookEndpoint`."""

    url: str | None = strawberry.field(default=None, description="The address to which messages are posted.")
    events: list[WebhookEvent] | None = strawberry.field(
        default=None, description="The events to be told of, at least one.", metadata=at_most(EVENTS)
    )
    state: WebhookState | None = strawberry.field(
        default=None, description="ENABLED after a pause sends what was kept; DISABLED keeps nothing any more."
    )


@strawberry.type(description="The endpoint, with its new secret.")
class CreateWebhookEndpointPayload:
    """The result of `createWebhookEndpoint` and `rotateWebhookSecret`."""

    webhook_endpoint: WebhookEndpoint = field("The endpoint.")
    secret: str = field("The secret that signs its messages, `whsec_…`. Nobody can see it again.")


CreateWebhookEndpointResult = Annotated[
    CreateWebhookEndpointPayload | InvalidInputError | LimitExceededError | NotFoundError | ForbiddenError,
    strawberry.union(
        "CreateWebhookEndpointResult", description="The result of `createWebhookEndpoint` and `rotateWebhookSecret`."
    ),
]


async def create_webhook_endpoint(
    info: Info, data: Annotated[CreateWebhookEndpointInput, arg("The endpoint to make.", name="input")]
) -> CreateWebhookEndpointPayload:
    """Make an endpoint and its secret."""
    context, checks = info.context, validation.Checks()
    url = checks(validation.address, "input.url", data.url)
    checks(validation.some, "input.events", data.events)
    checks.done()
    secret = secrets.new_secret()
    async with context.db.write() as session:
        made = await endpoints.create(
            session, context.owner_id, url=url, events=data.events, sealed=context.settings.seal(secret)
        )
    return CreateWebhookEndpointPayload(webhook_endpoint=made, secret=secret)  # type: ignore[arg-type]  # a row stands for the type


@strawberry.type(description="The endpoint was changed.")
class UpdateWebhookEndpointPayload:
    """The result of `updateWebhookEndpoint`."""

    webhook_endpoint: WebhookEndpoint = field("The endpoint.")


UpdateWebhookEndpointResult = Annotated[
    UpdateWebhookEndpointPayload | InvalidInputError | NotFoundError | ForbiddenError,
    strawberry.union("UpdateWebhookEndpointResult", description="The result of `updateWebhookEndpoint`."),
]


async def update_webhook_endpoint(
    info: Info, id_: Id, data: Annotated[UpdateWebhookEndpointInput, arg("The changes.", name="input")]
) -> UpdateWebhookEndpointPayload:
    """Change an endpoint's address, events or state."""
    context, checks = info.context, validation.Checks()
    url = None if data.url is None else checks(validation.address, "input.url", data.url)
    if data.events is not None:
        checks(validation.some, "input.events", data.events)
    checks.done()
    async with context.db.write() as session:
        row = await endpoints.change(
            session, context.owner_id, _endpoint(id_), url=url, events=data.events, state=data.state
        )
    return UpdateWebhookEndpointPayload(webhook_endpoint=row)  # type: ignore[arg-type]  # a row stands for the type


async def rotate_webhook_secret(info: Info, id_: Id) -> CreateWebhookEndpointPayload:
    """Give an endpoint another secret; the one before signs, too, for a day."""
    context, secret = info.context, secrets.new_secret()
    async with context.db.write() as session:
        row = await endpoints.rotate(session, context.owner_id, _endpoint(id_), context.settings.seal(secret))
    return CreateWebhookEndpointPayload(webhook_endpoint=row, secret=secret)  # type: ignore[arg-type]  # a row stands for the type


@strawberry.type(description="The secret that signs what is told to jobs' own addresses.")
class RotateJobWebhookSecretPayload:
    """The result of `rotateJobWebhookSecret`."""

    secret: str = field("The secret, `whsec_…`. Nobody can see it again; the one before signs, too, for a day.")


RotateJobWebhookSecretResult = Annotated[
    RotateJobWebhookSecretPayload | ForbiddenError,
    strawberry.union("RotateJobWebhookSecretResult", description="The result of `rotateJobWebhookSecret`."),
]


async def rotate_job_webhook_secret(info: Info) -> RotateJobWebhookSecretPayload:
    """Make the secret of jobs' own addresses, or another one."""
    context, secret = info.context, secrets.new_secret()
    async with context.db.write() as session:
        await secrets.put(session, context.owner_id, context.owner_id, context.settings.seal(secret))
    return RotateJobWebhookSecretPayload(secret=secret)


@strawberry.type(description="The endpoint is gone, with its deliveries.")
class DeleteWebhookEndpointPayload:
    """The result of `deleteWebhookEndpoint`."""

    deleted_id: strawberry.ID = field("The id that it had.")


DeleteWebhookEndpointResult = Annotated[
    DeleteWebhookEndpointPayload | NotFoundError | ForbiddenError,
    strawberry.union("DeleteWebhookEndpointResult", description="The result of `deleteWebhookEndpoint`."),
]


async def delete_webhook_endpoint(info: Info, id_: Id) -> DeleteWebhookEndpointPayload:
    """Delete an endpoint; what is being sent to it may still arrive."""
    async with info.context.db.write() as session:
        await endpoints.delete(session, info.context.owner_id, _endpoint(id_))
    return DeleteWebhookEndpointPayload(deleted_id=id_)


@strawberry.type(description="The message waits to be sent.")
class ReplayWebhookDeliveryPayload:
    """The result of `replayWebhookDelivery` and `testWebhookEndpoint`."""

    delivery: WebhookDelivery = field("The delivery.")


ReplayWebhookDeliveryResult = Annotated[
    ReplayWebhookDeliveryPayload | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union(
        "ReplayWebhookDeliveryResult", description="The result of `replayWebhookDelivery` and `testWebhookEndpoint`."
    ),
]


async def replay_webhook_delivery(
    info: Info, id_: Annotated[strawberry.ID, arg("The delivery's id.", name="id")]
) -> ReplayWebhookDeliveryPayload:
    """Send a message again, with the same id and the same bytes."""
    async with info.context.db.write() as session:
        row = await deliveries.replay(session, info.context.owner_id, id_ if known(id_, "whd") else "")
    return ReplayWebhookDeliveryPayload(delivery=row)  # type: ignore[arg-type]  # a row stands for the type


async def send_test(
    info: Info,
    id_: Id,
    event: Annotated[WebhookEvent | None, arg("The event; the endpoint's first when left out.")] = None,
) -> ReplayWebhookDeliveryPayload:
    """Send an example of an event, whose data is only `{"test": true}`."""
    context = info.context
    async with context.db.write() as session:
        row = await deliveries.test(session, context.owner_id, _endpoint(id_), event, context.correlation_id)
    return ReplayWebhookDeliveryPayload(delivery=row)  # type: ignore[arg-type]  # a row stands for the type
