"""Probe each file named, and decode those that the probe lets pass, each in a process of its own as the server does.

The processes are forked, so that two hundred of them need not each load FFmpeg. Prints a line for each: file, outcome.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tasks.decoding import decode, probe

SECONDS = 20  # in which each must have ended, of processor time
FAULTS = {os.EX_SOFTWARE, os.EX_IOERR}


def run(main: Callable[..., None], *arguments: str) -> tuple[int, str]:
    """The status of a process that does this, negative for a signal, and what it printed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        status = 70  # as Python ends with 1 for what nobody caught, which is no excuse here
        try:
            main(*arguments)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as printed:
        told = printed.read()
    _, status, used = os.wait4(child, 0)
    modest = used.ru_utime + used.ru_stime < SECONDS and used.ru_maxrss << 10 < decode.MEMORY
    return (os.waitstatus_to_exitcode(status) if modest else os.EX_SOFTWARE), told


def outcome(path: str) -> str:
    """What became of a file."""
    status, printed = run(probe.main, path)
    if status in FAULTS:
        return f"a fault of the probe: {status}"
    if status != 0 or '"problem"' in printed:
        return "refused by the probe"
    status, printed = run(decode.main, path, f"{path}.samples", "3600", str(os.getpid()))
    if status in FAULTS:
        return f"a fault of decoding: {status}"
    Path(f"{path}.partial").unlink(missing_ok=True)  # as the engine does
    return "refused when decoded" if status != 0 or '"Refused"' in printed else "read"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps([name, outcome(name)]) + "\n")
        sys.stdout.flush()
