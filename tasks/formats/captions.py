"""Captions: a transcript cut into pieces that fit on a screen and can be read in their time.

Each segment is cut where that is least bad, by dynamic programming over its words (after Knuth and Plass, "Breaking
Paragraphs into Lines", 1981): behind sentences, clauses and pauses rather than in between, and in pieces of like size.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from math import ceil, inf
from typing import NamedTuple

import msgspec

from db.domain.values import Segment
from tasks.formats.document import Layout

_SENTENCE_ENDS = tuple(".?!…。？！؟۔।")
_CLAUSE_ENDS = tuple(",;:、，；：،–—")
_PAUSE_SECONDS = 0.4


class Caption(msgspec.Struct, frozen=True):
    """One screenful; seconds from the start of the recording."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: int | None = None


class _Piece(NamedTuple):
    """A word, or a part of one that is longer than a line; `space` when one stands before it."""

    text: str
    space: bool
    start: float
    end: float


def captions(segments: Sequence[Segment], layout: Layout) -> list[Caption]:
    """Every word once and in order, by start. No caption has more or longer lines than the layout allows; none lasts
    longer, and one that is too short to be read stays until it can be, or the next begins.
    """
    spoken = [caption for segment in segments for caption in _of_segment(segment, layout)]
    return list(_readable(sorted(spoken, key=lambda caption: caption.start), layout))


def _of_segment(segment: Segment, layout: Layout) -> Iterator[Caption]:
    pieces = list(_pieces(segment, layout))
    cuts = _cuts(pieces, layout)
    for first, last in pairwise(cuts):
        part = pieces[first:last]
        lines = tuple(_lines(part, _narrowest(part, layout)))
        end = min(part[-1].end, part[0].start + layout.max_seconds)
        yield Caption(part[0].start, end, lines, segment.speaker)


def _pieces(segment: Segment, layout: Layout) -> Iterator[_Piece]:
    """The segment's words with times that never decrease, and with the spaces that its text has between them."""
    texts = [(word.text, word.start, word.end) for word in segment.words] or [
        (text, None, None) for text in segment.text.split()
    ]
    if not segment.words and texts:  # spread by length
        texts = list(_spread(segment, [text for text, _, _ in texts]))
    position, now = 0, segment.start
    for text, start, end in texts:
        place = segment.text.find(text, position)
        space = place != position if place >= 0 else True
        position = place + len(text) if place >= 0 else position
        began = max(now, start if start is not None else now)
        now = max(began, end if end is not None else began)
        for offset in range(0, len(text), layout.max_chars_per_line):
            part = text[offset : offset + layout.max_chars_per_line]
            yield _Piece(part, space and offset == 0, began, now)


def _spread(segment: Segment, texts: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    step = (segment.end - segment.start) / max(1, sum(map(len, texts)))
    now = segment.start
    for text in texts:
        yield text, now, now + step * len(text)
        now += step * len(text)


def _cuts(pieces: Sequence[_Piece], layout: Layout) -> list[int]:
    """Where captions begin, and the end: the cheapest way through the pieces."""
    chars = [0, *accumulate(len(piece.text) + piece.space for piece in pieces)]
    best = [0.0] + [inf] * len(pieces)
    came = [0] * (len(pieces) + 1)
    for first in range(len(pieces)):
        for last in _reach(pieces, first, layout):
            cost = best[first] + _badness(pieces, first, last, chars[last] - chars[first], layout)
            if cost < best[last]:
                best[last], came[last] = cost, first
    cuts = [len(pieces)]
    while cuts[-1] > 0:
        cuts.append(came[cuts[-1]])
    return cuts[::-1]


def _reach(pieces: Sequence[_Piece], first: int, layout: Layout) -> Iterator[int]:
    """Ends of captions that begin at `first` and fit; at least one piece does."""
    lines, width = 1, 0
    for last in range(first, len(pieces)):
        piece = pieces[last]
        wider = width + piece.space + len(piece.text) if width else len(piece.text)
        lines, width = (lines, wider) if wider <= layout.max_chars_per_line else (lines + 1, len(piece.text))
        if last > first and (lines > layout.max_lines or piece.end - pieces[first].start > layout.max_seconds):
            return
        yield last + 1


def _badness(pieces: Sequence[_Piece], first: int, last: int, chars: int, layout: Layout) -> float:
    """What a caption costs: one more to read, a poor place to cut, too little time, an uneven size."""
    part, cost = pieces[last - 1], 1.0
    if last < len(pieces):
        pause = pieces[last].start - part.end
        ends_well = 0.0 if part.text.endswith(_SENTENCE_ENDS) else 0.5 if part.text.endswith(_CLAUSE_ENDS) else 2.0
        cost += ends_well - min(1.0, pause / _PAUSE_SECONDS)
        cost += 4.0 * (not pieces[last].space and pieces[last].start == part.start)  # inside a long word
    seconds = max(part.end - pieces[first].start, 0.001)
    cost += 2.0 * max(0.0, 1.0 - seconds / layout.min_seconds) if layout.min_seconds else 0.0
    cost += min(2.0, max(0.0, chars / layout.max_chars_per_second / seconds - 1.0))
    return cost + 2.0 * (1.0 - chars / (layout.max_chars_per_line * layout.max_lines)) ** 2


def _narrowest(pieces: Sequence[_Piece], layout: Layout) -> int:
    """The width that makes the lines even, without needing more of them."""
    needed = len(_lines(pieces, layout.max_chars_per_line))
    low = ceil(sum(len(piece.text) for piece in pieces) / needed)
    high = layout.max_chars_per_line
    while low < high:
        middle = (low + high) // 2
        if len(_lines(pieces, middle)) <= needed:
            high = middle
        else:
            low = middle + 1
    return high


def _lines(pieces: Sequence[_Piece], width: int) -> list[str]:
    lines = [""]
    for piece in pieces:
        text = lines[-1] + " " * (piece.space and bool(lines[-1])) + piece.text
        if not lines[-1] or len(text) <= width:
            lines[-1] = text
        else:
            lines.append(piece.text)
    return lines


def _readable(spoken: Sequence[Caption], layout: Layout) -> Iterator[Caption]:
    """Longer where it helps; what people say at the same time may be on the screen at the same time."""
    starts = [*(caption.start for caption in spoken), inf][1:]
    for caption, after in zip(spoken, starts, strict=True):
        chars = sum(len(line) for line in caption.lines)
        seconds = min(layout.max_seconds, max(layout.min_seconds, chars / layout.max_chars_per_second))
        end = max(caption.end, min(caption.start + seconds, after))
        yield msgspec.structs.replace(caption, start=round(caption.start, 3), end=round(end, 3))
