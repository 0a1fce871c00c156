"""The pipeline's input and output, and what it asks of a speech engine."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from db.domain.values import MediaFacts, Options, Problem, Provenance, Segment, SpeakerLabel, Stage, WorkerFacts
from tasks.pipeline.recording import Recording

Report = Callable[[float], None]
"""Called with the fraction of a stage that is done, 0..1; may raise to stop the work at this point."""


class Turn(msgspec.Struct, frozen=True):
    """One speaker talking, from diarization; seconds. Turns may overlap."""

    start: float
    end: float
    speaker: str


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """The part that an earlier attempt already finished and stored, so that it is not done again."""

    stages: tuple[Stage, ...] = ()  # finished (or skipped) stages
    windows: int = 0  # transcribed windows
    language: str | None = None
    language_confidence: float | None = None
    segments: tuple[Segment, ...] = ()  # of all finished windows, as last revised
    speakers: tuple[SpeakerLabel, ...] = ()


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One job for the pipeline. `scratch` is a folder of its own that survives the child's crash, not the machine's."""

    source: str
    scratch: str
    options: Options
    max_seconds: float
    resume: Resume = Resume()


# ---------------------------------------------------------------- updates, in the order in which they can come


class StageStarted(msgspec.Struct, frozen=True, tag=True):
    """A stage begins."""

    stage: Stage


class Probed(msgspec.Struct, frozen=True, tag=True):
    """The recording's container was opened."""

    facts: MediaFacts


class Progressed(msgspec.Struct, frozen=True, tag=True):
    """A fraction (0..1) of a stage is done. Never goes back within a stage."""

    stage: Stage
    fraction: float


class LanguageDetected(msgspec.Struct, frozen=True, tag=True):
    """The language that will be used, and how sure the detector is (1 when the client said it)."""

    language: str
    confidence: float


class WindowTranscribed(msgspec.Struct, frozen=True, tag=True):
    """New segments, sent while Whisper is still running.

    `window` windows are finished once these are stored; a window's segments may come in several updates, of which
    only the last counts it.
    """

    window: int
    segments: tuple[Segment, ...]


class SegmentsRevised(msgspec.Struct, frozen=True, tag=True):
    """Segments that replace those with the same keys (words aligned, speakers assigned); new keys are parts split off.

    `removed` are keys that are gone: parts that an earlier diarization split off and this one joins again.
    """

    stage: Stage
    segments: tuple[Segment, ...]
    removed: tuple[str, ...] = ()


class CheckpointSaved(msgspec.Struct, frozen=True, tag=True):
    """A file in the scratch folder worth keeping with the job: a later run that finds it there again saves that work.

    `embeddings` lets diarization run again with another speaker count in seconds. Without it, everything still works.
    """

    stage: Stage
    name: str


class SpeakersFound(msgspec.Struct, frozen=True, tag=True):
    """The speakers of the recording, in order of first appearance."""

    speakers: tuple[SpeakerLabel, ...]


class StageFinished(msgspec.Struct, frozen=True, tag=True):
    """A stage is done, after `seconds` of wall clock; `problem` when something about it should be told all the same."""

    stage: Stage
    seconds: float
    problem: Problem | None = None


class StageSkipped(msgspec.Struct, frozen=True, tag=True):
    """A stage that the options switched off, or that has nothing to do."""

    stage: Stage


class StageFailed(msgspec.Struct, frozen=True, tag=True):
    """An optional stage could not be done; the work goes on without it and ends as PARTIAL."""

    stage: Stage
    seconds: float
    problem: Problem


class Completed(msgspec.Struct, frozen=True, tag=True):
    """Everything was done; the last update."""

    provenance: Provenance


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The work cannot be done; the last update. `problem.retryable` tells a passing fault from the input's own."""

    problem: Problem


Update = (
    StageStarted
    | Probed
    | Progressed
    | LanguageDetected
    | WindowTranscribed
    | SegmentsRevised
    | SpeakersFound
    | CheckpointSaved
    | StageFinished
    | StageSkipped
    | StageFailed
    | Completed
    | Failed
)
Emit = Callable[[Update], None]


