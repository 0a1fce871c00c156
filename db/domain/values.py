"""The values inside rows: words, segments, stages and problems. Pure: neither SQL nor a model library is known here.

Times inside a recording are seconds as float. A confidence is a probability, 0..1.
"""

from enum import StrEnum
from typing import Literal, Self

import msgspec

from db.domain.tracks import AudioTrack, ChannelMode

Queue = Literal["speech", "io"]
"""The kinds of workers: those with a speech engine, and those for everything else. Each hears one queue."""


class JobState(StrEnum):
    """The state of a piece of work. The allowed transitions are the table in `db.domain.states`."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class Stage(StrEnum):
    """The stages of a job, in order."""

    FETCH = "FETCH"
    DECODE = "DECODE"
    LOAD = "LOAD"
    TRANSCRIBE = "TRANSCRIBE"
    ALIGN = "ALIGN"
    DIARIZE = "DIARIZE"
    PERSIST = "PERSIST"


class StageState(StrEnum):
    """The state of one stage of a job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


class ErrorCode(StrEnum):
    """Every code that an error or a problem can carry; clients branch on these, never on messages.

    Each carries the HTTP status of an answer that is nothing but this error, the command line's exit code, and a
    sentence for the graph.
    """

    status: int
    exit_code: int
    sentence: str

    def __new__(cls, name: str, status: int, exit_code: int, sentence: str) -> Self:
        """Make a member that compares, and is stored, as its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.status, member.exit_code, member.sentence = status, exit_code, sentence
        return member

    INVALID_INPUT = "INVALID_INPUT", 400, 4, "A value cannot be used: see `field`."
    UNAUTHENTICATED = "UNAUTHENTICATED", 401, 3, "Credentials are missing or not valid."
    FORBIDDEN = "FORBIDDEN", 403, 3, "The credentials lack a scope."
    NOT_FOUND = "NOT_FOUND", 404, 5, "The thing does not exist, or it belongs to somebody else."
    CONFLICT = "CONFLICT", 409, 5, "It exists, but not in a state in which this can be done."
    UNSUPPORTED_MEDIA = "UNSUPPORTED_MEDIA", 415, 4, "The recording cannot be read."
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED", 413, 4, "More than is allowed: size, duration or quota."
    QUEUE_FULL = "QUEUE_FULL", 503, 5, "Too many jobs wait already."
    RATE_LIMITED = "RATE_LIMITED", 429, 5, "Too many requests."
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX", 400, 5, "The query asks for too much at once."
    CURSOR_EXPIRED = "CURSOR_EXPIRED", 410, 5, "The events after this cursor are no longer kept; subscribe without one."
    SOURCE_UNREACHABLE = "SOURCE_UNREACHABLE", 502, 4, "The recording could not be fetched."
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE", 503, 5, "A model is missing, damaged or needs a licence."
    OUT_OF_MEMORY = "OUT_OF_MEMORY", 503, 5, "The device's memory was spent."
    TIMED_OUT = "TIMED_OUT", 504, 5, "It took too long."
    UNAVAILABLE = "UNAVAILABLE", 503, 5, "A part of the installation is away, or its disk is full: try again later."
    WORKER_LOST = "WORKER_LOST", 500, 5, "The worker died while it worked on this."
    CANCELED = "CANCELED", 409, 6, "Canceled by the client."
    INTERNAL = "INTERNAL", 500, 5, "A fault of the server; the log has it under the correlation id."


class EventScope(StrEnum):
    """The object whose followers a recorded event concerns, beside the followers of everything that its owner has."""

    JOB = "JOB"
    TRANSCRIPT = "TRANSCRIPT"


class WordTiming(StrEnum):
    """The source of a word's times."""

    ALIGNED = "ALIGNED"
    INTERPOLATED = "INTERPOLATED"
    ATTENDED = "ATTENDED"
    ESTIMATED = "ESTIMATED"


class QualityFlag(StrEnum):
    """A reason to look at a segment again."""

    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    REPETITION = "REPETITION"
    NO_SPEECH = "NO_SPEECH"
    UNALIGNED = "UNALIGNED"
    MISSING_TEXT = "MISSING_TEXT"
    OVERLAP = "OVERLAP"


