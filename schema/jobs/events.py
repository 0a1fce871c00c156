"""What can happen to a job, and how it is watched.

A cursor is the number of a recorded event, bound to the job (or, for all of a viewer's jobs, to the viewer).
"""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from schema.base.context import Context, Info
from schema.base.enums import JobState, Stage
from schema.base.fields import arg, field
from schema.base.scalars import Instant
from schema.jobs.types import Job, StageReport
from schema.subscriptions import event_log
from schema.subscriptions.stream import SubscriptionStream
from schema.transcripts.segments import Segment

After = Annotated[str | None, arg("The cursor of the last event seen (exclusive); from now on when left out.")]


@strawberry.interface(description="Something that happened to a job.")
class JobEvent:
    """The base of all events."""

    cursor: str = field("Of the last recorded event up to this one: resume with it as `after`.")
    at: Instant = field("When it happened.")
    job: Job = field("The job as it was when the event was sent.")


@strawberry.type(description="A job as it stands when the subscription begins.")
class JobSnapshot(JobEvent):
    """Comes first."""

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Snapshot)


@strawberry.type(description="The job went from one state to another.")
class JobStateChanged(JobEvent):
    """event_log.Moved in the graph."""

    before: JobState | None = field("The state that it left; null when it was created.", name="from")
    after: JobState = field("The state that it is in.", name="to")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Moved)


@strawberry.type(description="A stage began, ended, failed or was skipped.")
class StageChanged(JobEvent):
    """event_log.Staged in the graph."""

    report: StageReport = field("The stage as it is now.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Staged)


@strawberry.type(description="The job got on. Live only: never replayed, at most four a second.")
class JobProgressed(JobEvent):
    """event_log.Progressed in the graph."""

    stage: Stage = field("The stage that is running.")
    progress: float = field("What part of the whole job is done, 0..1.")
    stage_progress: float = field("What part of the stage is done, 0..1.")
    eta_seconds: float | None = field("How long it will still take, in seconds; null while that is unknown.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Progressed)


@strawberry.type(description="New segments, sent while Whisper is still running.")
class SegmentsAppended(JobEvent):
    """event_log.Appended in the graph."""

    segments: list[Segment] = field("The new segments, as they are now.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Appended)


@strawberry.type(description="Segments were revised by a stage: words aligned, speakers assigned.")
class SegmentsRevised(JobEvent):
    """event_log.Revised in the graph."""

    stage: Stage = field("The stage that did it.")
    segments: list[Segment] = field("The revised segments, as they are now; parts split off have new ids.")
    removed_ids: list[strawberry.ID] = field("Segments that are no longer there, joined with others.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Revised)


@strawberry.type(description="The reader was slow and was spared some live percentages; nothing recorded is left out.")
class JobLagged(JobEvent):
    """event_log.Lagged in the graph."""

    skipped: int = field("How many percentages were left out.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Structs of `event_log` stand for these types."""
        return isinstance(value, event_log.Lagged)


KINDS = (JobSnapshot, JobStateChanged, StageChanged, JobProgressed, SegmentsAppended, SegmentsRevised, JobLagged)


async def job_events(
    info: Info, job_id: Annotated[strawberry.ID, arg("The job.")], after: After = None
) -> AsyncGenerator[event_log.Event]:
    """Checks what can be checked, then streams. Raises NotFound, InvalidInput and CursorExpired."""
    return await _watch(info.context, job_id, after)


async def viewer_job_events(info: Info, after: After = None) -> AsyncGenerator[event_log.Event]:
    """All of the viewer's jobs. Raises InvalidInput and CursorExpired."""
    return await _watch(info.context, None, after)


async def _watch(context: Context, job_id: str | None, after: str | None) -> AsyncGenerator[event_log.Event]:
    feed = SubscriptionStream(context, job_id)
    await feed.open(after)
    return feed.stream()
