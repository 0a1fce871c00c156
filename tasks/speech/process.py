"""The worker's side of the engine's child process: start it, give it work, end it."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import structlog
from msgspec.structs import replace

from db.domain.values import Problem, WorkerFacts
from tasks.pipeline.types import Completed, Failed
from tasks.speech.child import COLD, Ack, NeedsAck, Ready, Reply, Stop, Stopped, Task
from tasks.system.processes import dies_with_parent

LONGEST_LINE = 1 << 28
"""Bytes of one reply: a revision of all the segments of a long recording fits."""

_log = structlog.get_logger(__name__)
_replies = msgspec.json.Decoder(Reply)


class EngineLost(Exception):
    """The child ended, or was ended, in the middle of its work."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the engine's process ended with status {status}")
        self.status = status


class EngineUnable(Exception):
    """The child cannot work: a model is missing or damaged, say."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class EngineProcess:
    """The child with the models, started when first needed and kept from job to job; one piece of work at a time.

    After `idle_seconds` without work it is ended (0: never), because memory that models took comes back whole only so.
    """

    def __init__(self, engine: str, model: str, *, preload: bool = True, idle_seconds: float = 0.0) -> None:
        self.changed = asyncio.Event()  # `facts` are others now
        self._command = [engine, model, *([] if preload else [COLD])]
        self._idle_seconds = idle_seconds
        self._facts = WorkerFacts()
        self._process: Process | None = None
        self._busy = False
        self._idle: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Task[None] | None = None

    @property
    def facts(self) -> WorkerFacts:
        """Return what it can do, once it has started; without a process, nothing is loaded."""
        if self.pid is not None:
            return self._facts
        return replace(self._facts, models=tuple(replace(model, loaded=False) for model in self._facts.models))

    @property
    def pid(self) -> int | None:
        """Return its process id, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the child, unless it runs, and wait until it listens. Raises EngineLost and EngineUnable."""
        await self._stay()
        try:
            await self._start()
        finally:
            self._rest()

    async def _start(self) -> None:
        if self.pid is not None:
            return
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tasks.speech.child",
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_LINE,
            preexec_fn=dies_with_parent(),
        )
        first = await self._reply()
        if isinstance(first, Failed):
            await self.end()
            self._able(replace(self._facts, problems=(first.problem,)))
            raise EngineUnable(first.problem)
        if not isinstance(first, Ready):
            raise EngineLost(None)
        self._able(first.facts)

    async def run(self, task: Task) -> AsyncIterator[Reply]:
        """Yield updates of the work as they come; the last one is Completed, Failed or Stopped. Raises EngineLost."""
        await self._stay()
        try:
            if self._busy:  # its last work was dropped: what it still says of that must not be taken for this
                await self.end()
            await self._start()
            self._busy = True
            await self._order(task)
            while self._busy:
                reply = await self._reply()
                if isinstance(reply, Ready):
                    self._able(reply.facts)
                    continue
                self._busy = not isinstance(reply, Completed | Failed | Stopped)
                yield reply
                if isinstance(reply, NeedsAck):  # whoever asks for the next one has stored this one
                    await self._order(Ack())
        except EngineUnable as unable:  # it could when the worker started
            yield Failed(unable.problem)
        finally:
            self._rest()

    async def stop(self, *, patient: bool = False) -> None:
        """Ask the child to leave off at the next boundary (patient: at the end of its window or stage); it answers
        with Stopped, unless it is just done.
        """
        if self._busy:
            await self._order(Stop(patient))

    async def end(self, grace: float = 1.0) -> None:
        """End the child: SIGTERM, and SIGKILL when that takes longer than `grace` seconds."""
        self._busy = False
        self.changed.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        self.changed.set()
        _log.info("engine.ended", status=process.returncode)

    def _able(self, facts: WorkerFacts) -> None:
        self._facts = facts
        self.changed.set()

    def _rest(self) -> None:
        """Let the models go after a while without work."""
        if self._idle_seconds and self.pid is not None:
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._unload)

    def _unload(self) -> None:
        _log.info("engine.unloading", idle_seconds=self._idle_seconds)
        self._unloading = asyncio.create_task(self.end())

    async def _stay(self) -> None:
        """Keep the models for work; those on their way out are waited for and loaded again."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._unloading is not None:
            await self._unloading
            self._unloading = None

    async def _order(self, order: Task | Stop | Ack) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise EngineLost(None)
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            await process.stdin.drain()
        except ConnectionError:
            raise EngineLost(await process.wait()) from None

    async def _reply(self) -> Reply:
        process = self._process
        if process is None or process.stdout is None:
            raise EngineLost(None)
        line = await process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EngineLost(await process.wait())
        reply: Reply = _replies.decode(line)
        return reply
