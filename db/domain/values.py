"""The values inside rows: words, segments, stages and problems. Pure: neither SQL nor a model library is known here.

Times inside a recording are seconds as float. A confidence is a probability, 0..1.
"""

from enum import StrEnum

import msgspec


class JobState(StrEnum):
    """Where a piece of work stands. The allowed moves are the table in `db.domain.states`."""

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
    TRANSCRIBE = "TRANSCRIBE"
    ALIGN = "ALIGN"
    DIARIZE = "DIARIZE"
    PERSIST = "PERSIST"


class StageState(StrEnum):
    """Where one stage of a job stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


class ErrorCode(StrEnum):
    """Every code that an error or a problem can carry; clients branch on these, never on messages."""

    INVALID_INPUT = "INVALID_INPUT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    UNSUPPORTED_MEDIA = "UNSUPPORTED_MEDIA"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    QUEUE_FULL = "QUEUE_FULL"
    RATE_LIMITED = "RATE_LIMITED"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    SOURCE_UNREACHABLE = "SOURCE_UNREACHABLE"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMED_OUT = "TIMED_OUT"
    UNAVAILABLE = "UNAVAILABLE"
    WORKER_LOST = "WORKER_LOST"
    CANCELED = "CANCELED"
    INTERNAL = "INTERNAL"


class EventScope(StrEnum):
    """Whose followers a recorded event concerns, beside those of everything that its owner has."""

    JOB = "JOB"
    TRANSCRIPT = "TRANSCRIPT"


class WordTiming(StrEnum):
    """Where a word's times come from."""

    ALIGNED = "ALIGNED"
    INTERPOLATED = "INTERPOLATED"
    ESTIMATED = "ESTIMATED"


class QualityFlag(StrEnum):
    """A reason to look at a segment again."""

    LOW_CONFIDENCE = "LOW_CONFIDENCE"
    REPETITION = "REPETITION"
    NO_SPEECH = "NO_SPEECH"
    UNALIGNED = "UNALIGNED"
    OVERLAP = "OVERLAP"


class TranscriptionTask(StrEnum):
    """What Whisper is asked to do."""

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
    """What is done against text that nobody spoke. None (or False) switches a rule off; the defaults are Whisper's own.

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
    """What the client asked of a job. `language` None means: detect it."""

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
    digits are the number of its window. When a segment is split, the first part keeps the key and the others get
    longer ones (`00000012`, then `00000012.01`).
    """

    key: str
    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: int | None = None
    confidence: float | None = None
    flags: tuple[QualityFlag, ...] = ()


class SpeakerLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A voice told apart by diarization: `index` counts from 0 in order of first appearance."""

    index: int
    label: str
    seconds: float
    word_count: int


class MediaFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording is, as probed, never as claimed."""

    container: str
    codec: str
    duration_seconds: float
    channels: int
    sample_rate: int


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What exactly made a transcript: models with revision or hash, device, options, versions, seconds per stage."""

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
    """What a worker can do. `any_model`: other models than those listed can be fetched by name.

    `problems`: why it cannot work at all, its model missing or damaged, say.
    """

    models: tuple[ModelFacts, ...] = ()
    any_model: bool = False
    alignment_languages: tuple[str, ...] = ()
    diarization: FeatureFacts | None = None
    problems: tuple[Problem, ...] = ()
