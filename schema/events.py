"""Live events of a job: a snapshot, what was recorded since, then whatever happens; no gap and no repeat.

A cursor is the number of a recorded event, bound to the job. The reader subscribes to wake-ups before it reads, reads
rows in the order of their numbers, and never trusts a wake-up to carry anything but a percentage.
"""

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
import strawberry

from db import events, models, transcripts
from db.clock import now
from db.errors import CursorExpired, InvalidInput, NotFound
from db.events import Recorded, SegmentsAdded, SegmentsChanged, StageReported, StateChanged
from db.states import TERMINAL
from db.transcripts import segment_id, transcript_id
from schema import pages
from schema.context import Context, Info
from schema.enums import JobState, Stage
from schema.fields import arg, field
from schema.jobs import Job, StageReport
from schema.nodes import known
from schema.scalars import Instant
from schema.segments import Segment, SegmentView, views
from tasks.live import Progress

BATCH = 200
"""How many recorded events are read at once."""

PROGRESS_SECONDS = 0.25
"""At most four percentages a second."""

_CURSOR = "Event"


@strawberry.interface(description="Something that happened to a job.")
class JobEvent:
    """The base of all events."""

    cursor: str = field("Of the last recorded event up to this one: resume with it as `after`.")
    at: Instant = field("When it happened.")
    job: Job = field("The job as it was when the event was sent.")


@strawberry.type(description="The job as it stands when the subscription begins.")
class JobSnapshot(JobEvent):
    """Always the first event."""


@strawberry.type(description="The job went from one state to another.")
class JobStateChanged(JobEvent):
    """db.events.StateChanged in the graph."""

    before: JobState | None = field("The state that it left; null when it was created.", name="from")
    after: JobState = field("The state that it is in.", name="to")


@strawberry.type(description="A stage began, ended, failed or was skipped.")
class StageChanged(JobEvent):
    """db.events.StageReported in the graph."""

    report: StageReport = field("The stage as it is now.")


@strawberry.type(description="The job got on. Live only: never replayed, at most four a second.")
class JobProgressed(JobEvent):
    """tasks.live.Progress in the graph."""

    stage: Stage = field("The stage that is running.")
    progress: float = field("What part of the whole job is done, 0..1.")
    stage_progress: float = field("What part of the stage is done, 0..1.")
    eta_seconds: float | None = field("How long it will still take, in seconds; null while that is unknown.")


@strawberry.type(description="New segments, sent while Whisper is still running.")
class SegmentsAppended(JobEvent):
    """db.events.SegmentsAdded in the graph."""

    segments: list[Segment] = field("The new segments, as they are now.")


@strawberry.type(description="Segments were revised by a stage: words aligned, speakers assigned.")
class SegmentsRevised(JobEvent):
    """db.events.SegmentsChanged in the graph."""

    stage: Stage = field("The stage that did it.")
    segments: list[Segment] = field("The revised segments, as they are now; parts split off have new ids.")
    removed_ids: list[strawberry.ID] = field("Segments that are no longer there, joined with others.")


async def job_events(
    info: Info,
    job_id: Annotated[strawberry.ID, arg("The job.")],
    after: Annotated[
        str | None, arg("The cursor of the last event seen (exclusive); from now on when left out.")
    ] = None,
) -> AsyncGenerator[JobEvent, None]:
    """Checks what can be checked, then streams. Raises NotFound, InvalidInput and CursorExpired."""
    context = info.context
    context.require("jobs:read")
    context.require("transcripts:read")
    reader = _Reader(context, job_id)
    await reader.open(after)
    return _stream(context, reader)


async def _stream(context: Context, reader: "_Reader") -> AsyncGenerator[JobEvent, None]:
    async with context.live.subscribe(context.owner_id) as ticks:
        yield await reader.snapshot()
        async with aclosing(reader.recorded()) as recorded:
            async for event in recorded:
                yield event
        while not reader.over:
            tick = await anext(ticks)
            if not isinstance(tick, Progress):
                async with aclosing(reader.recorded()) as recorded:
                    async for event in recorded:
                        yield event
            progress = reader.progressed(tick if isinstance(tick, Progress) else None)
            if progress is not None:
                yield progress


