"""What a document is made of: a transcript at one revision, free of where it is kept."""

import msgspec

from db.domain.values import Provenance, Segment


class Voice(msgspec.Struct, frozen=True):
    """A speaker, under the name that people read."""

    name: str
    seconds: float


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A transcript to be written down; a segment's `speaker` indexes `voices`."""

    title: str
    language: str | None
    duration_seconds: float
    revision: int
    segments: tuple[Segment, ...]
    voices: tuple[Voice, ...]
    provenance: Provenance | None = None

    def voice(self, index: int | None) -> str | None:
        """A speaker's name; None when nobody was told apart."""
        return self.voices[index].name if index is not None and index < len(self.voices) else None


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How captions are cut, in characters and seconds. The defaults follow the guidelines that broadcasters share:
    two lines of 42 characters, one to seven seconds, at most 20 characters a second.
    """

    max_chars_per_line: int = 42
    max_lines: int = 2
    min_seconds: float = 1.0
    max_seconds: float = 7.0
    max_chars_per_second: float = 20.0
    speaker_labels: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asked of an export."""

    format: str
    captions: Layout = Layout()
    speaker_labels: bool = True
    timestamps: bool = True
