"""Signals, heard at once."""

import os
import signal
import threading
from collections.abc import Callable


def on_stop_signals(react: Callable[[], None]) -> None:
    """Call this in a thread of its own for each SIGTERM and SIGINT.

    Python's handlers run in the main thread, when it gets there: it does not while it waits for a lock and the kernel
    has woken another thread for the signal.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        while os.read(heard, 1):
            react()

    threading.Thread(target=listen, name="signals", daemon=True).start()
