"""The tables. Every row has an owner; instants are epoch milliseconds; times inside a recording too."""

from hashlib import blake2b
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, ColumnElement, Index, Text, UniqueConstraint, false, true
from sqlmodel import Field, SQLModel

from db.domain.terms import terms
from db.domain.trace import TRACEPARENT
from db.domain.tracks import AudioTrack
from db.domain.values import EventScope, JobState, Options, Problem, Provenance, QualityFlag, Queue, Stage, StageReport
from db.store.base import Row
from db.store.columns import Json, choice
from db.store.indexes import claim_indexes, expiry_index

METADATA = SQLModel.metadata
_OWNER = "owner.id"


class Owner(Row, table=True):
    """Somebody who has recordings.

    `last_event` is the number of the owner's newest event, taken under this row's lock; those up to
    `forgotten_event` are no longer kept.
    """

    id: str = Field(primary_key=True)
    name: str | None = None
    email: str | None = None
    last_event: int = Field(default=0, sa_type=BigInteger)
    forgotten_event: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    created_at: int = Field(sa_type=BigInteger)


class Leased(Row):
    """The base of the tables whose rows are work for a worker: see `db.queue.leases`.

    `queue` names the kind of worker that does it.
    """

    queue: ClassVar[Queue] = "io"

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    state: JobState = Field(default=JobState.QUEUED, sa_type=choice(JobState))
    fence: int = Field(default=0, sa_type=BigInteger)  # counts claims; a write with an older number is a zombie's
    worker: str | None = None
    lease_until: int | None = Field(default=None, sa_type=BigInteger)
    run_after: int = Field(default=0, sa_type=BigInteger)  # not before this instant of the database's clock
    attempt: int = 0  # charged tries
    crashes: int = 0  # leases that ended without a word
    rescued: bool = False  # goes first
    priority: int = 0
    cancel_requested: bool = False
    correlation_id: str
    traceparent: str | None = Field(default_factory=TRACEPARENT.get)  # the request that made it
    created_at: int = Field(sa_type=BigInteger)

    @classmethod
    def may_run(cls) -> ColumnElement[bool]:
        """Return the condition, beside its time, under which a waiting row is claimed; also called on aliases."""
        return true()


class Media(Row, table=True):
    """A recording. `blob_key` is empty once the audio is gone."""

    __table_args__ = (expiry_index("media"), Index("media_by_content", "owner_id", "sha256"))

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER, index=True)
    filename: str
    byte_size: int = Field(sa_type=BigInteger)
    sha256: str
    container: str
    codec: str
    duration_ms: int = Field(sa_type=BigInteger)
    channels: int
    sample_rate: int
    has_video: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    tracks: list[AudioTrack] = Field(  # none of recordings that were taken in before tracks were listed
        default_factory=list, sa_type=Json(list[AudioTrack]), sa_column_kwargs={"server_default": "[]"}
    )
    blob_key: str | None
    created_at: int = Field(sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)


class Job(Leased, table=True):
    """One recording to be made into a transcript."""

    __table_args__ = (
        UniqueConstraint("owner_id", "idempotency_key"),
        *claim_indexes("job"),
        Index("job_by_age", "owner_id", "created_at", "id"),
        Index("job_by_end", "finished_at"),
    )
    queue = "speech"

    media_id: str = Field(foreign_key="media.id", index=True)
    options: Options = Field(sa_type=Json(Options))
    stage: Stage | None = Field(default=None, sa_type=choice(Stage))
    progress: float = 0.0
    eta_seconds: float | None = None
    stages: list[StageReport] = Field(sa_type=Json(list[StageReport]))
    problems: list[Problem] = Field(default_factory=list, sa_type=Json(list[Problem]))
    windows: int = 0  # transcribed and stored windows: a retry goes on behind them
    checkpoints: dict[str, str] = Field(  # blob keys by name
        default_factory=dict, sa_column=Column("kept", Json(dict[str, str]), nullable=False)
    )
    client_metadata: Any = Field(default=None, sa_column=Column("metadata", Json(Any), nullable=True))
    tags: list[str] = Field(default_factory=list, sa_type=Json(list[str]))
    idempotency_key: str | None = None
    input_hash: str = ""
    webhook_url: str | None = None  # that is told what becomes of it
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    finished_at: int | None = Field(default=None, sa_type=BigInteger)


class JobEvent(Row, table=True):
    """Something that happened to a job or to its transcript. `seq` counts without gaps per owner, in the order of the
    commits. The job may be gone: the last event tells so.
    """

    __tablename__ = "job_event"
    __table_args__ = (Index("job_event_of_job", "owner_id", "job_id", "seq"), Index("job_event_by_age", "at"))

    owner_id: str = Field(primary_key=True, foreign_key=_OWNER)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    job_id: str
    about: EventScope = Field(
        default=EventScope.JOB, sa_type=choice(EventScope), sa_column_kwargs={"server_default": "JOB"}
    )
    at: int = Field(sa_type=BigInteger)
    body: str = Field(sa_type=Text)


