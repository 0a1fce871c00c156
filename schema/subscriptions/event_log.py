"""Recorded events as they are shown: with the jobs, segments and documents that they tell of, as those are now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from db import events, exports, models, transcripts
from db.domain.errors import InvalidInput
from db.domain.values import EventScope
from db.events import Recorded
from db.store.session import Database
from db.transcripts import job_id, segment_id, segments, transcript_id
from schema.base import connections
from schema.base.nodes import known
from schema.base.speakers import speaker_view
from schema.subscriptions import entries
from schema.subscriptions.entries import Event, Subject
from schema.transcripts import corrections
from schema.transcripts.corrections import CorrectionView
from schema.transcripts.segments import SegmentView, views

CURSOR = "Event"

BATCH = 200
"""The number of recorded events that are read at once."""


class Page(NamedTuple):
    """Events, and the number up to which the log was read for them."""

    events: list[Event]
    upto: int


class EventLog:
    """The recorded events of a job, of a transcript, or of everything that an owner has."""

    def __init__(self, db: Database, owner_id: str, subject: Subject) -> None:
        self._db = db
        self._owner_id = owner_id
        self.subject = subject
        self._about = EventScope.TRANSCRIPT if subject.kind == "transcript" else EventScope.JOB
        self._job_id = {"job": subject.id, "transcript": job_id(subject.id)}.get(subject.kind)

    async def head(self) -> tuple[int, dict[str, models.Job]] | None:
        """Return the number of the newest event, and the job as these events leave it, or all jobs that have not ended;
        of a transcript none. None when there is no such thing.
        """
        kind, id_ = self.subject
        async with self._db.read() as session:
            if kind == "viewer":
                newest = await events.last(session, self._owner_id)
                return newest, await events.unfinished(session, self._owner_id)
            if kind == "transcript":
                newest = await events.last(session, self._owner_id, self._job_id, self._about)
                there = known(id_, "trn") and await transcripts.get(session, self._owner_id, id_)
                return (newest, {}) if there else None
            found = await events.head(session, self._owner_id, id_) if known(id_, "job") else None
        return None if found is None else (found[1], {found[0].id: found[0]})

    async def newest(self) -> tuple[int, dict[str, models.Job]] | None:
        """As `head`, but of a viewer's many jobs none, and not None for a transcript that is gone: its last event says
        so.
        """
        if self.subject.kind == "job":
            return await self.head()
        async with self._db.read() as session:
            return await events.last(session, self._owner_id, self._job_id, self._about), {}

    async def check(self, number: int) -> None:
        """Raise CursorExpired when one cannot go on behind this number."""
        async with self._db.read() as session:
            await events.check_cursor(session, self._owner_id, number)

    async def read(self, after: int, upto: int, jobs: Mapping[str, models.Job], size: int = BATCH) -> Page:
        """Return at most `size` events behind `after` up to `upto`. A single job is given; it is as new as they are."""
        async with self._db.read() as session:
            found = await events.after(
                session, self._owner_id, after, job_id=self._job_id, about=self._about, limit=size
            )
            rows = [row for row in found if row.seq <= upto]
            if self.subject.kind == "viewer":
                jobs = await events.jobs_of(session, self._owner_id, rows)
            shown = await shown_with(session, self._owner_id, rows, jobs)
        happened = [event for row in rows if (event := shown.event(row, self.cursor(row.seq))) is not None]
        return Page(happened, min(found[-1].seq, upto) if len(found) == size else upto)

    def cursor(self, number: int) -> str:
        """Return the place behind the event of this number."""
        return connections.encode(CURSOR, self.subject.id, number)

    def place(self, cursor: str) -> int:
        """Return the number that a cursor stands for. Raises InvalidInput."""
        bound, number = connections.decode(cursor, str, int, name=CURSOR, argument="after")
        if bound != self.subject.id or not isinstance(number, int) or number < 0:
            raise InvalidInput("after", "This is not a cursor of these events.")
        return number


async def shown_with(
    session: AsyncSession, owner_id: str, rows: Sequence[Recorded], jobs: Mapping[str, models.Job]
) -> "Shown":
    """Read what recorded events are shown with, by a number of statements that does not depend on theirs."""
    keys: dict[str, set[str]] = {}
    for row in rows:
        if told := _keys(row):
            keys.setdefault(transcript_id(row.job_id), set()).update(told)
    texts = await segments.some(session, owner_id, keys) if keys else []
    by_position = await transcripts.speakers(session, owner_id, list(keys)) if keys else {}
    found: dict[tuple[str, str], SegmentView] = {}
    for id_ in keys:
        of_one = [row for row in texts if row.transcript_id == id_]
        people = [speaker_view(row) for row in by_position[id_]]
        found |= {(id_, row.key): view for row, view in zip(of_one, views(of_one, people), strict=True)}
    revised = [(transcript_id(row.job_id), row.body.revision) for row in rows if isinstance(row.body, events.Corrected)]
    documents = [row.body.export_id for row in rows if isinstance(row.body, events.ExportReported)]
    return Shown(
        jobs=jobs,
        segments=found,
        corrections=await corrections.read(session, owner_id, revised) if revised else {},
        exports=await exports.many(session, owner_id, documents) if documents else {},
    )


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that recorded events tell of, as they are now."""

    jobs: Mapping[str, models.Job]
    segments: Mapping[tuple[str, str], SegmentView]
    corrections: Mapping[tuple[str, int], CorrectionView]
    exports: Mapping[str, models.Export]

    def event(self, row: Recorded, cursor: str) -> Event | None:
        """Return an event as it is shown; None when what it tells of is gone."""
        facts: dict[str, Any] = {"number": row.seq, "cursor": cursor, "at": row.at}
        id_, body = transcript_id(row.job_id), row.body
        if isinstance(body, events.Deleted):
            return entries.Deleted(**facts, deleted_id=row.job_id, transcript_id=id_)
        if isinstance(body, events.ExportReported):
            export = self.exports.get(body.export_id)
            return None if export is None else entries.ExportReported(**facts, export=export)
        if isinstance(body, events.Corrected):
            view = self.corrections.get((id_, body.revision))
            return None if view is None else entries.Corrected(**facts, **msgspec.structs.asdict(view))
        job = self.jobs.get(row.job_id)
        return None if job is None else self._of_job(body, facts | {"job": job})

    def _of_job(
        self,
        body: events.StateChanged
        | events.StageReported
        | events.FactsChanged
        | events.SegmentsAdded
        | events.SegmentsChanged,
        facts: Mapping[str, Any],
    ) -> Event:
        if isinstance(body, events.StateChanged):
            return entries.Moved(**facts, previous_state=body.before, state=body.after)
        if isinstance(body, events.StageReported):
            return entries.Staged(**facts, report=body.report)
        if isinstance(body, events.FactsChanged):
            return entries.Snapshot(**facts)
        id_ = transcript_id(facts["job"].id)
        told = [self.segments[id_, key] for key in body.keys if (id_, key) in self.segments]
        if isinstance(body, events.SegmentsAdded):
            return entries.Appended(**facts, segments=told)
        gone = [segment_id(id_, key) for key in body.removed]
        return entries.Revised(**facts, stage=body.stage, segments=told, removed_ids=gone)


def _keys(row: Recorded) -> Iterable[str]:
    return row.body.keys if isinstance(row.body, events.SegmentsAdded | events.SegmentsChanged) else ()
