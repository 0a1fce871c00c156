"""Doing a job, or a part of it, again; and doing away with it."""

from typing import Annotated

import msgspec
import strawberry

from db import jobs
from db.domain.errors import InvalidInput, NotFound
from schema.base import validation
from schema.base.context import Info
from schema.base.enums import ChannelMode, Stage
from schema.base.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError, QueueFullError
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.jobs.types import Job

JobId = Annotated[strawberry.ID, arg("The job's id.", name="id")]


@strawberry.type(description="The job, queued again.")
class RetryJobPayload:
    """The result of `retryJob`."""

    job: Job = field("The job. It resumes behind the last finished stage and window.")


RetryJobResult = Annotated[
    RetryJobPayload | NotFoundError | ConflictError | QueueFullError | ForbiddenError,
    strawberry.union("RetryJobResult", description="The result of `retryJob`."),
]


async def retry_job(info: Info, id_: JobId) -> RetryJobPayload:
    """Queue a FAILED, CANCELED or PARTIAL job again."""
    context = info.context
    async with context.db.write() as session:
        row = await jobs.retry(session, context.owner_id, _checked(id_), context.queue_limits)
    return RetryJobPayload(job=row)  # type: ignore[arg-type]  # a row stands for the type


@strawberry.input(description="The stage to do again, and its options.")
class RerunStageInput:
    """The input of `rerunStage`."""

    stage: Stage = field("ALIGN or DIARIZE. ALIGN brings DIARIZE with it: new word times need their speakers anew.")
    num_speakers: int | None = strawberry.field(default=None, description="The exact number of speakers.")
    min_speakers: int | None = strawberry.field(default=None, description="The least number of speakers.")
    max_speakers: int | None = strawberry.field(default=None, description="The greatest number of speakers.")


@strawberry.type(description="The job, queued for the stage.")
class RerunStagePayload:
    """The result of `rerunStage`."""

    job: Job = field("The job. The results of other stages stay.")


RerunStageResult = Annotated[
    RerunStagePayload | InvalidInputError | NotFoundError | ConflictError | QueueFullError | ForbiddenError,
    strawberry.union("RerunStageResult", description="The result of `rerunStage`."),
]


async def rerun_stage(
    info: Info, id_: JobId, data: Annotated[RerunStageInput, arg("The stage and its options.", name="input")]
) -> RerunStagePayload:
    """Queue a finished job for one stage."""
    context = info.context
    if data.stage not in {Stage.ALIGN, Stage.DIARIZE}:
        raise InvalidInput("input.stage", "ALIGN or DIARIZE.")
    job = await context.load.job.load(_checked(id_))
    if job is None:
        raise NotFound("job", id_)
    if data.stage is Stage.DIARIZE and job.options.channels is ChannelMode.SEPARATE:
        raise InvalidInput("input.stage", "Each channel is a speaker of its own; there is nothing to tell apart.")
    wanted = {"align": True} if data.stage is Stage.ALIGN else {"diarize": True}
    options = msgspec.structs.replace(job.options, **wanted)
    if data.stage is Stage.DIARIZE:
        validation.speakers("input", data.num_speakers, data.min_speakers, data.max_speakers)
        options = msgspec.structs.replace(
            options,
            num_speakers=data.num_speakers,
            min_speakers=data.min_speakers,
            max_speakers=data.max_speakers,
        )
    elif any(value is not None for value in (data.num_speakers, data.min_speakers, data.max_speakers)):
        raise InvalidInput("input.stage", "A number of speakers belongs to DIARIZE.")
    async with context.db.write() as session:
        row = await jobs.rerun(
            session, context.owner_id, job.id, data.stage, options=options, limits=context.queue_limits
        )
    return RerunStagePayload(job=row)  # type: ignore[arg-type]  # a row stands for the type


@strawberry.type(description="The job is gone.")
class DeleteJobPayload:
    """The result of `deleteJob`."""

    deleted_id: strawberry.ID = field("The id that it had.")


DeleteJobResult = Annotated[
    DeleteJobPayload | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("DeleteJobResult", description="The result of `deleteJob`."),
]


async def delete_job(info: Info, id_: JobId) -> DeleteJobPayload:
    """Delete a job in any state, with its transcript, exports and, unless another job uses it, its recording."""
    context = info.context
    async with context.db.write() as session:
        await jobs.delete(session, context.owner_id, _checked(id_))
    return DeleteJobPayload(deleted_id=id_)


def _checked(id_: str) -> str:
    if not known(id_, "job"):
        raise NotFound("job", id_)
    return id_
