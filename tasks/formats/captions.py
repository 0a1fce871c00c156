"""Captions: a transcript cut into pieces that fit on a screen and can be read in their time."""

import textwrap
from collections.abc import Iterator, Sequence
from math import inf

import msgspec

from db.values import Segment, Word
from tasks.formats.document import Layout

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")
_CLAUSE_ENDS = (",", ";", ":", "、", "，", "；", "：")
_PAUSE_SECONDS = 0.6


class Caption(msgspec.Struct, frozen=True):
    """One screenful; seconds from the start of the recording."""

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: int | None = None


def captions(segments: Sequence[Segment], layout: Layout) -> list[Caption]:
    """Every word in order, on one screen each: no screen is longer than the layout allows, none overlaps the next, and
    one that is too short to read stays until the next begins or it can be read.
    """
    raw = [caption for segment in segments for caption in _of_segment(segment, layout)]
    return list(_readable(raw, layout))


def _of_segment(segment: Segment, layout: Layout) -> Iterator[Caption]:
    words = segment.words or (Word(segment.text, segment.start, segment.end),)
    group: list[Word] = []
    for index, word in enumerate(words):
        if group and not _fits([*group, word], segment, layout):
            cut = _best_cut(group)
            yield _caption(group[:cut], segment, layout)
            group = group[cut:]
            if group and not _fits([*group, word], segment, layout):
                yield _caption(group, segment, layout)
                group = []
        group.append(word)
        pause = index + 1 < len(words) and (words[index + 1].start or 0.0) - (word.end or 0.0) > _PAUSE_SECONDS
        if pause and word.text.endswith(_SENTENCE_ENDS):
            yield _caption(group, segment, layout)
            group = []
    if group:
        yield _caption(group, segment, layout)


def _fits(words: Sequence[Word], segment: Segment, layout: Layout) -> bool:
    start, end = _span(words, segment)
    return end - start <= layout.max_seconds and len(_wrap(_text(words), layout)) <= layout.max_lines


def _best_cut(words: Sequence[Word]) -> int:
    """Behind the last sentence in the second half, or the last clause there, or everything."""
    half = len(words) // 2
    for ends in (_SENTENCE_ENDS, _CLAUSE_ENDS):
        for cut in range(len(words), half, -1):
            if words[cut - 1].text.endswith(ends):
                return cut
    return len(words)


def _caption(words: Sequence[Word], segment: Segment, layout: Layout) -> Caption:
    start, end = _span(words, segment)
    return Caption(start, end, tuple(_wrap(_text(words), layout)), segment.speaker)


def _span(words: Sequence[Word], segment: Segment) -> tuple[float, float]:
    start = words[0].start if words[0].start is not None else segment.start
    end = words[-1].end if words[-1].end is not None else segment.end
    return start, max(start, end)


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _wrap(text: str, layout: Layout) -> list[str]:
    """Lines as even as they can be, in as few lines as are needed."""
    lines = textwrap.wrap(text, layout.max_chars_per_line, break_on_hyphens=False) or [text]
    for width in range(max(1, len(text) // len(lines)), layout.max_chars_per_line):
        even = textwrap.wrap(text, width, break_on_hyphens=False)
        if len(even) == len(lines):
            return even
    return lines


def _readable(raw: Sequence[Caption], layout: Layout) -> Iterator[Caption]:
    for caption, after in zip(raw, [*(caption.start for caption in raw[1:]), inf], strict=False):
        chars = sum(len(line) for line in caption.lines)
        readable = caption.start + min(layout.max_seconds, max(layout.min_seconds, chars / layout.max_chars_per_second))
        end = min(max(caption.end, readable), max(after, caption.start))
        yield msgspec.structs.replace(caption, end=round(end, 3))
