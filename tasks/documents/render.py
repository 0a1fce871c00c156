"""Renders a document: what it is comes in on standard input, its bytes leave on standard output.

Run as `python -m tasks.documents.render` by the io worker, so that it can be ended at any moment. A first line of
JSON tells how it went (`Outcome`); the document follows it.
"""

import sys

import msgspec

from db.domain.values import Problem
from tasks.documents.document import Document
from tasks.documents.format import Limits, NotWritable, check_size
from tasks.documents.registry import FORMATS


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """A document to be rendered; `options` are those of its format, as JSON."""

    format: str
    document: Document
    options: msgspec.Raw
    limits: Limits


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of rendering: the number of pages where there are any, or why there is no document."""

    pages: int | None = None
    problem: Problem | None = None


def main() -> None:
    """Run the process."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Rendering)
    format_ = FORMATS[task.format]
    data = b""
    try:
        written = format_.render(task.document, msgspec.json.decode(task.options, type=format_.options))
        check_size(written, task.limits)
        outcome, data = Outcome(written.pages), written.data
    except NotWritable as error:
        outcome = Outcome(problem=error.problem)
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n" + data)


if __name__ == "__main__":
    main()
