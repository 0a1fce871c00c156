"""Captions: a transcript cut into pieces that fit on a screen and can be read in their time.

Each segment is cut where that is least bad, by dynamic programming over its words (after Knuth and Plass, "Breaking
Paragraphs into Lines", 1981): behind sentences, clauses and pauses rather than in between, and in pieces of like size.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import inf

import msgspec

from db.domain.values import Segment
from tasks.documents.layout.breaking import CHEAP_CUT, INNER_END, Words, balanced, columns, cut_costs, halves, pieces
from tasks.documents.layout.timing import TimedWord, timed_words
from tasks.documents.options import Layout

_SHORTEST = 0.001
NameOf = Callable[[int | None], str | None]


class Caption(msgspec.Struct, frozen=True):
    """One screenful; seconds from the start of the recording.

    `words` are the lines' pieces with their times, where those are asked for; `label` is the name that the first line
    begins with, if any.
    """

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: int | None = None
    label: str = ""
    words: tuple[tuple[TimedWord, ...], ...] = ()


def captions(
    segments: Sequence[Segment], layout: Layout, name_of: NameOf | None = None, *, timed: bool = False
) -> list[Caption]:
    """Return every word once and in order, by start.

    No caption has more or longer lines than the layout allows; none lasts longer, and one that is too short to be read
    stays until it can be, or until just before the next begins. A line is cut within a word only when the word is
    longer than a line. With `layout.speaker_labels` and `name_of`, a caption says who speaks where that changes. With
    `timed`, a caption has its words.
    """
    found: list[Caption] = []
    for segment, label, every in _labelled(segments, layout, name_of):
        found += _of_segment(segment, layout, label, every=every, timed=timed)
    found.sort(key=lambda caption: caption.start)
    return list(_readable(found, layout))


def _labelled(
    segments: Sequence[Segment], layout: Layout, name_of: NameOf | None
) -> Iterator[tuple[Segment, str, bool]]:
    """Yield each segment with its label, and whether all of its captions need that: others speak at the same time."""
    if not layout.speaker_labels or name_of is None:
        yield from ((segment, "", False) for segment in segments)
        return
    room = layout.max_chars_per_line // 2
    before, busy_until = -1, -inf  # the last speaker, None being nobody in particular
    starts = [*(segment.start for segment in segments), inf][1:]
    for segment, after in zip(segments, starts, strict=True):
        name = name_of(segment.speaker) or ""
        name = name if len(name) <= room else name[: room - 1].rstrip() + "…"
        every = segment.start < busy_until or after < segment.end
        changed = segment.speaker != before
        yield segment, f"{name}: " if name and (changed or every) else "", every
        before = segment.speaker if segment.speaker is not None else -1
        busy_until = max(busy_until, segment.end)


def _of_segment(segment: Segment, layout: Layout, label: str, *, every: bool, timed: bool) -> Iterator[Caption]:
    whole = _whole(segment, layout, label, timed=timed)
    if whole is not None:
        yield whole
        return
    parts = pieces(timed_words(segment), layout.max_chars_per_line)
    widths = [columns(part.text) for part in parts]
    cuts = _cuts(parts, widths, layout, columns(label), every=every)
    for first, last in pairwise(cuts):
        part = parts[first:last]
        fits = columns(label) + widths[first] <= layout.max_chars_per_line  # the first word beside its label
        shown = label if fits and (first == 0 or every) else ""
        words = balanced(part, widths[first:last], layout.max_chars_per_line, columns(shown))
        lines = ["".join([" " + word.text if word.space else word.text for word in line]).lstrip() for line in words]
        lines[0] = shown + lines[0]
        end = min(part[-1].end, part[0].start + layout.max_seconds)
        yield Caption(part[0].start, end, tuple(lines), segment.speaker, shown, words if timed else ())


def _whole(segment: Segment, layout: Layout, label: str, *, timed: bool) -> Caption | None:
    """Return the segment as one caption of one or two lines where `_cuts` would find nothing better; most are so.

    An answer without a look at every word: one caption more costs 1 and a cut, which nothing inside makes cheap.
    """
    text, words = segment.text, segment.words
    if not words or INNER_END.search(text) or columns(text) != len(text):
        return None
    begin, end = words[0].start, words[-1].end
    if begin is None or end is None or not segment.start <= begin <= end <= begin + layout.max_seconds:
        return None
    room = layout.max_chars_per_line * layout.max_lines
    chars = len(label) + len(text)
    if chars > room or _discomfort(chars, end - begin, room, layout) > CHEAP_CUT:
        return None
    same = " ".join([word.text for word in words]) == text and text.count(" ") == len(words) - 1
    lines = halves(label + text, layout.max_chars_per_line, len(label)) if same else None
    if lines is None or len(lines) > layout.max_lines:
        return None
    shown: tuple[Words, ...] = ()
    if timed:
        parts, first = tuple(timed_words(segment)), lines[0].count(" ", len(label)) + 1
        shown = (parts,) if len(lines) == 1 else (parts[:first], parts[first:])
    return Caption(begin, end, lines, segment.speaker, label, shown)


def _cuts(parts: Sequence[TimedWord], widths: Sequence[int], layout: Layout, label: int, *, every: bool) -> list[int]:
    """Return where captions begin, and the end: the cheapest way through the parts."""
    count = len(parts)
    if not count:
        return [0]
    line, most, longest = layout.max_chars_per_line, layout.max_lines, layout.max_seconds
    room = line * most
    spaces = [part.space for part in parts]
    ends = [part.end for part in parts]
    costs = cut_costs(parts)
    best = [0.0] + [inf] * count
    came = [0] * (count + 1)
    for first in range(count):
        begin, lines = parts[first].start, 1
        head = label if (first == 0 or every) and label + widths[first] <= line else 0
        chars = width = head - spaces[first]
        base = best[first] + 1.0
        for last in range(first, count):
            wide = widths[last] + spaces[last]
            width += wide
            if width > line and last > first:
                lines += 1
                width = widths[last]
            seconds = ends[last] - begin
            if last > first and (lines > most or seconds > longest):
                break
            chars += wide
            cost = base + costs[last + 1]
            if cost >= best[last + 1]:  # what follows makes it no cheaper
                continue
            cost += _discomfort(chars, seconds, room, layout)
            if cost < best[last + 1]:
                best[last + 1], came[last + 1] = cost, first
        if first == 0 and best[count] <= 2.0 + min(costs[1:count], default=0.0):
            return [0, count]  # one caption more costs 1 and a cut
    cuts = [count]
    while cuts[-1] > 0:
        cuts.append(came[cuts[-1]])
    return cuts[::-1]


def _discomfort(chars: int, seconds: float, room: int, layout: Layout) -> float:
    """Return the cost of too little time to see and to read, and of an uneven size."""
    seconds = max(seconds, 0.001)
    cost = 2.0 * (1.0 - chars / room) ** 2
    if seconds < layout.min_seconds:
        cost += 2.0 - 2.0 * seconds / layout.min_seconds
    hurry = chars / layout.max_chars_per_second / seconds - 1.0
    return cost + min(2.0, hurry) if hurry > 0 else cost


def _readable(spoken: Sequence[Caption], layout: Layout) -> Iterator[Caption]:
    """Yield the captions with longer times where that helps, and a gap between them.

    Words said at the same time may be on the screen at the same time.
    """
    starts = [*(caption.start for caption in spoken), inf][1:]
    for caption, after in zip(spoken, starts, strict=True):
        chars = sum(map(len, caption.lines))
        wanted = min(layout.max_seconds, max(layout.min_seconds, chars / layout.max_chars_per_second))
        end = max(caption.end, min(caption.start + wanted, after))
        if caption.end <= after < end + layout.min_gap_seconds:
            end = max(after - layout.min_gap_seconds, (caption.start + after) / 2)
        start = round(caption.start, 3)
        end = max(round(end, 3), round(start + _SHORTEST, 3))  # a cue that ends when it begins is none
        yield Caption(start, end, caption.lines, caption.speaker, caption.label, caption.words)
