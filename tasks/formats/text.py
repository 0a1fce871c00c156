"""Plain text: paragraphs by speaker, with times when asked."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from db.domain.values import Segment
from tasks.formats.document import Document, Request


def render(document: Document, request: Request) -> bytes:
    """UTF-8, one paragraph a turn."""
    return ("\n\n".join(_paragraphs(document, request)) + "\n").encode() if document.segments else b""


def plain(document: Document, *, speakers: bool = False, timestamps: bool = False) -> str:
    """The text as one string: `Transcript.text`. Without speakers and times it is one line a segment."""
    request = Request(format="TXT", speaker_labels=speakers, timestamps=timestamps)
    if speakers or timestamps:
        return "\n\n".join(_paragraphs(document, request))
    return "\n".join(segment.text for segment in document.segments)


def clock(seconds: float) -> str:
    """`1:02:03`, hours always shown."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _paragraphs(document: Document, request: Request) -> Iterator[str]:
    for speaker, turn in groupby(document.segments, key=lambda segment: segment.speaker):
        yield _paragraph(document.voice(speaker), list(turn), request)


def _paragraph(voice: str | None, turn: Sequence[Segment], request: Request) -> str:
    stamp = f"[{clock(turn[0].start)}] " if request.timestamps else ""
    label = f"{voice}: " if request.speaker_labels and voice else ""
    return stamp + label + " ".join(segment.text for segment in turn)
