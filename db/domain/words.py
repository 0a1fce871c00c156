"""A segment's words as one compact text: columns of whole milliseconds and thousandths, a fifth of rows of objects.

`[["Hello,","world"],[0,420],[400,800],[981,null],"AA",[0,0],[1]]`: text, start, end, confidence, timing, speaker, and
the places of the words that a person has reviewed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from db.domain.values import Word, WordTiming

_LETTER = {WordTiming.ALIGNED: "A", WordTiming.INTERPOLATED: "I", WordTiming.ATTENDED: "W", WordTiming.ESTIMATED: "E"}
_TIMING = {letter: timing for timing, letter in _LETTER.items()}


class Columns(NamedTuple):
    """Six columns of one length, times in milliseconds and confidence in thousandths; the places of reviewed words."""

    text: list[str]
    start: list[int | None]
    end: list[int | None]
    confidence: list[int | None]
    timing: str
    speaker: list[int | None]
    reviewed: tuple[int, ...] = ()  # texts packed before there were reviews end without it


_decoder = msgspec.json.Decoder(Columns)


def pack(words: Sequence[Word]) -> str:
    """Pack words into text."""
    return repack(
        Columns(
            [w.text for w in words],
            [_thousandths(w.start) for w in words],
            [_thousandths(w.end) for w in words],
            [_thousandths(w.confidence) for w in words],
            "".join(_LETTER[w.timing] for w in words),
            [w.speaker for w in words],
            tuple(place for place, w in enumerate(words) if w.reviewed),
        )
    )


def repack(words: Columns) -> str:
    """Pack columns into text."""
    return msgspec.json.encode(words).decode()


def columns(packed: str) -> Columns:
    """Unpack text into columns, without making an object of each word."""
    return _decoder.decode(packed)


def unpack(packed: str) -> tuple[Word, ...]:
    """Unpack text into words."""
    c = columns(packed)
    reviewed = set(c.reviewed)
    return tuple(
        Word(text, _unit(start), _unit(end), _unit(confidence), _TIMING[letter], speaker, place in reviewed)
        for place, (text, start, end, confidence, letter, speaker) in enumerate(zip(*c[:6], strict=True))
    )


def _thousandths(value: float | None) -> int | None:
    return None if value is None else round(value * 1000)


def _unit(value: int | None) -> float | None:
    return None if value is None else value / 1000
