"""Probe a recording in a process of its own, with limits, so that a hostile file can hurt nobody else.

    python -m tasks.pipeline.probe PATH

Prints one JSON object and exits 0: {"facts": MediaFacts} for a recording, {"problem": Problem} for anything else. A
file that makes the probe exceed its limits kills it: any other exit is to be read as "not a recording we can read",
except EX_SOFTWARE, which is a fault of this program and comes with its traceback.
"""

import os
import resource
import sys
import traceback
from pathlib import Path

import msgspec

from db.domain.values import MediaFacts, Problem
from tasks.pipeline.media import probe
from tasks.pipeline.types import InputFault

MEMORY = 2 << 30
CPU_SECONDS = 20


class Found(msgspec.Struct, omit_defaults=True):
    """What the probe prints: one of the two."""

    facts: MediaFacts | None = None
    problem: Problem | None = None


def main(path: Path) -> Found:
    """Probe under limits on memory and processor time, unable to write a byte."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        return Found(facts=probe(path))
    except InputFault as fault:
        return Found(problem=fault.problem)


if __name__ == "__main__":
    try:
        sys.stdout.write(msgspec.json.encode(main(Path(sys.argv[1]))).decode() + "\n")
    except MemoryError:
        sys.exit("The file needs more memory than a probe may have.")
    except Exception:  # noqa: BLE001  told apart from what a file does to the process
        traceback.print_exc()
        sys.exit(os.EX_SOFTWARE)
