"""Probe a recording in a process of its own, with limits, so that a hostile file can hurt nobody else.

    python -m tasks.decoding.probe PATH

Prints one JSON object and exits 0: {"facts": MediaFacts} for a recording, {"problem": Problem} for anything else. A
file that makes the probe exceed its limits kills it: any other exit is to be read as "not a recording we can read",
except EX_SOFTWARE, which is a fault of this program and comes with its traceback.
"""

import os
import sys
import traceback
from pathlib import Path

import msgspec

from db.domain.values import MediaFacts, Problem
from tasks.decoding import sandbox
from tasks.decoding.containers import probe
from tasks.decoding.faults import InputFault

MEMORY = 1 << 30
SECONDS = 15.0
"""Of processor time."""


class Found(msgspec.Struct, omit_defaults=True):
    """The probe's answer: one of the two."""

    facts: MediaFacts | None = None
    problem: Problem | None = None


def main(path: str) -> None:
    """Probe in this process, under limits and unable to write a byte."""
    sandbox.enter(memory=MEMORY, seconds=SECONDS, written=0)
    try:
        found = Found(facts=probe(Path(path)))
    except InputFault as fault:
        found = Found(problem=fault.problem)
    except MemoryError:
        sys.exit("The file needs more memory than a probe may have.")
    except Exception:  # noqa: BLE001  told apart from what a file does to the process
        traceback.print_exc()
        sys.exit(os.EX_SOFTWARE)
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
