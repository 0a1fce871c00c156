"""New wording over old words: kept words keep their times, the others get a place among them. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

import msgspec

from db.domain.values import Word, WordTiming

_HAN_OR_KANA = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(rf"[{_HAN_OR_KANA}][^\w\s]*|[^\s{_HAN_OR_KANA}]+")
_LETTERS = re.compile(r"[^\w]+")


def split(text: str, *, spaced: bool) -> list[str]:
    """Return a text's words; without spaces between words, each character of such a script is one."""
    return text.split() if spaced else _UNSPACED.findall(text)


def spaced(text: str, words: Sequence[Word]) -> bool:
    """Tell whether this text has its words apart, as most languages do."""
    return len(words) < 2 or len(text.split()) >= len(words) / 2


MOST_COMPARED = 100_000
"""So many pairs of words are compared at most; comparing takes time in the product of both lengths."""


def retime(old: Sequence[Word], texts: Sequence[str], start: float, end: float) -> list[Word]:
    """Return words for a new text within start..end. Starts never decrease and ends are never before starts.

    Words that the text changes or adds count as reviewed: a person wrote them.
    """
    found: list[Word] = []
    for kind, i, i_end, j, j_end in _changes([_bare(word.text) for word in old], [_bare(text) for text in texts]):
        if kind == "equal" or (kind == "replace" and i_end - i == j_end - j):  # kept, or respelt one for one
            found += [_respelt(word, text) for word, text in zip(old[i:i_end], texts[j:j_end], strict=True)]
        elif kind != "delete":
            left = _first([old[i].start] if i < i_end else [], (word.end for word in reversed(old[:i])), start)
            right = _first([old[i_end - 1].end] if i < i_end else [], (word.start for word in old[i_end:]), end)
            speaker = old[min(i, len(old) - 1)].speaker if old else None
            found += _placed(texts[j:j_end], left, right, speaker)
    return _in_order(found, start)


def _changes(old: list[str], new: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield how the old words become the new ones, as `SequenceMatcher.get_opcodes` does, in bounded time: what both
    have in common at either end is not compared, and of very different long texts the middle is replaced whole.
    """
    least = min(len(old), len(new))
    head = next((n for n in range(least) if old[n] != new[n]), least)
    tail = next((n for n in range(least - head) if old[-1 - n] != new[-1 - n]), least - head)
    old_end, new_end = len(old) - tail, len(new) - tail
    if head:
        yield "equal", 0, head, 0, head
    if (old_end - head) * (new_end - head) <= MOST_COMPARED:
        matcher = SequenceMatcher(None, old[head:old_end], new[head:new_end], autojunk=False)
        for kind, i, i_end, j, j_end in matcher.get_opcodes():
            yield kind, head + i, head + i_end, head + j, head + j_end
    else:
        yield "replace", head, old_end, head, new_end
    if tail:
        yield "equal", old_end, len(old), new_end, len(new)


def _first(own: Iterable[float | None], others: Iterable[float | None], otherwise: float) -> float:
    """Return the first time that is known."""
    return next((time for time in (*own, *others) if time is not None), otherwise)


def _respelt(word: Word, text: str) -> Word:
    return word if word.text == text else msgspec.structs.replace(word, text=text, reviewed=True)


def _placed(texts: Sequence[str], start: float, end: float, speaker: int | None) -> list[Word]:
    """Spread words over a stretch of time by their length; without room, at its beginning."""
    end = max(start, end)
    edges = [0, *accumulate(len(text) for text in texts)]
    step = (end - start) / max(1, edges[-1])
    return [
        Word(text, start + step * left, start + step * right, None, WordTiming.INTERPOLATED, speaker, reviewed=True)
        for text, left, right in zip(texts, edges, edges[1:], strict=False)
    ]


def _in_order(words: Sequence[Word], start: float) -> list[Word]:
    found, now = [], start
    for word in words:
        if word.start is None or word.end is None:
            found.append(word)
            continue
        began = max(now, word.start)
        moved = began != word.start or word.end < began
        found.append(msgspec.structs.replace(word, start=began, end=max(began, word.end)) if moved else word)
        now = began
    return found


def _bare(text: str) -> str:
    return _LETTERS.sub("", text).casefold() or text
