"""The product on one screen: a recording becomes a transcript, stage by stage.

    DECODE      anything FFmpeg reads to samples on disk           decode.py
    TRANSCRIBE  who would know what was said: Whisper              detect.py, transcribe.py, rules.py, sentences.py
    ALIGN       when each word was said                            align.py
    DIARIZE     who said it                                        diarize.py

The models are behind `SpeechEngine` (whisperx.py); the rest knows neither torch, Dramatiq nor SQL.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from db.values import ErrorCode, Problem, Segment, Stage, TranscriptionTask
from tasks.pipeline.align import align
from tasks.pipeline.decode import decode
from tasks.pipeline.diarize import diarize
from tasks.pipeline.recording import Recording
from tasks.pipeline.transcribe import transcribe, written
from tasks.pipeline.types import (
    Completed,
    Emit,
    Failed,
    InputFault,
    ModelUnavailable,
    Probed,
    Progressed,
    SpeechEngine,
    StageFailed,
    StageFinished,
    StageSkipped,
    StageStarted,
    Update,
    Work,
    scratch_file,
)

log = logging.getLogger(__name__)


def run(work: Work, engine: SpeechEngine, emit: Emit) -> None:
    """Do the work, telling `emit` of everything as it becomes known. Whatever `emit` raises stops it at that point."""
    job = _Job(work, engine, emit)
    try:
        job.run()
    except (InputFault, ModelUnavailable, MemoryError) as fault:
        if job.stopped:
            raise
        emit(Failed(problem=_problem(fault, job.stage)))


class _Job:
    def __init__(self, work: Work, engine: SpeechEngine, emit: Emit) -> None:
        self.work, self.engine = work, engine
        self.tell = emit
        self.stopped = False
        self.stage = Stage.DECODE
        self.seconds: dict[str, float] = {}
        self.language = work.resume.language
        self.segments: list[Segment] = list(work.resume.segments)

    def emit(self, update: Update) -> None:
        """Tell an update; an exception here is a wish to stop, not a stage's failure."""
        try:
            self.tell(update)
        except BaseException:
            self.stopped = True
            raise

    def run(self) -> None:
        """The stages in order."""
        options = self.work.options
        recording = self._decoded()
        self._stage(Stage.TRANSCRIBE, lambda: self._transcribe(recording))
        # A translation is not what is heard, so there is nothing to align it with.
        spoken = options.task is TranscriptionTask.TRANSCRIBE
        self._optional(Stage.ALIGN, lambda: self._align(recording), wanted=options.align and spoken)
        self._optional(Stage.DIARIZE, lambda: self._diarize(recording), wanted=options.diarize)
        provenance = self.engine.provenance(options, self.language)
        self.emit(Completed(provenance=replace(provenance, stage_seconds=self.seconds)))

    def _decoded(self) -> Recording:
        samples = scratch_file(self.work, "samples")
        if Stage.DECODE not in self.work.resume.stages or not samples.exists():
            self._stage(Stage.DECODE, lambda: self._decode(samples))
        return Recording(samples)

    def _decode(self, samples: Path) -> Problem | None:
        def report(done: float) -> None:
            self.emit(Progressed(stage=Stage.DECODE, fraction=done))

        return decode(
            Path(self.work.source), samples, self.work.max_seconds, report, lambda facts: self.emit(Probed(facts=facts))
        )

    def _transcribe(self, recording: Recording) -> Problem | None:
        self.language, self.segments, problem = transcribe(
            recording, self.engine, self.work.options, self.work.resume, self.emit
        )
        return problem

    def _align(self, recording: Recording) -> None:
        self.segments = align(recording, self.engine, self.segments, self.language or "", self.emit)

    def _diarize(self, recording: Recording) -> None:
        self.segments = diarize(
            recording, self.engine, self.segments, language=self._written(), work=self.work, emit=self.emit
        )

    def _written(self) -> str:
        return written(self.language or "", self.work.options)

    def _stage(self, stage: Stage, do: Callable[[], Problem | None]) -> None:
        if stage in self.work.resume.stages and stage is not Stage.DECODE:
            return
        self.stage = stage
        self.emit(StageStarted(stage=stage))
        begun = time.monotonic()
        problem = do()
        self.seconds[stage] = round(time.monotonic() - begun, 3)
        self.emit(StageFinished(stage=stage, seconds=self.seconds[stage], problem=problem))

    def _optional(self, stage: Stage, do: Callable[[], None], *, wanted: bool) -> None:
        """A stage whose failure leaves the transcript as it is, and says why."""
        if stage in self.work.resume.stages:
            return
        if not wanted or not self.segments:
            self.emit(StageSkipped(stage=stage))
            return
        begun = time.monotonic()
        try:
            self._stage(stage, do)
        except Exception as fault:
            if self.stopped:
                raise
            log.exception("the stage %s failed", stage)
            seconds = round(time.monotonic() - begun, 3)
            self.emit(StageFailed(stage=stage, seconds=seconds, problem=_problem(fault, stage)))


def _problem(fault: Exception, stage: Stage) -> Problem:
    match fault:
        case InputFault():
            return fault.problem
        case ModelUnavailable():
            return Problem(code=ErrorCode.MODEL_UNAVAILABLE, stage=stage, message=fault.message, remedy=fault.remedy)
        case MemoryError():
            return Problem(
                code=ErrorCode.OUT_OF_MEMORY,
                stage=stage,
                message="The device ran out of memory, also with the smallest batch.",
                remedy="Choose a smaller model, or let fewer jobs run at once.",
                retryable=True,
            )
    return Problem(
        code=ErrorCode.INTERNAL,
        stage=stage,
        message="This stage failed unexpectedly; the transcript is kept without it.",
        remedy="Run the stage again; if it fails again, report the correlation id.",
    )
