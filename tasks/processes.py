"""Processes that do not outlive the one that started them."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import cache

PR_SET_PDEATHSIG = 1
"""From `linux/prctl.h`: the signal that the kernel sends to this process when its parent (thread) ends."""


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def dies_with_parent(signal_number: int = signal.SIGKILL) -> Callable[[], None] | None:
    """A `preexec_fn` for `subprocess`: the child ends when its parent does, however that happens.

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
    """For a child of our own, at its start: read the pipe that it has as its standard input until the parent is gone.

    Works on every system, but only while the interpreter runs; `dies_with_parent` reaches into C code, too.
    """

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="end-with-parent", daemon=True).start()
