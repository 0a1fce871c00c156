"""Lines: how wide text is, where it may be cut, and how it is spread over lines of like length."""

import re
from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from unicodedata import combining, east_asian_width

from tasks.documents.layout.timing import TimedWord

_SENTENCE_ENDS = frozenset(".?!…。？！؟۔।")
_CLAUSE_ENDS = frozenset(",;:、，；：،–—")
INNER_END = re.compile(r"[.?!…。？！؟۔।,;:、，；：،–—]\s")
_NEVER_FIRST = tuple("。、，．・：；？！」』）］｝〉》】ー々…‥ッャュョっゃゅょ.,;:?!)]}%")
"""Marks and small kana that no line begins with (JIS X 4051, kinsoku)."""
_PAUSE_SECONDS = 0.4
CHEAP_CUT = 2.0
"""The discomfort that one caption may cost before two could be better, where no mark of `INNER_END` stands inside:
two cost 1 more and a cut of at least 1, a word's end at a long pause.
"""
_FIRST_WIDE = "\u1100"

Words = tuple[TimedWord, ...]


def columns(text: str) -> int:
    """Return how wide a text is, in columns: wide East Asian characters take two."""
    if text.isascii() or max(text) < _FIRST_WIDE:
        return len(text)
    return len(text) + sum(east_asian_width(char) in {"W", "F"} for char in text)


def pieces(words: list[TimedWord], line: int) -> list[TimedWord]:
    """Return the words, those longer than a line in parts that fit, with their time shared out; no space in any."""
    texts = [word.text for word in words]
    if max(map(len, texts), default=0) * 2 <= line and " " not in "".join(texts):
        return words
    return [part for word in words for part in _parts(word, line)]


def _parts(word: TimedWord, line: int) -> list[TimedWord]:
    texts = [(text, number > 0) for number, text in enumerate(word.text.split())]
    texts = [(part, space and not place) for text, space in texts for place, part in enumerate(_chunks(text, line))]
    step = (word.end - word.start) / max(1, len(texts))
    return [
        TimedWord(
            text,
            space or (word.space and number == 0),
            word.start + step * number,
            word.start + step * (number + 1),
        )
        for number, (text, space) in enumerate(texts)
    ]


def _chunks(word: str, line: int) -> list[str]:
    if columns(word) <= line:
        return [word]
    texts, first, width = [], 0, 0
    for place, char in enumerate(word):
        wide = 1 + (east_asian_width(char) in {"W", "F"})
        if width + wide > line:
            last = place
            while last > first + line // 2 and combining(word[last]):  # marks stay with their letter
                last -= 1
            texts.append(word[first:last])
            first, width = last, columns(word[last:place])
        width += wide
    return [*texts, word[first:]]


def halves(text: str, line: int, label: int = 0) -> tuple[str, ...] | None:
    """Return a narrow text in one line or two even ones, cut at a space behind its label; None where it needs more."""
    if len(text) <= line:
        return (text,)
    middle = len(text) // 2
    left, right = text.rfind(" ", label, middle + 1), text.find(" ", max(middle, label))
    place = left if right < 0 or (left > label and middle - left <= right - middle) else right
    if place <= label or place > line or len(text) - place - 1 > line:
        return None
    return text[:place], text[place + 1 :]


def cut_costs(parts: Sequence[TimedWord]) -> list[float]:
    """Return what it costs to cut before each part, and behind the last, which costs nothing."""
    costs = [0.0]
    for before, after in pairwise(parts):
        last = before.text[-1:]
        cost = 0.0 if last in _SENTENCE_ENDS else 0.5 if last in _CLAUSE_ENDS else 2.0
        pause = after.start - before.end
        if pause > 0:
            cost -= min(1.0, pause / _PAUSE_SECONDS)
        if not after.space and after.text.startswith(_NEVER_FIRST):
            cost += 4.0
        costs.append(cost)
    costs.append(0.0)
    return costs


def balanced(parts: Sequence[TimedWord], widths: Sequence[int], line: int, label: int = 0) -> tuple[Words, ...]:
    """Return the parts in as few lines as they need, as even as those allow; `label` columns are taken in the first.

    `widths` are those of the parts.
    """
    wide = [width + part.space for width, part in zip(widths, parts, strict=True)]
    total = label + sum(wide) - parts[0].space
    if total <= line:
        return (tuple(parts),)
    ends = _ends(parts, wide, line, label)
    low, high = ceil(total / len(ends)) - 1, line
    while low < high:
        middle = (low + high) // 2
        narrow = _ends(parts, wide, middle, label)
        if len(narrow) <= len(ends):
            high, ends = middle, narrow
        else:
            low = middle + 1
    return tuple(tuple(parts[first:last]) for first, last in zip([0, *ends], ends, strict=False))


def _ends(parts: Sequence[TimedWord], widths: Sequence[int], line: int, label: int) -> list[int]:
    """Return where lines end that are filled one after the other."""
    ends, width = [], label - parts[0].space
    for place, wide in enumerate(widths):
        if width + wide <= line or place == 0:
            width += wide
        else:
            ends.append(place)
            width = wide - parts[place].space
    return [*ends, len(parts)]
