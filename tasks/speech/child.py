"""The child process in which the models live: it reads one piece of work a line and answers with updates.

Neither a time limit nor a cancellation reaches into C code, and a call that holds the GIL would stop a heartbeat, so
the models are kept out of the worker. They stay loaded from job to job. Run as
`python -m tasks.speech.child MODULE:ENGINE MODEL [--cold]`; a cold one loads models only when work needs them.
"""

import importlib
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import BinaryIO, cast

import msgspec
import structlog

from db.domain.values import ErrorCode, Problem, WorkerFacts
from tasks import pipeline
from tasks.decoding.faults import InputFault
from tasks.pipeline.types import (
    Completed,
    Failed,
    ModelUnavailable,
    SpeechEngine,
    StageFailed,
    StageFinished,
    StageSkipped,
    Update,
    WindowTranscribed,
    Work,
)
from tasks.system import logs


class Task(msgspec.Struct, frozen=True, tag=True):
    """Do this; `context` goes into every log line."""

    work: Work
    context: dict[str, str]


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Leave off at the next boundary; a patient one waits for the end of the window or the stage, which is kept."""

    patient: bool = False


class Ack(msgspec.Struct, frozen=True, tag=True):
    """The acknowledgement that the last update is stored: go on. A crash never costs more than what was told since."""


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Stop`: what was told so far stands, nothing more will come."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The first line, and again when it has changed: what the engine can do, and what it has loaded."""

    facts: WorkerFacts


COLD = "--cold"
Order = Task | Stop | Ack
NeedsAck = WindowTranscribed | StageFinished | StageSkipped | StageFailed
Reply = Update | Stopped | Ready


class _StopRequested(BaseException):
    """Out of `emit`, when the parent wants the work to end. Not an Exception: no stage mistakes it for a fault."""


class Child:
    """One engine, one piece of work at a time."""

    def __init__(self, engine: SpeechEngine, model: str, orders: BinaryIO, replies: BinaryIO) -> None:
        self._engine = engine
        self._model = model
        self._orders = orders
        self._replies = replies
        self._tasks: SimpleQueue[Task] = SimpleQueue()
        self._stop: Stop | None = None
        self._facts = engine.facts(model)
        self._windows = 0
        self._stored = threading.Semaphore(0)
        self._speaking = threading.Lock()
        self._log = structlog.get_logger(__name__)

    def serve(self) -> None:
        """Work until the parent is gone."""
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        self._say(Ready(self._facts))
        while True:
            task = self._tasks.get()
            with structlog.contextvars.bound_contextvars(**task.context):
                self._do(task.work)

    def _listen(self) -> None:
        decoder = msgspec.json.Decoder(Order)
        for line in self._orders:
            match decoder.decode(line):
                case Task() as task:
                    self._stop = None
                    self._stored = threading.Semaphore(0)
                    self._tasks.put(task)
                case Ack():
                    self._stored.release()
                case Stop() as stop:
                    self._stop = stop
        os.kill(os.getpid(), signal.SIGKILL)  # the parent is gone; nobody would hear what we still find out

    def _do(self, work: Work) -> None:
        self._windows = work.resume.windows
        try:
            pipeline.run(work, self._engine, self._emit)
        except _StopRequested:
            self._end(Stopped())
        except InputFault as fault:
            self._end(Failed(fault.problem))
        except ModelUnavailable as missing:
            self._end(Failed(unavailable(missing)))
        except MemoryError:
            self._log.exception("child.out_of_memory")
            remedy = "It is tried again with smaller batches; if that does not help, use a smaller model."
            self._fail(ErrorCode.OUT_OF_MEMORY, "The memory was not enough.", remedy, retryable=True)
        except OSError as error:
            self._log.exception("child.no_room")
            remedy = "It is tried again; meanwhile the operator makes room, or mends the disk."
            message = f"The worker could not write to its disk: {error.strerror}."
            self._fail(ErrorCode.UNAVAILABLE, message, remedy, retryable=True)
        except Exception:  # noqa: BLE001  the parent decides whether the job is tried again
            self._log.exception("child.fault")
            remedy = "It is tried again; the log has the details under the job's correlation id."
            self._fail(ErrorCode.INTERNAL, "Something unexpected went wrong.", remedy, retryable=True)

    def _emit(self, update: Update) -> None:
        if isinstance(update, Completed | Failed):  # the last word: another one would be taken for the next work's
            self._end(update)
            return
        self._say(update)
        if isinstance(update, NeedsAck):
            self._stored.acquire()
        kept = self._is_kept(update)
        if self._stop is not None and (kept or not self._stop.patient):
            raise _StopRequested

    def _is_kept(self, update: Update) -> bool:
        """Tell whether a later attempt goes on behind this update."""
        if isinstance(update, WindowTranscribed):
            before, self._windows = self._windows, update.window
            return update.window > before
        return isinstance(update, StageFinished | StageSkipped | StageFailed)

    def _fail(self, code: ErrorCode, message: str, remedy: str, *, retryable: bool) -> None:
        self._end(Failed(Problem(code=code, message=message, remedy=remedy, retryable=retryable)))

    def _end(self, last: Completed | Failed | Stopped) -> None:
        """Send the last word of a work, after what it has changed: another model is loaded now, say."""
        facts = self._engine.facts(self._model)
        if facts != self._facts:
            self._facts = facts
            self._say(Ready(facts))
        self._say(last)

    def _say(self, reply: Reply) -> None:
        with self._speaking:
            say(reply, self._replies)


def say(reply: Reply, replies: BinaryIO) -> None:
    """Write a line to the parent."""
    replies.write(msgspec.json.encode(reply) + b"\n")
    replies.flush()


def unavailable(missing: ModelUnavailable) -> Problem:
    """Return the problem that the client or the operator is told of it."""
    return Problem(code=ErrorCode.MODEL_UNAVAILABLE, message=missing.message, remedy=missing.remedy)


def load_engine(name: str) -> SpeechEngine:
    """Make the engine named `module:class`, without arguments; it reads its own settings."""
    module, _, attribute = name.partition(":")
    return cast("SpeechEngine", getattr(importlib.import_module(module), attribute)())


def main(engine: str, model: str, cold: str = "") -> None:
    """Run the process. Say why and end with EX_CONFIG when the model that it is to use is not there, or is damaged."""
    logs.configure("engine")
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not end up among the replies
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the worker's business
    try:
        loaded = load_engine(engine)
        loaded.check(model)
        if cold != COLD:
            loaded.preload(model)
    except ModelUnavailable as missing:
        say(Failed(unavailable(missing)), replies)
        sys.exit(os.EX_CONFIG)
    except MemoryError:
        remedy = "Choose a smaller GRAPHOPHONE_MODEL, set GRAPHOPHONE_DEVICE=cpu, or free the device's memory."
        message = f"The model “{model}” does not fit into the device's memory."
        say(Failed(Problem(code=ErrorCode.OUT_OF_MEMORY, message=message, remedy=remedy, retryable=True)), replies)
        sys.exit(1)
    Child(loaded, model, sys.stdin.buffer, replies).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
