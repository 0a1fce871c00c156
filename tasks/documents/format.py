"""The declaration of a format: everything that the rest of the product knows about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from db.domain.values import ErrorCode, Problem
from tasks.documents.document import Document
from tasks.documents.guard import guarded
from tasks.documents.options import Options

OptionsT = TypeVar("OptionsT", bound=Options)


class Written(msgspec.Struct, frozen=True):
    """The bytes of a document, and the number of its pages where it has any."""

    data: bytes
    pages: int | None = None


class Limits(msgspec.Struct, frozen=True):
    """The largest document that may be written."""

    bytes: int
    pages: int


class NotWritable(Exception):
    """A document that cannot be written as it is asked for, however often one tries."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Format(Generic[OptionsT]):
    """A kind of document: `FORMAT` in a module below `tasks.documents.formats`.

    `write` may count on a guarded document (`tasks.documents.guard`), and must give the same bytes for the same
    document and options on every machine. Libraries are imported inside it: the web process reads declarations only.
    """

    name: str
    description: str
    media_type: str
    extension: str
    options: type[OptionsT]
    write: Callable[[Document, OptionsT], bytes | Written]

    def chosen(self, wanted: dict[str, Any]) -> OptionsT:
        """Return this format's options among those wanted; the others mean nothing to it."""
        known = self.options.__struct_fields__
        return self.options(**{name: value for name, value in wanted.items() if name in known})

    def render(self, document: Document, options: OptionsT | None = None) -> Written:
        """Return the document's bytes. Raises NotWritable."""
        written = self.write(guarded(document), self.options() if options is None else options)
        return written if isinstance(written, Written) else Written(written)


def check_size(written: Written, limits: Limits) -> None:
    """Raise NotWritable with LIMIT_EXCEEDED when a document is larger than is allowed."""
    for actual, limit, unit in (
        (written.pages or 0, limits.pages, "pages"),
        (len(written.data), limits.bytes, "bytes"),
    ):
        if actual > limit:
            message = f"The document has {actual:,} {unit}; {limit:,} are allowed."
            remedy = "Ask for another format, or split the recording."
            raise NotWritable(Problem(code=ErrorCode.LIMIT_EXCEEDED, message=message, remedy=remedy))
