"""Events as they are at run time: the graph's event types read their fields off these."""

from collections.abc import Hashable
from typing import Literal, NamedTuple

import msgspec

from db import models
from db.domain.values import JobState, Stage, StageReport
from schema.base.speakers import SpeakerView
from schema.transcripts.segments import SegmentView


class Subject(NamedTuple):
    """The thing that is followed: one job, one transcript, or everything that a viewer (an owner) has."""

    kind: Literal["job", "transcript", "viewer"]
    id: str


class Event(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The base of all events; `number` is that of the last recorded event up to it, `at` is in epoch milliseconds."""

    number: int
    cursor: str
    at: int


class JobEvent(Event, frozen=True, kw_only=True, eq=False):
    """Something that happened to a job."""

    job: models.Job


class Snapshot(JobEvent, frozen=True, kw_only=True, eq=False):
    """A job as it stands."""


class Moved(JobEvent, frozen=True, kw_only=True, eq=False):
    """A job changed its state."""

    previous_state: JobState | None
    state: JobState


class Staged(JobEvent, frozen=True, kw_only=True, eq=False):
    """A stage changed its state."""

    report: StageReport


class Progressed(JobEvent, frozen=True, kw_only=True, eq=False):
    """A job got on."""

    stage: Stage
    progress: float
    stage_progress: float
    eta_seconds: float | None


class Lagged(JobEvent, frozen=True, kw_only=True, eq=False):
    """The reader was slow."""

    skipped: int


class Appended(JobEvent, frozen=True, kw_only=True, eq=False):
    """New segments."""

    segments: list[SegmentView]


class Revised(JobEvent, frozen=True, kw_only=True, eq=False):
    """Segments changed by a stage."""

    stage: Stage
    segments: list[SegmentView]
    removed_ids: list[str]


class Corrected(Event, frozen=True, kw_only=True, eq=False):
    """A transcript has a new revision, or another title or language."""

    transcript: models.Transcript
    revision: models.Revision
    segments: list[SegmentView]
    speakers: list[SpeakerView]
    removed_ids: list[str]


class ExportReported(Event, frozen=True, kw_only=True, eq=False):
    """A document was asked for, is ready or cannot be made."""

    export: models.Export


class Deleted(Event, frozen=True, kw_only=True, eq=False):
    """A job is gone, and its transcript with it."""

    deleted_id: str
    transcript_id: str


def event_key(event: Event) -> Hashable | None:
    """Return what is equal for the same event sent to several subscribers; None for what is each subscriber's own.

    A percentage carries the cursor of the moment in which it is sent, so that is a part of it.
    """
    if isinstance(event, Snapshot | Lagged):
        return None
    if isinstance(event, Progressed):
        return (event.number, event.job.id, event.job.attempt, event.stage, event.progress, event.stage_progress)
    return event.cursor
