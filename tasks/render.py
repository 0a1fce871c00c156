"""Renders a document: what it is comes in on standard input, its bytes leave on standard output.

Run as `python -m tasks.render` by the io worker, so that it can be ended at any moment.
"""

import sys

import msgspec

from tasks.formats import FORMATS
from tasks.formats.document import Document, Request


class Rendering(msgspec.Struct, frozen=True):
    """What is to be rendered."""

    format: str
    document: Document
    request: Request


def main() -> None:
    """The process."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Rendering)
    sys.stdout.buffer.write(FORMATS[task.format].render(task.document, task.request))


if __name__ == "__main__":
    main()
