"""Events of jobs, and how a job is watched.

A cursor is the number of a recorded event, bound to the job (or, for everything of a viewer's, to the viewer).
"""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from schema.base.context import Info
from schema.base.enums import JobState, Stage
from schema.base.events import After, Event
from schema.base.fields import arg, field
from schema.base.nodes import StandIn
from schema.jobs.types import Job, StageReport
from schema.subscriptions import entries
from schema.subscriptions.entries import Subject
from schema.subscriptions.stream import SubscriptionStream
from schema.transcripts.segments import Segment


@strawberry.interface(description="Something that happened to a job.")
class JobEvent(Event):
    """The base of all events of jobs."""

    job: Job = field("The job as it was when the event was sent.")


@strawberry.type(description="A job as it stands: when the subscription begins, and after its client has changed it.")
class JobSnapshot(StandIn, JobEvent):
    """entries.Snapshot in the graph."""

    stands_for = entries.Snapshot


@strawberry.type(description="The job went from one state to another.")
class JobStateChanged(StandIn, JobEvent):
    """entries.Moved in the graph."""

    stands_for = entries.Moved

    previous_state: JobState | None = field("The state that it left; null when it was created.")
    state: JobState = field("The state that it entered.")


@strawberry.type(description="A stage began, ended, failed or was skipped.")
class StageChanged(StandIn, JobEvent):
    """entries.Staged in the graph."""

    stands_for = entries.Staged

    report: StageReport = field("The stage as it is now.")


@strawberry.type(description="The job got on. Live only: never replayed, at most four a second.")
class JobProgressed(StandIn, JobEvent):
    """entries.Progressed in the graph."""

    stands_for = entries.Progressed

    stage: Stage = field("The stage that is running.")
    progress: float = field("The part of the whole job that is done, 0..1.")
    stage_progress: float = field("The part of the stage that is done, 0..1.")
    eta_seconds: float | None = field("The time that it will still take, in seconds; null while that is unknown.")


@strawberry.type(description="New segments, sent while Whisper is still running.")
class SegmentsAppended(StandIn, JobEvent):
    """entries.Appended in the graph."""

    stands_for = entries.Appended

    segments: list[Segment] = field("The new segments, as they are now.")


@strawberry.type(description="Segments were revised by a stage: words aligned, speakers assigned.")
class SegmentsRevised(StandIn, JobEvent):
    """entries.Revised in the graph."""

    stands_for = entries.Revised

    stage: Stage = field("The stage that did it.")
    segments: list[Segment] = field("The revised segments, as they are now; parts split off have new ids.")
    removed_ids: list[strawberry.ID] = field("Segments that are no longer there, joined with others.")


@strawberry.type(description="The reader was slow and was spared some live percentages; nothing recorded is left out.")
class JobLagged(StandIn, JobEvent):
    """entries.Lagged in the graph."""

    stands_for = entries.Lagged

    skipped: int = field("The number of percentages that were left out.")


KINDS = (JobSnapshot, JobStateChanged, StageChanged, JobProgressed, SegmentsAppended, SegmentsRevised, JobLagged)


async def job_events(
    info: Info, job_id: Annotated[strawberry.ID, arg("The job.")], after: After = None
) -> AsyncGenerator[entries.Event]:
    """Check what can be checked, then stream. Raises NotFound, InvalidInput and CursorExpired."""
    stream = SubscriptionStream(info.context, Subject("job", job_id))
    await stream.open(after)
    return stream.stream()