class Transcript(Row, table=True):
    """The text of a recording. Its id is the job's, with another prefix: one job, one transcript."""

    id: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER, index=True)
    job_id: str = Field(foreign_key="job.id", unique=True, ondelete="CASCADE")
    title: str
    language: str | None = None
    language_confidence: float | None = None
    duration_ms: int = Field(sa_type=BigInteger)
    revision: int = 1
    complete: bool = False
    provenance: Provenance | None = Field(default=None, sa_type=Json(Provenance))
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)


class _SegmentFacts(Row):
    transcript_id: str = Field(primary_key=True, foreign_key="transcript.id", ondelete="CASCADE")
    key: str = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    position: int = 0
    first_word: int = 0
    word_count: int
    start_ms: int = Field(sa_type=BigInteger)
    end_ms: int = Field(sa_type=BigInteger)
    text: str = Field(sa_type=Text)
    words: str = Field(sa_type=Text)
    speaker: int | None = None
    confidence: float | None = None
    flags: list[QualityFlag] = Field(default_factory=list, sa_type=Json(list[QualityFlag]))
    edited: bool = False
    since: int = 1
    language: str | None = None  # that is spoken in it; none: the transcript's


class SegmentRow(_SegmentFacts, table=True):
    """A segment with its words, packed (`db.domain.words`). `position` and `first_word` count from 0 in the
    transcript.
    """

    __tablename__ = "segment"
    __table_args__ = (Index("segment_by_terms_id", "terms_id"),)

    terms: str = Field(default="", sa_type=Text)  # of the text, for search (`db.domain.terms`)
    terms_id: int = Field(default=0, sa_type=BigInteger)  # the row's number in SQLite's index of terms


def terms_id(transcript_id: str, key: str) -> int:
    """Return a number for a segment that stays when the database file is rewritten, as SQLite's own may not."""
    return int.from_bytes(blake2b(f"{transcript_id}/{key}".encode(), digest_size=8).digest()) >> 1


def index_terms(row: SegmentRow) -> SegmentRow:
    """Make a new or changed row findable by its text."""
    row.terms, row.terms_id = terms(row.text), terms_id(row.transcript_id, row.key)
    return row


class PastSegment(_SegmentFacts, table=True):
    """A segment as it was from revision `since` until before revision `until` (`db.transcripts.revisions`)."""

    __tablename__ = "segment_past"

    since: int = Field(primary_key=True)
    until: int


class _SpeakerFacts(Row):
    transcript_id: str = Field(primary_key=True, foreign_key="transcript.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    label: str
    name: str | None = None
    seconds: float
    word_count: int
    since: int = 1


class SpeakerRow(_SpeakerFacts, table=True):
    """A speaker of a transcript; `position` counts from 0 in order of first appearance."""

    __tablename__ = "speaker"


class PastSpeaker(_SpeakerFacts, table=True):
    """A speaker as it was from revision `since` until before revision `until`."""

    __tablename__ = "speaker_past"

    since: int = Field(primary_key=True)
    until: int


class Revision(Row, table=True):
    """A change of a transcript. Number 1 is the machine's own; `author_id` is empty when no person made it."""

    transcript_id: str = Field(primary_key=True, foreign_key="transcript.id", ondelete="CASCADE")
    number: int = Field(primary_key=True)
    owner_id: str = Field(foreign_key=_OWNER)
    summary: str
    author_id: str | None = None
    created_at: int = Field(sa_type=BigInteger)


class Cleanup(Leased, table=True):
    """Files that nothing refers to, to be deleted by the io worker: those that a transaction let go of and, not before
    `run_after`, those that are being written and that no row refers to yet.
    """

    __table_args__ = claim_indexes("cleanup")

    blob_keys: list[str] = Field(sa_type=Json(list[str]))


class Export(Leased, table=True):
    """A document made of a transcript, rendered by the io worker. `request` is what was asked, as canonical JSON.

    `bundle`: all the transcripts of a ZIP, with their revisions; `transcript_id` and `revision` are the first's then.
    """

    __table_args__ = (
        UniqueConstraint("owner_id", "idempotency_key"),
        *claim_indexes("export"),
        expiry_index("export"),
    )

    transcript_id: str = Field(foreign_key="transcript.id", index=True, ondelete="CASCADE")
    revision: int
    format: str
    request: str = Field(sa_type=Text)
    idempotency_key: str
    filename: str
    content_type: str
    byte_size: int | None = Field(default=None, sa_type=BigInteger)
    sha256: str | None = None
    page_count: int | None = None
    bundle: list[tuple[str, int]] | None = Field(default=None, sa_type=Json(list[tuple[str, int]]))
    blob_key: str | None = None
    problem: Problem | None = Field(default=None, sa_type=Json(Problem))
    finished_at: int | None = Field(default=None, sa_type=BigInteger)
    expires_at: int | None = Field(default=None, sa_type=BigInteger)


class Worker(Row, table=True):
    """A process that does the work, as it last reported. It belongs to the instance, not to an owner."""

    id: str = Field(primary_key=True)
    kind: str  # speech or io
    seen_at: int = Field(sa_type=BigInteger)  # by the database's clock
    facts: str = Field(sa_type=Text)
