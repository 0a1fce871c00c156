"""What goes into the pipeline, what comes out of it, and what it asks of a speech engine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from db.values import MediaFacts, Options, Problem, Provenance, Segment, SpeakerLabel, Stage

SAMPLE_RATE = 16_000
"""Samples a second of decoded audio: mono, float32 in -1..1. What Whisper, the aligners and pyannote all expect."""

Waveform = np.ndarray[tuple[int], np.dtype[np.float32]]
Report = Callable[[float], None]
"""Called with the fraction of a stage that is done, 0..1; may raise to stop the work at this point."""


class Turn(msgspec.Struct, frozen=True):
    """One speaker talking, from diarization; seconds. Turns may overlap."""

    start: float
    end: float
    speaker: str


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier attempt already finished and stored, so that it is not done again."""

    stages: tuple[Stage, ...] = ()  # finished (or skipped) stages
    windows: int = 0  # transcribed windows
    language: str | None = None
    language_confidence: float | None = None
    segments: tuple[Segment, ...] = ()  # of all finished windows, as last revised
    speakers: tuple[SpeakerLabel, ...] = ()


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One job for the pipeline. `scratch` is a folder of its own that survives a crash of the child, not of the machine."""

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
    """Segments that replace those with the same keys (words aligned, speakers assigned); new keys are parts split off."""

    stage: Stage
    segments: tuple[Segment, ...]


class SpeakersFound(msgspec.Struct, frozen=True, tag=True):
    """Who speaks in the recording, in order of first appearance."""

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
    | StageFinished
    | StageSkipped
    | StageFailed
    | Completed
    | Failed
)
Emit = Callable[[Update], None]


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of text as the recogniser gives it, up to 30 s long; seconds from the start of the waveform it was given."""

    start: float
    end: float
    text: str
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None


class SpeechEngine(Protocol):
    """The models, as the stages see them. Waveforms are 16 kHz mono; options are this job's and never outlive the call.

    Raises `MemoryError` when the device's memory is spent, `ModelUnavailable` when weights are missing or damaged.
    """

    def voices(self, audio: Waveform) -> list[tuple[float, float]]:
        """Where somebody speaks: (start, end) in seconds, in order, not overlapping (voice activity detection)."""

    def detect_language(self, audio: Waveform) -> tuple[str, float]:
        """The language of up to 30 s of speech, as an ISO 639-1 code, and its probability."""

    def transcribe(
        self, audio: Waveform, speech: Sequence[tuple[float, float]], language: str, options: Options
    ) -> Iterator[Spoken]:
        """The words spoken in each of the given stretches (30 s at most each), in order, as soon as each is known."""

    def align(self, audio: Waveform, segments: Sequence[Segment], language: str, report: Report) -> Sequence[Segment]:
        """The same segments with word times; a language without an aligner raises `ModelUnavailable`."""

    def diarize(self, audio: Waveform, options: Options, report: Report) -> list[Turn]:
        """Who speaks when over the whole recording."""

    def provenance(self, options: Options, language: str | None) -> Provenance:
        """Exact models, device and versions used for such a job."""


class ModelUnavailable(Exception):
    """Weights are missing, damaged or need a licence: `message` says which, `remedy` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class InputFault(Exception):
    """The recording's own fault (not audio, cut short, too long): trying again will not help."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def scratch_file(work: Work, name: str) -> Path:
    """A file in the work's scratch folder."""
    return Path(work.scratch) / name
