"""Jobs as clients see them."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.scalars import JSON

from db import jobs, listing, models
from db.domain.values import Options
from db.jobs import usage
from db.listing import JobFilter as Filter
from db.queue import workers
from db.transcripts import transcript_id
from schema.base import connections, validation
from schema.base.bounds import at_most
from schema.base.connections import Connection, ConnectionView
from schema.base.context import Info
from schema.base.enums import ChannelMode, ErrorCode, JobOrder, JobState, Stage, StageState, TranscriptionTask
from schema.base.errors import ConflictError, ForbiddenError, NotFoundError
from schema.base.fields import arg, field, link
from schema.base.nodes import Node, StandIn, known
from schema.base.scalars import Instant
from schema.jobs import hallucination_rules
from schema.jobs.hallucination_rules import HallucinationRules
from schema.media import Media
from schema.subscriptions import past
from schema.transcripts.types import After, Before, First, Last, Transcript
from schema.webhooks.types import deliveries_of_job

Parent = strawberry.Parent[models.Job]


@strawberry.type(description="Something that went wrong with a job, in words a person can act on.")
class Problem:
    """db.domain.values.Problem in the graph."""

    code: ErrorCode = field("The code for programs to branch on.")
    message: str = field("The problem, in words.")
    stage: Stage | None = field("The stage in which it went wrong.")
    retryable: bool = field("True when trying again may help.")
    remedy: str | None = field("The way to mend it.")


@strawberry.type(description="The progress of one stage of a job.")
class StageReport:
    """db.domain.values.StageReport in the graph."""

    stage: Stage = field("The stage.")
    state: StageState = field("The state.")
    progress: float = field("The part of it that is done, 0..1.")
    started_at: Instant | None = field("The instant at which it began, in the last attempt that ran it.")
    finished_at: Instant | None = field("The instant at which it ended.")
    seconds: float | None = field("The time that it took, in seconds.")
    problem: Problem | None = field("The problem with it.")


def _rules(parent: strawberry.Parent[Options]) -> HallucinationRules:
    return hallucination_rules.view(parent.rules)


@strawberry.type(description="The options of a job, defaults filled in.")
class JobOptions:
    """db.domain.values.Options in the graph."""

    model: str = field("The Whisper model; `auto` lets the worker choose.")
    language: str | None = field("The language spoken, as an ISO 639-1 code; null: to be detected.")
    task: TranscriptionTask = field("Transcribe or translate.")
    align: bool = field("Find each word's time.")
    diarize: bool = field("Tell the speakers apart.")
    num_speakers: int | None = field("The exact number of speakers.")
    min_speakers: int | None = field("The least number of speakers.")
    max_speakers: int | None = field("The greatest number of speakers.")
    prompt: str | None = field("Text that tells Whisper of names and style.")
    hotwords: list[str] = field("Words to listen for.")
    beam_size: int = field("Readings that Whisper weighs against each other.")
    chunk_seconds: float = field("The most speech that Whisper hears at once, in seconds.")
    speech_threshold: float = field("The probability from which on a sound is taken for speech.")
    suppress_numerals: bool = field("Write numbers in words.")
    languages: list[str] = field("The only languages that are considered; none: all.")
    track: int | None = field("The audio track, from 0; null: the first with sound.")
    channels: ChannelMode = field("Its channels mixed, or a speaker each.")
    rules: HallucinationRules = field("Filters against text that nobody spoke.", _rules)


async def _queue_position(parent: Parent, info: Info) -> int | None:
    return await info.context.load.queue_position.load(parent.id) if parent.state is JobState.QUEUED else None


async def _starts_in_seconds(parent: Parent, info: Info) -> float | None:
    return await info.context.load.each(_starts_in).load(parent.id) if parent.state is JobState.QUEUED else None


async def _starts_in(session: AsyncSession, owner_id: str, ids: Sequence[str], _arguments: None) -> dict[str, float]:
    """Return when each of these waiting jobs begins, if recent jobs tell how fast work goes and a worker is up."""
    pace = await usage.pace(session)
    up = [worker for worker in await workers.online(session) if worker.kind == "speech"]
    if pace.factor is None or not up:
        return {}
    ahead = await jobs.audio_ahead(session, owner_id, ids)
    return {id_: ms / 1000 * pace.factor / len(up) for id_, ms in ahead.items()}


async def _media(parent: Parent, info: Info) -> models.Media | None:
    return await info.context.load.media.load(parent.media_id)


async def _transcript(parent: Parent, info: Info) -> models.Transcript | None:
    return await info.context.load.transcript.load(transcript_id(parent.id))


async def _realtime_factor(parent: Parent, info: Info) -> float | None:
    media = await info.context.load.media.load(parent.media_id)
    if parent.state not in {JobState.SUCCEEDED, JobState.PARTIAL} or media is None or not media.duration_ms:
        return None
    if parent.started_at is None or parent.finished_at is None:
        return None
    return (parent.finished_at - parent.started_at) / media.duration_ms


async def _events(
    parent: Parent,
    info: Info,
    first: Annotated[int | None, arg("The number of entries from the start, at most 100.")] = 100,
    after: After = None,
) -> ConnectionView:
    """Return the job's past, in order; its cursors are those of `jobEvents`."""
    context = info.context
    connections.check("first", first, connections.MOST)
    return await past.paginate(context, parent, connections.MOST if first is None else first, after)


