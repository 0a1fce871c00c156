"""Documents of a ten-hour transcript (90,000 words, 20 speakers): processor seconds and memory, a process a format.

python -m tests.programs.bench.documents [NAME ...]
"""

import multiprocessing
import os
import resource
import sys
import time

from tasks.documents.registry import FORMATS
from tests.fixtures.transcripts import hours

SECONDS = {"DOCX": 5.0, "PDF": 10.0}
TEXT_SECONDS = 1.0
MEGABYTES = 500


def measure(name: str) -> tuple[float, int, int]:
    """Processor seconds, megabytes of memory at most, kilobytes of the document."""
    document = hours()
    FORMATS[name].render(hours(words=100))  # imports and fonts, once a process
    before = time.process_time()
    size = len(FORMATS[name].render(document).data)
    seconds = time.process_time() - before
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, size // 1024


def main() -> None:
    """A line a format; fails when one is beyond its limit."""
    failed = False
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name in sys.argv[1:] or FORMATS:
            seconds, memory, size = pool.apply(measure, (name,))
            limit = SECONDS.get(name, TEXT_SECONDS)
            over = seconds > limit or memory > MEGABYTES
            failed |= over
            print(
                f"{name:14} {seconds:6.2f} s of {limit:4.1f}  {memory:4} MB of {MEGABYTES}  {size:6} KB"
                f"{'  OVER' * over}  (load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
    sys.exit(failed)


if __name__ == "__main__":
    main()
