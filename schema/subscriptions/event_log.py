"""Recorded events as they are shown: with the job and the segments that they tell of, as those are now."""

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from db import events, models, transcripts
from db.domain.errors import InvalidInput
from db.domain.values import JobState, Stage, StageReport
from db.events import (
    Corrected,
    Deleted,
    ExportReported,
    FactsChanged,
    Recorded,
    SegmentsAdded,
    SegmentsChanged,
    StageReported,
    StateChanged,
)
from db.store.session import Database
from db.transcripts import segment_id, segments, transcript_id
from schema.base import connections
from schema.base.nodes import known
from schema.base.speakers import speaker_view
from schema.transcripts.segments import SegmentView, views

CURSOR = "Event"

NOT_SHOWN = (FactsChanged, Corrected, ExportReported, Deleted)

BATCH = 200
"""How many recorded events are read at once."""


class Event(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The base of all events; `number` is that of the last recorded event up to it, `at` is in epoch milliseconds."""

    number: int
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


def event_key(event: Event) -> Hashable | None:
    """Equal for the same event sent to several subscribers; None for what is each subscriber's own."""
    if isinstance(event, Snapshot | Lagged):
        return None
    if isinstance(event, Progressed):
        return (event.job.id, event.job.attempt, event.stage, event.progress, event.stage_progress)
    return event.cursor


class Page(NamedTuple):
    """What happened, and the number up to which the log was read for it."""

    events: list[Event]
    upto: int


class EventLog:
    """What was recorded of one job, or of all of an owner's."""

    def __init__(self, db: Database, owner_id: str, job_id: str | None) -> None:
        self._db = db
        self._owner_id = owner_id
        self._job_id = job_id
        self._bound = job_id or owner_id
        self.of_many = job_id is None

    async def head(self) -> tuple[int, dict[str, models.Job]] | None:
        """The number of the newest event, and the job as these events leave it, or all jobs that have not ended. None
        when there is no such job.
        """
        async with self._db.read() as session:
            if self._job_id is None:
                newest = await events.last(session, self._owner_id)
                return newest, await events.unfinished(session, self._owner_id)
            found = await events.head(session, self._owner_id, self._job_id) if known(self._job_id, "job") else None
        return None if found is None else (found[1], {found[0].id: found[0]})

    async def newest(self) -> tuple[int, dict[str, models.Job]] | None:
        """As `head`, but of an owner's many jobs none."""
        if not self.of_many:
            return await self.head()
        async with self._db.read() as session:
            return await events.last(session, self._owner_id), {}

    async def check(self, number: int) -> None:
        """Raises CursorExpired when one cannot go on behind this number."""
        async with self._db.read() as session:
            await events.check_cursor(session, self._owner_id, number)

    async def read(self, after: int, upto: int, jobs: Mapping[str, models.Job], size: int = BATCH) -> Page:
        """At most `size` events behind `after` up to `upto`. A single job is given; it is as new as they are."""
        owner_id = self._owner_id
        async with self._db.read() as session:
            found = await events.after(session, owner_id, after, job_id=self._job_id, limit=size)
            rows = [row for row in found if row.seq <= upto and not isinstance(row.body, NOT_SHOWN)]
            keys: dict[str, set[str]] = {}
            for row in rows:
                if told := _keys(row):
                    keys.setdefault(transcript_id(row.job_id), set()).update(told)
            texts = await segments.some(session, owner_id, keys) if keys else []
            voices = await transcripts.speakers(session, owner_id, list(keys)) if keys else {}
            jobs = await events.jobs_of(session, owner_id, rows) if self._job_id is None else jobs
        shown: dict[tuple[str, str], SegmentView] = {}
        for id_ in keys:
            of_one = [row for row in texts if row.transcript_id == id_]
            people = [speaker_view(row) for row in voices[id_]]
            shown |= {(id_, row.key): view for row, view in zip(of_one, views(of_one, people), strict=True)}
        happened = [self._event(row, jobs[row.job_id], shown) for row in rows if row.job_id in jobs]
        return Page(happened, min(found[-1].seq, upto) if len(found) == size else upto)

    def _event(self, row: Recorded, job: models.Job, shown: dict[tuple[str, str], SegmentView]) -> Event:
        number, cursor, at, body = row.seq, self.cursor(row.seq), row.at, row.body
        if isinstance(body, StateChanged):
            return Moved(number=number, cursor=cursor, at=at, job=job, before=body.before, after=body.after)
        if isinstance(body, StageReported):
            return Staged(number=number, cursor=cursor, at=at, job=job, report=body.report)
        id_ = transcript_id(job.id)
        told = [shown[id_, key] for key in body.keys if (id_, key) in shown]
        if isinstance(body, SegmentsAdded):
            return Appended(number=number, cursor=cursor, at=at, job=job, segments=told)
        gone = [segment_id(id_, key) for key in body.removed]
        return Revised(number=number, cursor=cursor, at=at, job=job, stage=body.stage, segments=told, removed_ids=gone)

    def cursor(self, number: int) -> str:
        """The place behind the event of this number."""
        return connections.encode(CURSOR, self._bound, number)

    def place(self, cursor: str) -> int:
        """The number that a cursor stands for. Raises InvalidInput."""
        bound, number = connections.decode(cursor, str, int, name=CURSOR, argument="after")
        if bound != self._bound or not isinstance(number, int) or number < 0:
            raise InvalidInput("after", "This is not a cursor of these events.")
        return number


def _keys(row: Recorded) -> Iterable[str]:
    return row.body.keys if isinstance(row.body, SegmentsAdded | SegmentsChanged) else ()