@strawberry.type(description="One recording to be made into a transcript.")
class Job(StandIn, Node):
    """db.models.Job in the graph."""

    stands_for = models.Job

    state: JobState = field("The state.")
    stage: Stage | None = field("The stage that is running.")
    progress: float = field("The part of the whole that is done, 0..1; it never goes back within an attempt.")
    eta_seconds: float | None = field("The time that it will still take, in seconds; null while that is unknown.")
    queue_position: int | None = field(
        "Its place among the viewer's own waiting jobs, 1 = next; null once it runs.", _queue_position
    )
    starts_in_seconds: float | None = field(
        "The time until it starts, in seconds, as recent jobs and the recordings ahead of it suggest; null once it "
        "runs, and while that is unknown.",
        _starts_in_seconds,
    )
    stages: list[StageReport] = field("Its stages, in order.")
    problems: list[Problem] = field("Problems so far, in the order in which they came.")
    attempt: int = field("The number of tries, the current one included.")
    media: Media = field("The recording.", _media)
    transcript: Transcript | None = field(
        "The transcript, from the first finished segment on.", _transcript, scope="transcripts:read"
    )
    options: JobOptions = field("The options, as asked for.")
    client_metadata: JSON | None = field("The client's own, as it was given.", name="metadata")
    tags: list[str] = field("The client's own labels.")
    priority: int = field("Higher goes first among the owner's own jobs, -10..10.")
    idempotency_key: str | None = field("The key that it was accepted under.")
    correlation_id: strawberry.ID = field("Stands in every log line, span and error of this job.")
    created_at: Instant = field("The instant at which it was accepted.")
    started_at: Instant | None = field("The instant at which a worker first took it.")
    finished_at: Instant | None = field("The instant at which it ended.")
    realtime_factor: float | None = field(
        "Seconds from start to end per second of the recording, once finished.", _realtime_factor
    )
    events: Any = field(
        "Its recorded events, in order; percentages are not recorded.",
        _events,
        scope="transcripts:read",
        graphql_type=link("JobEvent", "schema.jobs.events", Connection),
    )
    webhook_deliveries: Any = field(
        "The messages about it, to its own address and to the account's endpoints, the newest first.",
        deliveries_of_job,
        scope="account",
        graphql_type=link("WebhookDelivery", "schema.webhooks.types", Connection),
    )


@strawberry.input(description="A filter for jobs; what is left out does not count.")
class JobFilter:
    """db.listing.JobFilter in the graph."""

    states: list[JobState] | None = strawberry.field(
        default=None, description="Jobs in any of these states.", metadata=at_most(20)
    )
    created_after: Instant | None = strawberry.field(default=None, description="Accepted at this instant or later.")
    created_before: Instant | None = strawberry.field(default=None, description="Accepted at this instant or earlier.")
    tags: list[str] | None = strawberry.field(
        default=None, description="Jobs that carry all of these tags, at most 50.", metadata=at_most(validation.TAGS)
    )
    media_id: strawberry.ID | None = strawberry.field(default=None, description="Jobs of this recording.")
    language: str | None = strawberry.field(
        default=None, description="Jobs whose transcript is in this language, such as `de`."
    )
    text: str | None = strawberry.field(
        default=None, description="Jobs with this text in the file's name or the transcript's title, in any case."
    )


async def job(info: Info, id_: Annotated[strawberry.ID, arg("The job's id.", name="id")]) -> models.Job | None:
    """One job, or None."""
    return await info.context.load.job.load(id_) if known(id_, "job") else None


async def job_list(
    info: Info,
    first: First = 20,
    after: After = None,
    last: Last = None,
    before: Before = None,
    wanted: Annotated[JobFilter | None, arg("The filter.", name="filter")] = None,
    order_by: Annotated[JobOrder | None, arg("The order.")] = JobOrder.CREATED_AT_DESC,
) -> ConnectionView:
    """Return the viewer's jobs."""
    context = info.context
    order = (
        listing.by_end()
        if order_by is JobOrder.FINISHED_AT_DESC
        else listing.by_creation(models.Job, descending=order_by is not JobOrder.CREATED_AT_ASC)
    )
    window = connections.window(order, first=first, after=after, last=last, before=before)
    chosen, checks = wanted or JobFilter(), validation.Checks()
    filter_ = Filter(
        states=None if chosen.states is None else tuple(chosen.states),
        created_after=chosen.created_after,
        created_before=chosen.created_before,
        tags=checks(validation.texts, "filter.tags", chosen.tags or (), validation.TAG_CHARS),
        media_id=chosen.media_id if chosen.media_id is None or known(chosen.media_id, "med") else "",
        language=chosen.language and checks(validation.language, "filter.language", chosen.language),
        text=chosen.text and checks(validation.text, "filter.text", chosen.text, validation.FILENAME_CHARS),
    )
    checks.done()
    return await connections.paginate(context, listing.jobs(context.owner_id, filter_), order, window)


@strawberry.type(description="The job after the request to cancel it.")
class CancelJobPayload:
    """The result of `cancelJob`."""

    job: Job = field("The job. A running one is CANCELED as soon as its worker has let go, in seconds.")


CancelJobResult = Annotated[
    CancelJobPayload | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("CancelJobResult", description="The result of `cancelJob`."),
]


async def cancel_job(info: Info, id_: Annotated[strawberry.ID, arg("The job's id.", name="id")]) -> CancelJobPayload:
    """Cancel a job that has not ended."""
    context = info.context
    async with context.db.write() as session:
        row = await jobs.cancel(session, context.owner_id, id_ if known(id_, "job") else "")
    return CancelJobPayload(job=row)  # type: ignore[arg-type]  # a row stands for the type
