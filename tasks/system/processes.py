"""Processes that do not outlive the one that started them."""

import asyncio
import ctypes
import os
import signal
import sys
import threading
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from functools import cache

PR_SET_PDEATHSIG = 1
"""From `linux/prctl.h`: the signal that the kernel sends to this process when its parent (thread) ends."""

PLAIN_VARIABLES = frozenset(
    {"LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "PYTHONPATH", "PYTHONSAFEPATH", "TMPDIR", "TZ"}
)
"""Of our environment, what any program may know."""


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def dies_with_parent(signal_number: int = signal.SIGKILL) -> Callable[[], None] | None:
    """Return a `preexec_fn` for `subprocess`: the child ends when its parent does, however that happens.

    The kernel watches the thread that starts the child, so that thread must live on: call this from the main thread.
    None where the kernel offers no such thing (macOS): there, give the child `end_with_parent` if it is our own code.
    """
    if sys.platform != "linux":
        return None
    libc, parent = _libc(), os.getpid()

    def between_fork_and_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return between_fork_and_exec


def end_with_parent() -> None:
    """End this process with its parent: a thread reads the pipe at standard input until the parent is gone.

    Works on every system, but only while the interpreter runs; `dies_with_parent` reaches into C code, too.
    """

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()


def bare_environment() -> dict[str, str]:
    """Return an environment for a child that reads what strangers have sent: what Python needs, and no setting of ours,
    among which is the token.
    """
    return {name: value for name, value in os.environ.items() if name in PLAIN_VARIABLES or name.startswith("LC_")}


async def ask(
    module: str, *arguments: str, said: bytes | None = None, environment: dict[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Run `python -m module`, tell it something, and return its status, its answer and what it complained of. It is
    ended for good when this is cancelled: by a time limit, say.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=DEVNULL if said is None else PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        preexec_fn=dies_with_parent(),
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("asyncio made no pipes")
    try:
        answer, complaint, _ = await asyncio.gather(
            process.stdout.read(), process.stderr.read(), _tell(process.stdin, said or b"")
        )
        return await process.wait(), answer, complaint
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _tell(listener: asyncio.StreamWriter | None, said: bytes) -> None:
    """Tell a child something. One that has ended meanwhile, or does not listen, says why with its status."""
    if listener is None:
        return
    try:
        listener.write(said)
        await listener.drain()
        listener.close()
    except (ConnectionError, RuntimeError):  # uvloop raises the latter where the other end is closed
        return
