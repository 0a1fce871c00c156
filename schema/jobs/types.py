"""Jobs as clients see them."""

from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from db import events as event_rows
from db import jobs, listing, models
from db.domain.values import Options
from db.listing import JobFilter as Filter
from db.transcripts import transcript_id
from schema.base import connections, validation
from schema.base.connections import Connection, ConnectionView, EdgeView
from schema.base.context import Info
from schema.base.enums import ErrorCode, JobOrder, JobState, Stage, StageState, TranscriptionTask
from schema.base.errors import ConflictError, ForbiddenError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import Node, known
from schema.base.scalars import Instant
from schema.jobs import hallucination_rules
from schema.jobs.hallucination_rules import HallucinationRules
from schema.media import Media
from schema.subscriptions import stream
from schema.transcripts.types import After, Before, First, Last, Transcript

if TYPE_CHECKING:
    from schema.jobs.events import JobEvent

Parent = strawberry.Parent[models.Job]


@strawberry.type(description="Something that went wrong with a job, in words a person can act on.")
class Problem:
    """db.domain.values.Problem in the graph."""

    code: ErrorCode = field("For programs: branch on this.")
    message: str = field("What went wrong.")
    stage: Stage | None = field("Where it went wrong.")
    retryable: bool = field("Whether trying again may help.")
    remedy: str | None = field("What to do about it.")


@strawberry.type(description="How one stage of a job is getting on.")
class StageReport:
    """db.domain.values.StageReport in the graph."""

    stage: Stage = field("Which stage.")
    state: StageState = field("Where it stands.")
    progress: float = field("What part of it is done, 0..1.")
    started_at: Instant | None = field("When it began, in the last attempt that ran it.")
    finished_at: Instant | None = field("When it ended.")
    seconds: float | None = field("How long it took, in seconds.")
    problem: Problem | None = field("What went wrong with it.")


def _rules(parent: strawberry.Parent[Options]) -> HallucinationRules:
    return hallucination_rules.view(parent.rules)


@strawberry.type(description="What was asked of a job, defaults filled in.")
class JobOptions:
    """db.domain.values.Options in the graph."""

    model: str = field("The Whisper model; `auto` lets the worker choose.")
    language: str | None = field("What is spoken, as an ISO 639-1 code; null: detect it.")
    task: TranscriptionTask = field("Transcribe or translate.")
    align: bool = field("Whether to find each word's time.")
    diarize: bool = field("Whether to tell the speakers apart.")
    num_speakers: int | None = field("How many speakers there are, exactly.")
    min_speakers: int | None = field("How many speakers there are, at least.")
    max_speakers: int | None = field("How many speakers there are, at most.")
    prompt: str | None = field("Text that tells Whisper of names and style.")
    hotwords: list[str] = field("Words to listen for.")
    rules: HallucinationRules = field("What is done against text that nobody spoke.", _rules)


async def _queue_position(parent: Parent, info: Info) -> int | None:
    return await info.context.load.queue_position.load(parent.id) if parent.state is JobState.QUEUED else None


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
    first: Annotated[int | None, arg("How many from the start, at most 100.")] = 100,
    after: After = None,
) -> ConnectionView:
    """The job's past, in order; its cursors are those of `jobEvents`."""
    context = info.context
    connections.check("first", first, connections.MOST)
    feed = stream.SubscriptionStream(context, parent.id)
    found, more = await feed.past(after, connections.MOST if first is None else first)

    async def count() -> int:
        async with context.db.read() as session:
            return await event_rows.count(session, context.owner_id, parent.id)

    edges = [EdgeView(event.cursor, event) for event in found]
    return connections.connection(edges, count, more=more, less=after is not None)


