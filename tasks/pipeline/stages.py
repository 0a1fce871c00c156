"""The surroundings of each stage: its beginning and end are told, its time taken, its failure sorted."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from msgspec.structs import replace

from db.domain.values import ErrorCode, Problem, Stage
from tasks.decoding.faults import InputFault
from tasks.pipeline.types import (
    Emit,
    Failed,
    ModelUnavailable,
    Progressed,
    Resume,
    StageFailed,
    StageFinished,
    StageSkipped,
    StageStarted,
    Update,
)

log = logging.getLogger(__name__)


class Stages:
    """Tells of stages, one update at a time, whichever thread it comes from."""

    def __init__(self, emit: Emit, resume: Resume) -> None:
        self.seconds: dict[str, float] = {}
        self.current = Stage.DECODE
        self.stopped: BaseException | None = None
        self._emit, self._done = emit, resume.stages
        self._begun: dict[Stage, float] = {}
        self._speaking = threading.RLock()
        self._part = (0, 1)

    def tell(self, update: Update) -> None:
        """Tell an update. An exception of `emit` stops the job: from then on it is raised in every thread."""
        with self._speaking:
            if self.stopped is not None:
                raise self.stopped
            try:
                self._emit(self._in_part(update))
            except BaseException as raised:
                self.stopped = raised
                raise

    @contextmanager
    def part(self, number: int, count: int) -> Iterator[None]:
        """Take progress that is told in this block for that of one of `count` equal parts of the stage."""
        before, self._part = self._part, (number, count)
        try:
            yield
        finally:
            self._part = before

    def begun(self, stage: Stage) -> bool:
        """Return whether it has begun in this attempt."""
        return stage in self._begun

    def begin(self, stage: Stage) -> None:
        """Begin a stage, if it has not begun yet."""
        if stage not in self._begun:
            self._begun[stage] = time.monotonic()
            self.tell(StageStarted(stage=stage))

    def needed(self, stage: Stage) -> bool:
        """Return whether no earlier attempt has done it."""
        return stage not in self._done

    def do(self, stage: Stage, work: Callable[[], Problem | None]) -> None:
        """Do a stage without which there is no transcript."""
        self.current = stage
        self.begin(stage)
        problem = work()
        self.tell(StageFinished(stage=stage, seconds=self._took(stage), problem=problem))

    def do_if_possible(self, stage: Stage, work: Callable[[], Problem | None], *, wanted: bool) -> None:
        """Do a stage whose failure leaves the transcript as it is; the failure's problem is reported."""
        if not self.needed(stage):
            return
        if not wanted:
            self.tell(StageSkipped(stage=stage))
            return
        try:
            self.do(stage, work)
        except Exception as fault:
            if self.stopped is not None:
                raise
            if isinstance(fault, ModelUnavailable):
                log.warning("the stage %s was not done: %s", stage, fault)
            else:
                log.exception("the stage %s failed", stage)
            self.tell(StageFailed(stage=stage, seconds=self._took(stage), problem=sorted_out(fault, stage)))

    def fail(self, fault: Exception) -> None:
        """Report that the work cannot be done."""
        if self.stopped not in (None, fault):
            raise fault
        self._emit(Failed(problem=sorted_out(fault, self.current)))

    def _in_part(self, update: Update) -> Update:
        number, count = self._part
        return (
            replace(update, fraction=(number + update.fraction) / count) if isinstance(update, Progressed) else update
        )

    def _took(self, stage: Stage) -> float:
        self.seconds[stage] = round(time.monotonic() - self._begun[stage], 3)
        return self.seconds[stage]


T = TypeVar("T")


class Beside:
    """Work beside the main thread, or, where cores are few, in it when its result is asked for."""

    def __init__(self, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool

    def start(self, work: Callable[[], T], *, wanted: bool) -> Callable[[], T]:
        """Start it if it is wanted; the function that comes back waits for its result, or raises what it raised."""
        if self._pool is None or not wanted:
            return work
        future: Future[T] = self._pool.submit(work)
        return future.result


@contextmanager
def beside(stages: Stages, ended: Callable[[], None], *, parallel: bool) -> Iterator[Beside]:
    """Start threads that end with the block; after a failure `ended` is called: none waits for what never comes."""
    if not parallel:
        yield Beside(None)
        return
    with ThreadPoolExecutor(2) as pool:
        try:
            yield Beside(pool)
        except BaseException as fault:
            stages.stopped = stages.stopped or fault
            ended()
            raise


def sorted_out(fault: Exception, stage: Stage) -> Problem:
    """Describe a failure in words that a person can act on."""
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