class Chunk(msgspec.Struct, frozen=True):
    """Up to 30 s of the recording that Whisper hears at once, and the stretches of speech within; seconds.

    `language`: the one spoken in it, where it is not the recording's.
    """

    start: float
    end: float
    speech: tuple[tuple[float, float], ...]
    language: str | None = None

    @property
    def stretches(self) -> tuple[tuple[float, float], ...]:
        """The span in which its words can be: its speech, or anywhere when the voice detector heard none."""
        return self.speech or ((self.start, self.end),)


class Token(msgspec.Struct, frozen=True):
    """A piece of a text that the recogniser wrote at once: where it is in the recording, in seconds, and how likely."""

    text: str
    start: float
    end: float
    probability: float


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a chunk as the recogniser gives it, and what it says about its own reliability.

    `tokens` make up the text, in order; none where the recogniser knows no times.
    """

    chunk: Chunk
    text: str
    tokens: tuple[Token, ...] = ()
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None
    temperature: float = 0.0


class AlignmentSpan(msgspec.Struct, frozen=True):
    """Words that were spoken, in order, somewhere between `start` and `end`; seconds."""

    start: float
    end: float
    words: tuple[str, ...]


class WordSpan(msgspec.Struct, frozen=True):
    """The place of a word in the recording. `certain` is False for one that the aligner could enclose, not spell."""

    start: float
    end: float
    confidence: float
    certain: bool = True


class SpeechEngine(Protocol):
    """The models, as the stages see them. Times are seconds in the recording; options never outlive the call.

    Raises `MemoryError` when the device's memory is spent, `ModelUnavailable` when weights are missing or damaged.
    """

    def check(self, model: str) -> None:
        """Look whether this model is there and whole, without loading it; raises `ModelUnavailable`."""

    def preload(self, model: str) -> None:
        """Load what a job with this model needs, so that none waits for it.

        Raises `ModelUnavailable` only for what no job can do without.
        """

    def load(self, options: Options, stages: Collection[Stage], language: str, report: Report) -> None:
        """Load what these stages of a job need and is not in memory, for words in this language.

        Raises `ModelUnavailable` only for what no transcript comes about without.
        """

    def facts(self, default_model: str) -> WorkerFacts:
        """Return what this engine can do, for `capabilities`."""

    def detect_speech(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
        """Return where somebody speaks: (start, end), at most a chunk each, in order, as soon as each is known."""

    def detect_language(self, recording: Recording, chunk: Chunk, options: Options) -> dict[str, float]:
        """Return the probability of each language in a chunk, by ISO 639-1 code, the likeliest first.

        A model that knows only some leaves it to another one, if there is one here.
        """

    def detect_languages(
        self, recording: Recording, places: Sequence[tuple[float, float]], options: Options
    ) -> list[dict[str, float]]:
        """Return the same for places of some seconds, heard by themselves; less sure, and at a fraction of the cost."""

    def languages(self, options: Options) -> frozenset[str] | None:
        """Return the languages that the job's model knows; None: all that there are."""

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        """Return the words of each chunk, in order, as soon as each is known."""

    def align(
        self, recording: Recording, spans: Sequence[AlignmentSpan], language: str
    ) -> Iterator[Sequence[WordSpan | None]]:
        """For each span, where each of its words is; a language without an aligner raises `ModelUnavailable`."""

    def extract_embeddings(self, recording: Recording, speech: Iterable[tuple[float, float]], report: Report) -> bytes:
        """Return speaker embeddings of the detected speech: the slow part of diarization, which knows no count."""

    def diarize(self, embeddings: bytes, options: Options) -> list[Turn]:
        """Return the turns of the speakers over the whole recording; the number of speakers is as the options say."""

    def provenance(self, options: Options, languages: Collection[str]) -> Provenance:
        """Exact models, device and versions used for such a job."""


class ModelUnavailable(Exception):
    """Weights are missing, damaged or need a licence: `message` says which, `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def scratch_file(work: Work, name: str) -> Path:
    """Return a file in the work's scratch folder."""
    return Path(work.scratch) / name
