"""A transcript as people read it: sections of time, turns of one speaker, paragraphs of a readable length."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

import msgspec

from db.domain.values import Segment
from tasks.documents.document import Document
from tasks.documents.layout.languages import LANGUAGES

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
PARAGRAPH_CHARS = 600
"""A paragraph ends with the first segment behind this many characters."""


class Paragraph(msgspec.Struct, frozen=True):
    """A piece of a turn; `start` in seconds."""

    start: float
    text: str
    segments: tuple[Segment, ...]


class Turn(msgspec.Struct, frozen=True):
    """All that one speaker says before another does; `speaker` is None where speakers were not told apart."""

    speaker: str | None
    start: float
    paragraphs: tuple[Paragraph, ...]


class Section(msgspec.Struct, frozen=True):
    """A stretch of a long recording, or the whole of a short one."""

    title: str
    turns: tuple[Turn, ...]


SECTION_SECONDS = 600
LONG_SECONDS = 1200
"""A recording of at least this length has sections."""


def turns(document: Document) -> list[Turn]:
    """Return the transcript's turns, in order."""
    found = []
    for speaker, spoken in groupby(document.segments, key=lambda segment: segment.speaker):
        paragraphs = tuple(_paragraphs(list(spoken)))
        found.append(Turn(document.speaker(speaker), paragraphs[0].start, paragraphs))
    return found


def sections(document: Document) -> list[Section]:
    """Return the turns by section; a turn that lasts longer than its section goes on in the next."""
    everything = turns(document)
    if document.duration_seconds < LONG_SECONDS:
        return [Section("Transcript", tuple(everything))] if everything else []
    parts = [
        (number, Turn(turn.speaker, paragraphs[0].start, paragraphs))
        for turn in everything
        for number, found in groupby(turn.paragraphs, key=lambda paragraph: int(paragraph.start // SECTION_SECONDS))
        for paragraphs in [tuple(found)]
    ]
    return [
        Section(
            f"{clock(number * SECTION_SECONDS)} – {clock((number + 1) * SECTION_SECONDS)}",
            tuple(turn for _, turn in found),
        )
        for number, found in groupby(parts, key=lambda part: part[0])
    ]


def clock(seconds: float) -> str:
    """Return a time as `1:02:03`, hours always shown."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def date(epoch_ms: int) -> str:
    """Return a day as people write it, in UTC: `12 January 2026`."""
    day = datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def facts(document: Document, *, speakers: bool) -> list[tuple[str, str]]:
    """Return what stands at the head of a document that is handed to somebody: names and values."""
    found = [("Date", date(document.created_at)), ("Duration", clock(document.duration_seconds))]
    if document.language:
        found.append(("Language", LANGUAGES.get(document.language, document.language)))
    spoken = {segment.speaker for segment in document.segments}
    names = [speaker.name for index, speaker in enumerate(document.speakers) if index in spoken and speaker.name]
    if speakers and names:
        found.append(("Speakers", ", ".join(f"\u2068{name}\u2069" for name in names)))  # isolated: FSI, PDI
    return found


def _paragraphs(turn: Sequence[Segment]) -> Iterator[Paragraph]:
    first, length = 0, 0
    for last, segment in enumerate(turn, 1):
        length += len(segment.text)
        if length >= PARAGRAPH_CHARS or last == len(turn):
            part = tuple(turn[first:last])
            yield Paragraph(part[0].start, " ".join(segment.text for segment in part), part)
            first, length = last, 0
