"""CTM (NIST sclite): a word a line with its time, for tools that score recognition."""

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import field
from tasks.documents.layout.timing import timed_words
from tasks.documents.options import Options


def write(document: Document, _options: Options) -> bytes:
    """Return recording, channel, start, length, word and confidence; a word with spaces becomes several."""
    uri = field(document.title)
    rows = []
    for segment in document.segments:
        words = timed_words(segment)
        confidences = [word.confidence for word in segment.words] or [segment.confidence] * len(words)
        for word, confidence in zip(words, confidences, strict=True):
            parts = [field(part) for part in word.text.split()]
            step = (word.end - word.start) / max(1, len(parts))
            score = "" if confidence is None else f" {confidence:.3f}"
            rows += [
                (word.start + step * number, f"{uri} 1 {word.start + step * number:.3f} {step:.3f} {part}{score}\n")
                for number, part in enumerate(parts)
            ]
    rows.sort(key=lambda row: row[0])  # as sclite wants them
    return "".join(row for _, row in rows).encode()


FORMAT = Format(
    name="CTM",
    description="CTM (NIST): a word a line with its time and confidence, for tools that score recognition.",
    media_type="text/plain; charset=utf-8",
    extension="ctm",
    options=Options,
    write=write,
)
