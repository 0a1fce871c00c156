"""Keeps processes running: started again when they die, stopped together, and gone when their keeper is.

Not honcho, which neither starts a process again nor ends the others when it is killed itself.
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from rich.console import Console
from rich.text import Text

ASK_AGAIN_AFTER = 4.0
"""Seconds after which, when it is urgent, a process that was asked to stop is asked again; a worker then hands its
job back at once."""
KILL_AFTER = 8.0
"""Seconds after which it is killed. With what Valkey takes to stop, a Ctrl-C stays below ten."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds until a process that died is started again: doubled each time, the first again after a long life."""
EXIT_CONFIGURATION = 78
"""The exit status of a process whose settings are wrong (`EX_CONFIG` of sysexits.h): a restart would not help."""


class Voice(Console):
    """Says nothing more when nobody listens: rich itself would end the program, and with `up | head` nobody does."""

    def on_broken_pipe(self) -> None:
        """Go on without a word."""
        self.quiet = True


@dataclass(eq=False)
class Child:
    """A process to be kept running, the leader of a session of its own.

    `start` is called in the main thread and returns once the process can be used. The lower `layer` is stopped later.
    """

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    colour: str = "default"
    layer: int = 1
    process: subprocess.Popen[bytes] | None = None


@dataclass(eq=False)
class Supervisor:
    """Keeps children until it is told to stop, or until one of them says that its settings are wrong.

    `drain` is how many seconds they may take to stop unless a stop is forced.
    """

    console: Console
    drain: float = 0.0
    failed: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _force_stop: asyncio.Event = field(default_factory=asyncio.Event)
    _kept: dict[Child, asyncio.Task[None]] = field(default_factory=dict)
    _asked: set[Child] = field(default_factory=set)

    def keep(self, child: Child) -> None:
        """Start a child and keep it running. Raises what its `start` raises this first time."""
        child.process = child.start()
        self._kept[child] = asyncio.create_task(self._watch(child))

    def ask_to_stop(self, *, patient: bool = False) -> None:
        """Begin to stop: quickly, or giving all the time that they need to finish their work. Asked again, it is
        quick in any case, and those who are still at it are asked again, too.
        """
        if self.stopping.is_set() or not patient:
            self._force_stop.set()
        self.stopping.set()
        for child in self._asked:
            _send(child, signal.SIGTERM)

    async def end(self) -> None:
        """Stop all children, the highest layer first; by force after a while. Returns when none is left."""
        self.stopping.set()
        for layer in sorted({child.layer for child in self._kept}, reverse=True):
            self._asked = {child for child in self._kept if child.layer == layer}
            ended = asyncio.gather(*(self._kept[child] for child in self._asked))
            if not self._force_stop.is_set():
                force_stop = asyncio.create_task(self._force_stop.wait())
                await self._ask(ended, force_stop, patience=self.drain)
                force_stop.cancel()
            for patience in (ASK_AGAIN_AFTER, KILL_AFTER - ASK_AGAIN_AFTER):
                await self._ask(ended, patience=patience)
            for child in self._asked:
                _kill(child)
            await ended

    async def _ask(self, *until: asyncio.Future[Any], patience: float) -> None:
        """Ask those who are still at it to stop, and wait until one of these is so, or for some seconds."""
        for child in self._asked:
            _send(child, signal.SIGTERM)
        await asyncio.wait(until, timeout=patience, return_when=asyncio.FIRST_COMPLETED)

    async def _watch(self, child: Child) -> None:
        """Start a child again whenever it has ended, until all are to stop."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            code = await asyncio.to_thread(self._outlive, child)
            if code == EXIT_CONFIGURATION and not self.stopping.is_set():
                self.failed = True
                self.ask_to_stop()
            pause = FIRST_PAUSE if time.monotonic() - started > LONGEST_PAUSE else pause
            if not self.stopping.is_set():
                self.say(f"{child.name} {_ended(code)}; starting it again in {pause:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
                return
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                child.process = child.start()
            except Exception as error:  # noqa: BLE001  whatever it is, it is tried again and does not end us
                self.say(f"{child.name} could not be started: {error}")

    def _outlive(self, child: Child) -> int | None:
        """Wait for the end of a child, in a thread, and end what it leaves behind: a speech engine, say."""
        process = child.process
        if process is None or process.returncode is not None:  # the last start failed
            return None
        shower = threading.Thread(target=self._show, args=(child, process.stdout), daemon=True)
        shower.start()  # apart from the waiting: whoever inherited the pipe may hold it open after the child's end
        if sys.platform == "linux":
            with suppress(ChildProcessError):  # until it is waited for, nobody else can get its number
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        _kill(child)
        if process.stdin:
            process.stdin.close()
        shower.join(1.0)
        return process.wait()

    def _show(self, child: Child, output: IO[bytes] | None) -> None:
        """Print a child's lines under its name; without a terminal, it prints them itself."""
        if output is None:
            return
        with output:
            for line in output:
                text = Text.from_ansi(line.decode(errors="replace").rstrip())
                self._print(Text(f"{child.name:>7} │ ", style=child.colour) + text)

    def say(self, line: str) -> None:
        """Tell the user something about the processes."""
        self._print(Text(line))

    def _print(self, text: Text) -> None:
        """Print, if anybody still reads: where nobody does, all go on, and end, all the same."""
        with suppress(OSError):
            self.console.print(text, soft_wrap=True)


def _ended(code: int | None) -> str:
    if code is None:
        return "is not running"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _send(child: Child, number: signal.Signals) -> None:
    if child.process and child.process.poll() is None:
        child.process.send_signal(number)


def _kill(child: Child) -> None:
    """End a child and all that it started. Its session outlives it only as long as somebody is in it."""
    if child.process:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