@strawberry.type(description="One recording to be made into a transcript.")
class Job(Node):
    """db.models.Job in the graph."""

    state: JobState = field("Where it stands.")
    stage: Stage | None = field("The stage that is running.")
    progress: float = field("What part of the whole is done, 0..1; never goes back within an attempt.")
    eta_seconds: float | None = field("How long it will still take, in seconds; null while that is unknown.")
    queue_position: int | None = field(
        "Its place among the viewer's own waiting jobs, 1 = next; null once it runs.", _queue_position
    )
    stages: list[StageReport] = field("Its stages, in order.")
    problems: list[Problem] = field("What went wrong, in the order in which it did.")
    attempt: int = field("How often it was tried, the current try included.")
    media: Media = field("The recording.", _media)
    transcript: Transcript | None = field(
        "There from the first finished segment on.", _transcript, scope="transcripts:read"
    )
    options: JobOptions = field("What was asked.")
    client_metadata: JSON | None = field("The client's own, as it was given.", name="metadata")
    tags: list[str] = field("The client's own labels.")
    priority: int = field("Higher goes first among the owner's own jobs, -10..10.")
    idempotency_key: str | None = field("The key that it was accepted under.")
    correlation_id: strawberry.ID = field("Stands in every log line, span and error of this job.")
    created_at: Instant = field("When it was accepted.")
    started_at: Instant | None = field("When a worker first took it.")
    finished_at: Instant | None = field("When it ended.")
    realtime_factor: float | None = field(
        "Seconds from start to end per second of the recording, once finished.", _realtime_factor
    )
    events: Connection[Annotated["JobEvent", strawberry.lazy("schema.jobs.events")]] = field(
        "What was recorded about it, in order; percentages are not.", _events, scope="transcripts:read"
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Rows stand for this type."""
        return isinstance(value, models.Job)


@strawberry.input(description="Which jobs; what is left out does not count.")
class JobFilter:
    """db.listing.JobFilter in the graph."""

    states: list[JobState] | None = strawberry.field(default=None, description="Jobs in any of these states.")
    created_after: Instant | None = strawberry.field(default=None, description="Accepted at this instant or later.")
    created_before: Instant | None = strawberry.field(default=None, description="Accepted at this instant or earlier.")
    tags: list[str] | None = strawberry.field(default=None, description="Jobs that carry all of these tags.")


async def job(info: Info, id_: Annotated[strawberry.ID, arg("The job's id.", name="id")]) -> models.Job | None:
    """One job, or None."""
    return await info.context.load.job.load(id_) if known(id_, "job") else None


async def job_list(
    info: Info,
    first: First = 20,
    after: After = None,
    last: Last = None,
    before: Before = None,
    wanted: Annotated[JobFilter | None, arg("Which jobs.", name="filter")] = None,
    order_by: Annotated[JobOrder | None, arg("In what order.")] = JobOrder.CREATED_AT_DESC,
) -> ConnectionView:
    """The viewer's jobs."""
    context = info.context
    order = (
        listing.by_end()
        if order_by is JobOrder.FINISHED_AT_DESC
        else listing.by_creation(models.Job, descending=order_by is not JobOrder.CREATED_AT_ASC)
    )
    window = connections.window(order, first=first, after=after, last=last, before=before)
    chosen = wanted or JobFilter()
    filter_ = Filter(
        states=None if chosen.states is None else tuple(chosen.states),
        created_after=chosen.created_after,
        created_before=chosen.created_before,
        tags=validation.texts("filter.tags", chosen.tags or (), validation.TAGS, validation.TAG_CHARS),
    )
    return await connections.paginate(context, listing.jobs(context.owner_id, filter_), order, window)


@strawberry.type(description="The job as the wish to cancel has left it.")
class CancelJobPayload:
    """What cancelJob gives."""

    job: Job = field("The job. A running one is CANCELED as soon as its worker has let go, in seconds.")


CancelJobResult = Annotated[
    CancelJobPayload | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("CancelJobResult", description="What comes of the wish to cancel."),
]


async def cancel_job(info: Info, id_: Annotated[strawberry.ID, arg("The job's id.", name="id")]) -> CancelJobPayload:
    """Cancels a job that has not ended."""
    context = info.context
    async with context.db.write() as session:
        row = await jobs.cancel(session, context.owner_id, id_ if known(id_, "job") else "")
    return CancelJobPayload(job=row)  # type: ignore[arg-type]  # a row stands for the type