class _Reader:
    """One subscription's place in a job's events."""

    def __init__(self, context: Context, job_id: str) -> None:
        self._context = context
        self._job_id = job_id
        self._seq = 0
        self._job: models.Job
        self._latest: Progress | None = None
        self._sent_at, self._sent = 0.0, 0.0
        self.over = False

    async def open(self, after: str | None) -> None:
        """Finds the place to start from."""
        found = await self._head() if known(self._job_id, "job") else None
        if found is None:
            raise NotFound("job", self._job_id)
        self._job, last = found
        self._seq = last if after is None else _seq(after, self._job_id)
        if self._seq > last:
            raise CursorExpired("This cursor is ahead of the job's events; subscribe again without one.")

    async def snapshot(self) -> JobEvent:
        """The first event."""
        return JobSnapshot(**self._facts(self._seq, now()))

    async def recorded(self) -> AsyncGenerator[JobEvent, None]:
        """What was recorded behind the last event, to the end of what is there."""
        while True:
            found = await self._head()
            if found is None:  # deleted
                self.over = True
                return
            self._job, last = found
            rows, segments = await self._read(last)
            for row in rows:
                self._seq = row.seq
                if isinstance(row.body, StateChanged):
                    self._latest, self._sent = None, 0.0
                yield self._event(row, segments)
            if self._seq >= last:
                self.over = self._job.state in TERMINAL
                return

    def progressed(self, tick: Progress | None) -> JobEvent | None:
        """The newest percentage, unless one was sent just now; then it is kept for the next tick."""
        if tick is not None and tick.job_id == self._job_id:
            self._latest = tick
        latest = self._latest
        if latest is None or time.monotonic() - self._sent_at < PROGRESS_SECONDS:
            return None
        self._latest = None
        if self._job.state is not JobState.RUNNING or latest.progress < self._sent:
            return None
        self._sent_at, self._sent = time.monotonic(), latest.progress
        self._job = _at(self._job, latest)
        return JobProgressed(
            stage=latest.stage,
            progress=latest.progress,
            stage_progress=latest.stage_progress,
            eta_seconds=latest.eta_seconds,
            **self._facts(self._seq, now()),
        )

    async def _head(self) -> tuple[models.Job, int] | None:
        async with self._context.db.read() as session:
            return await events.head(session, self._context.owner_id, self._job_id)

    async def _read(self, last: int) -> tuple[list[Recorded], dict[str, SegmentView]]:
        """A batch of events that are not newer than the job's row, and the segments that they tell of."""
        context, owner_id = self._context, self._context.owner_id
        async with context.db.read() as session:
            rows = await events.after(session, owner_id, self._seq, job_id=self._job_id, limit=BATCH)
            rows = [row for row in rows if row.seq <= last]
            keys = sorted({key for row in rows for key in _keys(row)})
            id_ = transcript_id(self._job_id)
            found = await transcripts.segments(session, owner_id, id_, keys=keys) if keys else []
        context.renew()
        speakers = await context.load.speakers.load(id_) if found else None
        shown = views(found, speakers or ())
        return rows, {row.key: view for row, view in zip(found, shown, strict=True)}

    def _event(self, row: Recorded, segments: dict[str, SegmentView]) -> JobEvent:
        facts = self._facts(row.seq, row.at)
        body = row.body
        if isinstance(body, StateChanged):
            return JobStateChanged(before=body.before, after=body.after, **facts)
        if isinstance(body, StageReported):
            facts["report"] = body.report
            return StageChanged(**facts)
        facts["segments"] = [segments[key] for key in _keys(row) if key in segments]
        if isinstance(body, SegmentsAdded):
            return SegmentsAppended(**facts)
        facts["removed_ids"] = [segment_id(transcript_id(self._job_id), key) for key in body.removed]
        return SegmentsRevised(stage=body.stage, **facts)

    def _facts(self, seq: int, at: int) -> dict[str, Any]:
        return {"cursor": pages.encode(_CURSOR, self._job_id, seq), "at": at, "job": self._job}


def _keys(row: Recorded) -> Iterable[str]:
    return row.body.keys if isinstance(row.body, SegmentsAdded | SegmentsChanged) else ()


def _seq(cursor: str, job_id: str) -> int:
    bound, seq = pages.decode(cursor, str, int, name=_CURSOR, argument="after")
    if bound != job_id or not isinstance(seq, int) or seq < 0:
        raise InvalidInput("after", "This is not a cursor of this job's events.")
    return seq


def _at(job: models.Job, progress: Progress) -> models.Job:
    """The job's row with what only travels live."""
    stages = [
        msgspec.structs.replace(report, progress=progress.stage_progress) if report.stage is progress.stage else report
        for report in job.stages
    ]
    changed = models.Job(**{name: getattr(job, name) for name in models.Job.model_fields})
    changed.stage, changed.progress, changed.eta_seconds = progress.stage, progress.progress, progress.eta_seconds
    changed.stages = stages
    return changed
