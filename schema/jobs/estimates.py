"""A dry run of createJob: everything is checked, nothing is kept."""

from typing import Annotated

import strawberry

from db import jobs
from db.domain.values import Options, WorkerFacts
from db.jobs import usage
from db.queue import workers
from schema.base.context import Info
from schema.base.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    QueueFullError,
    UnsupportedMediaError,
)
from schema.base.fields import arg, field
from schema.jobs import submissions, tracks
from schema.jobs.submissions import CreateJobInput


@strawberry.type(description="The time that such a job would take.")
class EstimatePayload:
    """The result of `estimate`."""

    duration_seconds: float = field("The recording's length in seconds.")
    processing_seconds: float | None = field("The time that the work takes, judged by recent jobs; null: none yet.")
    wait_seconds: float = field(
        "The time that it would wait before that: what waits already, at the pace of recent jobs (real time while "
        "there are none), over the workers that are online (as if one were, while none is)."
    )
    warnings: list[str] = field("Remarks on what would not be as asked for.")


EstimateResult = Annotated[
    EstimatePayload
    | InvalidInputError
    | UnsupportedMediaError
    | LimitExceededError
    | QueueFullError
    | ConflictError
    | NotFoundError
    | ForbiddenError,
    strawberry.union("EstimateResult", description="The result of `estimate`."),
]


async def estimate(
    info: Info, data: Annotated[CreateJobInput, arg("The input that `createJob` would be given.", name="input")]
) -> EstimatePayload:
    """Check as createJob does, a file included, and look at the queue."""
    context = info.context
    wanted = await submissions.checked(context, data)
    async with submissions.recording(context, data.source) as recording:
        tracks.check(wanted.options, recording.row)
        seconds = recording.row.duration_ms / 1000
    async with context.db.read() as session:
        await jobs.check_room(session, context.owner_id, context.queue_limits)
        pace = await usage.pace(session)
        facts = [worker.facts for worker in await workers.online(session) if worker.kind == "speech"]
    work = None if pace.factor is None else seconds * pace.factor
    wait = pace.waiting_ms / 1000 * (1.0 if pace.factor is None else pace.factor) / max(1, len(facts))
    return EstimatePayload(
        duration_seconds=seconds,
        processing_seconds=work,
        wait_seconds=wait,
        warnings=_warnings(facts, wanted.options),
    )


def _warnings(facts: list[WorkerFacts], options: Options) -> list[str]:
    if not facts:
        return ["No speech worker is online: the job would wait."]
    found = []
    aligned = {code for fact in facts for code in fact.alignment_languages}
    if options.align and options.language is not None and options.language not in aligned:
        found.append(f"No aligner for {options.language}: word times would be estimated.")
    told = [fact.diarization for fact in facts if fact.diarization is not None]
    if options.diarize and told and not any(feature.available for feature in told):
        found.append(f"Speakers would not be told apart: {told[0].reason}")
    return found
