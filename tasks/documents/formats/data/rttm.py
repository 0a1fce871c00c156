"""RTTM (NIST Rich Transcription): who speaks when, for tools that score or train diarization."""

from collections.abc import Iterator

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import field, unique
from tasks.documents.layout.timing import timed_words
from tasks.documents.options import Options

_JOINED_SECONDS = 0.5
"""Words of one speaker that are no farther apart are one turn."""


def write(document: Document, _options: Options) -> bytes:
    """Return a line a turn of a known speaker; spaces in names become `_`, and different names stay different."""
    uri = field(document.title)
    names = unique([field(speaker.name) for speaker in document.speakers])
    rows = [
        f"SPEAKER {uri} 1 {start:.3f} {end - start:.3f} <NA> <NA> {names[speaker]} <NA> <NA>\n"
        for start, end, speaker in sorted(_turns(document))
        if round(end - start, 3) > 0
    ]
    return "".join(rows).encode()


def _turns(document: Document) -> Iterator[tuple[float, float, int]]:
    """Yield start, end and speaker of each stretch of words."""
    known = len(document.speakers)
    open_: dict[int, tuple[float, float]] = {}
    for segment in document.segments:
        speakers = [word.speaker for word in segment.words] or [None] * len(timed_words(segment))
        for word, speaker in zip(timed_words(segment), speakers, strict=True):
            index = segment.speaker if speaker is None else speaker
            if index is None or not 0 <= index < known:
                continue
            start, end = open_.get(index, (word.start, word.start))
            if word.start > end + _JOINED_SECONDS:
                yield start, end, index
                start, end = word.start, word.start
            open_[index] = (min(start, word.start), max(end, word.end))
    yield from ((start, end, index) for index, (start, end) in open_.items())


FORMAT = Format(
    name="RTTM",
    description="RTTM (NIST): who speaks when, for tools that score or train diarization.",
    media_type="text/plain; charset=utf-8",
    extension="rttm",
    options=Options,
    write=write,
)