class TranscriptionTask(StrEnum):
    """The task that Whisper is given."""

    TRANSCRIBE = "TRANSCRIBE"
    TRANSLATE = "TRANSLATE"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that went wrong with a job, in words a person can act on."""

    code: ErrorCode
    message: str
    stage: Stage | None = None
    retryable: bool = False
    remedy: str | None = None


class StageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a job; instants are epoch milliseconds."""

    stage: Stage
    state: StageState = StageState.PENDING
    progress: float = 0.0
    started_at: int | None = None
    finished_at: int | None = None
    seconds: float | None = None
    problem: Problem | None = None


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The hallucination filters, against text that nobody spoke. None (or False) switches a rule off; the defaults are
    Whisper's own.

    With `voice_detector`, Whisper hears only where somebody speaks. A chunk whose text compresses better than
    `compression_ratio` or is less likely than `log_prob` is recognised again at the next of the `temperatures`. One
    that is both unlikely and more than `no_speech` likely to be no speech at all is dropped. `repetition` flags loops
    of the same words, and cuts those faster than anybody speaks. `silence` flags segments that come to lie where the
    voice detector heard nobody.
    """

    voice_detector: bool = True

    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio: float | None = 2.4
    log_prob: float | None = -1.0
    no_speech: float | None = 0.6
    repetition: bool = True
    silence: bool = True


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options that the client asked for. `language` None means: detect it, among `languages` where any are named.

    `track` None means: the first with sound.

    `speech_threshold` is the probability from which on the voice activity detector takes a sound for speech.
    """

    model: str
    language: str | None = None
    task: TranscriptionTask = TranscriptionTask.TRANSCRIBE
    align: bool = True
    diarize: bool = True
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    rules: Rules = Rules()
    beam_size: int = 5
    chunk_seconds: float = 20.0
    suppress_numerals: bool = False
    speech_threshold: float = 0.5
    track: int | None = None
    channels: ChannelMode = ChannelMode.MIX
    languages: tuple[str, ...] = ()


class Word(msgspec.Struct, frozen=True):
    """A word as written, with its punctuation. `speaker` is the index of its speaker in the transcript; `reviewed`: a
    person has written it or said that it is right.
    """

    text: str
    start: float | None
    end: float | None
    confidence: float | None = None
    timing: WordTiming = WordTiming.ESTIMATED
    speaker: int | None = None
    reviewed: bool = False


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence or a speaker's turn within one.

    `key` is unique in the transcript, sorts in time order and stays while the segment is revised. Its first three
    digits are the number of its window. If a segment is split, the first part keeps the key and the others get
    longer ones (`00000012`, then `00000012.01`). `language` is the one spoken in it; None: the transcript's.
    """

    key: str
    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: int | None = None
    confidence: float | None = None
    flags: tuple[QualityFlag, ...] = ()
    language: str | None = None


class SpeakerLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A voice told apart by diarization: `index` counts from 0 in order of first appearance."""

    index: int
    label: str
    seconds: float
    word_count: int


class MediaFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a recording, as probed, never as claimed; codec, channels and rate are those of the track that is
    taken when none is named.
    """

    container: str
    codec: str
    duration_seconds: float
    channels: int
    sample_rate: int
    has_video: bool = False
    tracks: tuple[AudioTrack, ...] = ()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The exact origin of a transcript: models with revision or hash, device, options, versions, seconds per stage."""

    asr_model: str
    align_model: str | None = None
    diarization_model: str | None = None
    device: str = "cpu"
    compute_type: str = "int8"
    options: Options | None = None
    software: dict[str, str] = msgspec.field(default_factory=dict)
    stage_seconds: dict[str, float] = msgspec.field(default_factory=dict)
    trace_id: str | None = None


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A speech model that a worker can run. `languages` are ISO 639-1 codes."""

    name: str
    languages: tuple[str, ...] = ()
    loaded: bool = False
    default: bool = False


class FeatureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Something optional: whether it works, with what model, and if not, why."""

    available: bool
    reason: str | None = None
    model: str | None = None


class WorkerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The abilities of a worker. `any_model`: other models than those listed can be fetched by name.

    `problems`: why it cannot work at all, its model missing or damaged, say.
    """

    models: tuple[ModelFacts, ...] = ()
    any_model: bool = False
    alignment_languages: tuple[str, ...] = ()
    diarization: FeatureFacts | None = None
    problems: tuple[Problem, ...] = ()
