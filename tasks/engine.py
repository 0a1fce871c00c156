"""The worker's side of the engine's child process: start it, give it work, end it."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import structlog

from db.values import WorkerFacts
from tasks.child import Awaited, Go, Ready, Reply, Stop, Stopped, Task
from tasks.pipeline.types import Completed, Failed
from tasks.processes import dies_with_parent

LONGEST_LINE = 1 << 28
"""Bytes of one reply: a revision of all the segments of a long recording fits."""

_log = structlog.get_logger(__name__)
_replies = msgspec.json.Decoder(Reply)


class EngineLost(Exception):
    """The child ended, or was ended, in the middle of its work."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"the engine's process ended with status {status}")
        self.status = status


class EngineProcess:
    """The child with the models, started when first needed and kept from job to job; one piece of work at a time.

    `facts` tell what it can do, once it has started.
    """

    def __init__(self, engine: str, model: str) -> None:
        self.facts = WorkerFacts()
        self._engine = engine
        self._model = model
        self._process: Process | None = None
        self._busy = False

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Starts the child, unless it runs, and waits until it listens. Raises EngineLost."""
        if self.pid is not None:
            return
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tasks.child",
            self._engine,
            self._model,
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_LINE,
            preexec_fn=dies_with_parent(),
        )
        ready = await self._reply()
        if not isinstance(ready, Ready):
            raise EngineLost(None)
        self.facts = ready.facts

    async def run(self, task: Task) -> AsyncIterator[Reply]:
        """Updates of the work as they come; the last one is Completed, Failed or Stopped. Raises EngineLost."""
        if self._busy:  # its last work was dropped: what it still says of that must not be taken for this
            await self.end()
        await self.start()
        self._busy = True
        await self._order(task)
        while self._busy:
            reply = await self._reply()
            self._busy = not isinstance(reply, Completed | Failed | Stopped)
            yield reply
            if isinstance(reply, Awaited):  # whoever asks for the next one has stored this one
                await self._order(Go())

    async def stop(self, *, patient: bool = False) -> None:
        """Asks the child to leave off at the next boundary (patient: at the end of its window or stage); it answers
        with Stopped, unless it is just done.
        """
        if self._busy:
            await self._order(Stop(patient))

    async def end(self, grace: float = 1.0) -> None:
        """Ends the child: SIGTERM, and SIGKILL when that takes longer than `grace` seconds."""
        self._busy = False
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
        _log.info("engine.ended", status=process.returncode)

    async def _order(self, order: Task | Stop | Go) -> None:
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
