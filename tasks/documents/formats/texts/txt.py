"""Plain text: paragraphs by speaker, with times when asked."""

from itertools import groupby

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.layout.turns import Turn, clock, turns
from tasks.documents.options import TextOptions


def write(document: Document, options: TextOptions) -> bytes:
    """Return UTF-8, the paragraphs of the turns with an empty line between them."""
    paragraphs = [text for turn in turns(document) for text in _paragraphs(turn, options)]
    return ("\n\n".join(paragraphs) + "\n").encode() if paragraphs else b""


def plain(document: Document, *, speakers: bool = False, timestamps: bool = False) -> str:
    """Return the text as one string: `Transcript.text`. Without speakers and times it is one line a segment."""
    if not (speakers or timestamps):
        return "\n".join(segment.text for segment in document.segments)
    found = []
    for index, spoken in groupby(document.segments, key=lambda segment: segment.speaker):
        turn = list(spoken)
        name = document.speaker(index) if speakers else None
        found.append(_start(turn[0].start, name, timestamps=timestamps) + " ".join(segment.text for segment in turn))
    return "\n\n".join(found)


def _paragraphs(turn: Turn, options: TextOptions) -> list[str]:
    speaker = turn.speaker if options.speaker_labels else None
    return [
        _start(paragraph.start, None if number else speaker, timestamps=options.timestamps) + paragraph.text
        for number, paragraph in enumerate(turn.paragraphs)
    ]


def _start(start: float, speaker: str | None, *, timestamps: bool) -> str:
    return (f"[{clock(start)}] " if timestamps else "") + (f"{speaker}: " if speaker else "")


FORMAT = Format(
    name="TXT",
    description="Plain text, a paragraph a turn; long turns in several.",
    media_type="text/plain; charset=utf-8",
    extension="txt",
    options=TextOptions,
    write=write,
)
