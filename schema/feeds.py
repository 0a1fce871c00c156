"""A feed of events: what was recorded, in order, then what happens live; no gap and no repeat.

The reader hears of wake-ups before it reads, reads rows in the order of their numbers, and never takes anything but a
percentage from a wake-up.
"""

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from db import events, models, segments
from db.clock import now
from db.errors import CursorExpired, InvalidInput, NotFound
from db.events import Recorded, SegmentsAdded, SegmentsChanged, StageReported, StateChanged
from db.states import TERMINAL
from db.transcripts import segment_id, transcript_id
from db.values import JobState, Stage, StageReport
from schema import pages
from schema.context import Context
from schema.nodes import known
from schema.segments import SegmentView, views
from tasks import live
from tasks.live import Progress

T = TypeVar("T")

BATCH = 200
"""How many recorded events are read at once."""

PROGRESS_SECONDS = 0.25
"""At most four percentages a second for each job."""

CURSOR = "Event"


class Event(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The base of all events; `at` in epoch milliseconds."""

    cursor: str
    at: int
    job: models.Job


class Snapshot(Event, frozen=True, kw_only=True, eq=False):
    """A job as it stands."""


class Moved(Event, frozen=True, kw_only=True, eq=False):
    """A job changed its state."""

    before: JobState | None
    after: JobState


class Staged(Event, frozen=True, kw_only=True, eq=False):
    """A stage changed its state."""

    report: StageReport


class Progressed(Event, frozen=True, kw_only=True, eq=False):
    """A job got on."""

    stage: Stage
    progress: float
    stage_progress: float
    eta_seconds: float | None


class Lagged(Event, frozen=True, kw_only=True, eq=False):
    """The reader was slow."""

    skipped: int


class Appended(Event, frozen=True, kw_only=True, eq=False):
    """New segments."""

    segments: list[SegmentView]


class Revised(Event, frozen=True, kw_only=True, eq=False):
    """Segments changed by a stage."""

    stage: Stage
    segments: list[SegmentView]
    removed_ids: list[str]


class _Page(msgspec.Struct, frozen=True):
    """Recorded events as read, with the jobs and segments that they tell of; `full` when there may be more."""

    rows: list[Recorded]
    full: bool
    jobs: dict[str, models.Job]
    shown: dict[tuple[str, str], SegmentView]


def event_key(event: Event) -> Hashable | None:
    """Equal for the same event sent to several subscribers; None for what is each subscriber's own."""
    if isinstance(event, Snapshot | Lagged):
        return None
    if isinstance(event, Progressed):
        return (event.job.id, event.job.attempt, event.stage, event.progress, event.stage_progress)
    return event.cursor


class Feed:
    """One reader's place in the events of a job, or of all of the viewer's jobs."""

    def __init__(self, context: Context, job_id: str | None) -> None:
        self._context = context
        self._job_id = job_id
        self._seq = 0
        self._jobs: dict[str, models.Job] = {}
        self._latest: dict[str, Progress] = {}
        self._sent: dict[str, tuple[float, float]] = {}  # job -> when, and how far it was
        self.over = False

    async def open(self, after: str | None) -> None:
        """Finds the place to start from. Raises NotFound, InvalidInput and CursorExpired."""
        last = await self._head()
        if last is None:
            raise NotFound("job", self._job_id or "")
        self._seq = last if after is None else self._place(after)
        if self._seq > last:
            raise CursorExpired("This cursor is ahead of all events; subscribe again without one.")
        if after is not None:
            async with self._context.db.read() as session:
                await events.check_cursor(session, self._context.owner_id, self._seq)

    async def past(self, after: str | None, size: int) -> tuple[Sequence[Event], bool]:
        """A page of the past, from the start or behind a cursor, and whether there is more. Raises as `open`."""
        await self.open(after)
        last = await self._head() or 0
        if after is None:
            self._seq = 0
        found = await self.batch(last, size + 1)
        return found[:size], len(found) > size

    async def snapshots(self) -> Sequence[Snapshot]:
        """The job, or all jobs that have not ended, as they stand."""
        if self._job_id is None:
            async with self._context.db.read() as session:
                self._jobs = await events.unfinished(session, self._context.owner_id)
        return [Snapshot(cursor=self._cursor(self._seq), at=now(), job=job) for job in self._jobs.values()]

    async def recorded(self) -> AsyncGenerator[Event]:
        """What was recorded behind the last event, to the end of what is there."""
        while True:
            last = await self._head()
            if last is None:  # deleted
                self.over = True
                return
            for event in await self.batch(last):
                yield event
            if self._seq >= last:
                self.over = self._job_id is not None and self._jobs[self._job_id].state in TERMINAL
                return

    async def batch(self, last: int, size: int = BATCH) -> Sequence[Event]:
        """The next events up to number `last`; their jobs are at least as new as they are."""
        page = await self._asked("page", self._seq, last, size, ask=partial(self._page, self._seq, last, size))
        self._jobs |= page.jobs
        self._seq = page.rows[-1].seq if page.full and page.rows else last
        happened = [self._event(row, page.shown) for row in page.rows if row.job_id in self._jobs]
        if self._job_id is None:  # those that have ended are read again if they move again
            self._jobs = {id_: job for id_, job in self._jobs.items() if job.state not in TERMINAL}
        return happened

    async def _page(self, seq: int, last: int, size: int) -> "_Page":
        context, owner_id = self._context, self._context.owner_id
        context.renew()
        async with context.db.read() as session:
            found = await events.after(session, owner_id, seq, job_id=self._job_id, limit=size)
            rows = [row for row in found if row.seq <= last]
            keys: dict[str, set[str]] = {}
            for row in rows:
                if told := _keys(row):
                    keys.setdefault(transcript_id(row.job_id), set()).update(told)
            texts = await segments.some(session, owner_id, keys) if keys else []
            jobs = await events.jobs_of(session, owner_id, rows) if self._job_id is None else {}
        shown: dict[tuple[str, str], SegmentView] = {}
        for id_ in keys:
            of_one = [row for row in texts if row.transcript_id == id_]
            voices = await context.load.speakers.load(id_) or ()
            shown |= {(id_, row.key): view for row, view in zip(of_one, views(of_one, voices), strict=True)}
        return _Page(rows, full=len(found) == size, jobs=jobs, shown=shown)

    async def _asked(self, *question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Readers that were woken by the same wake-up read the same rows once."""
        context = self._context
        wake_up = context.live.count(context.owner_id)
        return await context.once((context.owner_id, self._job_id, wake_up, *question), ask)

    def lagged(self, tick: live.Lagged) -> Sequence[Lagged]:
        """That percentages of a job were left out; nothing, when it is not one of these jobs."""
        job = self._jobs.get(tick.job_id) if self._job_id in {None, tick.job_id} else None
        return [Lagged(cursor=self._cursor(self._seq), at=now(), job=job, skipped=tick.skipped)] if job else []

    def progressed(self, tick: Progress | None) -> Sequence[Progressed]:
        """The newest percentages, but for jobs of which one was sent just now; those are kept for the next tick."""
        if tick is not None and self._job_id in {None, tick.job_id}:
            self._latest[tick.job_id] = tick
        due = [
            latest
            for job_id, latest in self._latest.items()
            if time.monotonic() - self._sent.get(job_id, (0.0, 0.0))[0] >= PROGRESS_SECONDS
        ]
        for latest in due:
            del self._latest[latest.job_id]
        return [event for latest in due if (event := self._progressed(latest)) is not None]

    def _progressed(self, latest: Progress) -> Progressed | None:
        job = self._jobs.get(latest.job_id)
        reached = self._sent.get(latest.job_id, (0.0, 0.0))[1]
        if job is None or job.state is not JobState.RUNNING or latest.progress < max(reached, job.progress):
            return None
        self._sent[job.id] = (time.monotonic(), latest.progress)
        self._jobs[job.id] = job = _at(job, latest)
        return Progressed(
            cursor=self._cursor(self._seq),
            at=now(),
            job=job,
            stage=latest.stage,
            progress=latest.progress,
            stage_progress=latest.stage_progress,
            eta_seconds=latest.eta_seconds,
        )

    async def _head(self) -> int | None:
        """The number of the newest event; None when there is no such job. A single job is read with it."""
        last, job = await self._asked("head", ask=self._newest)
        if job is not None:
            self._jobs[job.id] = job
        return last

    async def _newest(self) -> tuple[int | None, models.Job | None]:
        async with self._context.db.read() as session:
            if self._job_id is None:
                return await events.last(session, self._context.owner_id), None
            found = (
                await events.head(session, self._context.owner_id, self._job_id) if known(self._job_id, "job") else None
            )
        return (None, None) if found is None else (found[1], found[0])

    def _event(self, row: Recorded, shown: dict[tuple[str, str], SegmentView]) -> Event:
        cursor, at, job, body = self._cursor(row.seq), row.at, self._jobs[row.job_id], row.body
        if isinstance(body, StateChanged):
            self._latest.pop(job.id, None)
            self._sent.pop(job.id, None)
            return Moved(cursor=cursor, at=at, job=job, before=body.before, after=body.after)
        if isinstance(body, StageReported):
            return Staged(cursor=cursor, at=at, job=job, report=body.report)
        id_ = transcript_id(job.id)
        told = [shown[id_, key] for key in body.keys if (id_, key) in shown]
        if isinstance(body, SegmentsAdded):
            return Appended(cursor=cursor, at=at, job=job, segments=told)
        gone = [segment_id(id_, key) for key in body.removed]
        return Revised(cursor=cursor, at=at, job=job, stage=body.stage, segments=told, removed_ids=gone)

    @property
    def _bound(self) -> str:
        return self._job_id or self._context.owner_id

    def _cursor(self, seq: int) -> str:
        return pages.encode(CURSOR, self._bound, seq)

    def _place(self, cursor: str) -> int:
        bound, seq = pages.decode(cursor, str, int, name=CURSOR, argument="after")
        if bound != self._bound or not isinstance(seq, int) or seq < 0:
            raise InvalidInput("after", "This is not a cursor of these events.")
        return seq


def _keys(row: Recorded) -> Iterable[str]:
    return row.body.keys if isinstance(row.body, SegmentsAdded | SegmentsChanged) else ()


def _at(job: models.Job, progress: Progress) -> models.Job:
    """The job's row with what only travels live."""
    changed = models.Job(**{name: getattr(job, name) for name in models.Job.model_fields})
    changed.stage, changed.progress, changed.eta_seconds = progress.stage, progress.progress, progress.eta_seconds
    changed.stages = [
        msgspec.structs.replace(report, progress=progress.stage_progress) if report.stage is progress.stage else report
        for report in job.stages
    ]
    return changed
