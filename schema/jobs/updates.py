"""Changing what belongs to the client after a job was accepted: updateJob."""

from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from db import jobs
from db.domain.errors import InvalidInput, NotFound
from schema.base import validation
from schema.base.bounds import at_most
from schema.base.context import Info
from schema.base.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.jobs.types import Job


@strawberry.input(description="The changes to a job; what is left out stays.")
class UpdateJobInput:
    """The input of `updateJob`."""

    tags: list[str] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The client's own labels: at most 50 of at most 100 characters; null: none.",
        metadata=at_most(validation.TAGS),
    )
    metadata: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="The client's own, at most 16 KiB of JSON; null: none."
    )
    priority: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Higher goes first among the owner's own jobs, -10..10; null: 0. It matters while the job waits.",
    )


@strawberry.type(description="The job with its changes.")
class UpdateJobPayload:
    """The result of `updateJob`."""

    job: Job = field("The job.")


UpdateJobResult = Annotated[
    UpdateJobPayload | InvalidInputError | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("UpdateJobResult", description="The result of `updateJob`."),
]


async def update_job(
    info: Info,
    id_: Annotated[strawberry.ID, arg("The job's id.", name="id")],
    data: Annotated[UpdateJobInput, arg("The changes.", name="input")],
) -> UpdateJobPayload:
    """Change tags, metadata or priority."""
    context = info.context
    checks = validation.Checks()
    values: dict[str, Any] = {}
    if data.tags is not strawberry.UNSET:
        tags = checks(validation.texts, "input.tags", data.tags or (), validation.TAG_CHARS)
        values["tags"] = list(tags or ())
    if data.metadata is not strawberry.UNSET:
        values["client_metadata"] = checks(validation.metadata, "input.metadata", data.metadata)
    if data.priority is not strawberry.UNSET:
        values["priority"] = checks(validation.between, "input.priority", data.priority or 0, -10, 10)
    checks.done()
    if not values:
        raise InvalidInput("input", "Nothing to change.")
    if not known(id_, "job"):
        raise NotFound("job", id_)
    async with context.db.write() as session:
        row = await jobs.update_facts(session, context.owner_id, id_, values)
    return UpdateJobPayload(job=row)  # type: ignore[arg-type]  # a row stands for the type
