"""The values that a document is made of: a transcript at one revision, free of where it is stored."""

import msgspec

from db.domain.values import Provenance, Segment


class Speaker(msgspec.Struct, frozen=True):
    """A speaker, under the name that people read; `seconds` of speech."""

    name: str
    seconds: float


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A transcript to be written down; the `speaker` of a segment or word is an index into `speakers`.

    Times are seconds from the start of the recording; `created_at` is an instant in epoch milliseconds.
    """

    title: str
    language: str | None
    duration_seconds: float
    revision: int
    segments: tuple[Segment, ...]
    speakers: tuple[Speaker, ...]
    created_at: int = 0
    filename: str = ""
    provenance: Provenance | None = None

    def speaker(self, index: int | None) -> str | None:
        """Return a speaker's name; None where speakers were not told apart."""
        return (self.speakers[index].name or None) if index is not None and 0 <= index < len(self.speakers) else None
