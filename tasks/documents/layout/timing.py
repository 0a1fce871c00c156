"""The words of a segment with times and spaces, complete and in order, whatever the aligner left open."""

from collections.abc import Iterator

import msgspec

from db.domain.values import Segment

_GAP_CHARS = 32
"""The distance behind a word at which the next one is looked for in the segment's text; what lies farther off is
another text.
"""


class TimedWord(msgspec.Struct, frozen=True, gc=False):
    """A word or a part of one; `space` says that one stands before it; seconds that never decrease."""

    text: str
    space: bool
    start: float
    end: float


def timed_words(segment: Segment) -> list[TimedWord]:
    """Return the segment's words with times that never decrease, and with the spaces that its text has between them."""
    if not segment.words:
        return list(_spread(segment))
    found, position, now = [], 0, segment.start
    text = segment.text
    for word in segment.words:
        if text.startswith(word.text, position):
            space = False
            position += len(word.text)
        else:
            place = text.find(word.text, position, position + _GAP_CHARS + len(word.text))
            space, position = True, place + len(word.text) if place >= 0 else position
        start, end = word.start, word.end
        if start is not None and start > now:
            now = start
        start = now
        if end is not None and end > now:
            now = end
        found.append(TimedWord(word.text, space, start, now))
    return found


def _spread(segment: Segment) -> Iterator[TimedWord]:
    """Yield the words of a text without word times, spread over the segment by their length."""
    texts = segment.text.split()
    step = max(0.0, segment.end - segment.start) / max(1, sum(map(len, texts)))
    now = segment.start
    for number, text in enumerate(texts):
        after = now + step * len(text)
        yield TimedWord(text, number > 0, now, after)
        now = after
