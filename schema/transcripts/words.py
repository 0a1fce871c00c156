"""Words: unpacked from a segment's columns only when they are asked for."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import compress
from typing import Any

import msgspec
import strawberry

from db.domain.words import Columns, columns
from db.models import SegmentRow, Transcript
from db.transcripts import segments
from db.transcripts.segments import SegmentFilter
from schema.base import connections
from schema.base.connections import ConnectionView, EdgeView
from schema.base.context import Context
from schema.base.enums import WordTiming
from schema.base.fields import field
from schema.base.speakers import Speaker, SpeakerView

MOST = 1000
"""The most words a page may have."""

_ORDER = "Word"
_TIMING = {"A": WordTiming.ALIGNED, "I": WordTiming.INTERPOLATED, "W": WordTiming.ATTENDED, "E": WordTiming.ESTIMATED}


class WordView(msgspec.Struct):
    """A word at run time."""

    index: int
    text: str
    start: float | None
    end: float | None
    confidence: float | None
    timing: WordTiming
    speaker: SpeakerView | None


@strawberry.type(description="A word as written, with its punctuation.")
class Word:
    """WordView in the graph."""

    index: int = field("Its place in the transcript, from 0.")
    text: str = field("The word, with its punctuation.")
    start: float | None = field("Where it begins, in seconds.")
    end: float | None = field("Where it ends, in seconds.")
    confidence: float | None = field("How sure the aligner is of it, 0..1.")
    timing: WordTiming = field("Where the times come from.")
    speaker: Speaker | None = field("Who says it.")


class Wanted(msgspec.Struct, frozen=True):
    """Which words: those that touch a stretch of time (seconds), those not surer than a confidence."""

    between: tuple[float, float] | None = None
    max_confidence: float | None = None

    def takes(self, word: WordView, segment: SegmentRow) -> bool:
        """Whether this is one; a word without times counts as lying over its whole segment."""
        if self.between is not None:
            start = segment.start_ms / 1000 if word.start is None else word.start
            end = segment.end_ms / 1000 if word.end is None else word.end
            if end <= self.between[0] or start >= self.between[1]:
                return False
        return self.max_confidence is None or (word.confidence is not None and word.confidence <= self.max_confidence)

    @property
    def everything(self) -> bool:
        """Whether every word is one."""
        return self.between is None and self.max_confidence is None


def unpack(packed: str, first: int, voices: Mapping[int | None, SpeakerView]) -> list[WordView]:
    """A segment's words; `first` is the index of its first."""
    c = columns(packed)
    return [
        WordView(
            index,
            text,
            None if start is None else start / 1000,
            None if end is None else end / 1000,
            None if confidence is None else confidence / 1000,
            _TIMING[timing],
            voices.get(speaker),
        )
        for index, (text, start, end, confidence, timing, speaker) in enumerate(zip(*c, strict=True), first)
    ]


@strawberry.type(description="Words as five arrays of one length: word i is the i-th entry of each.")
class WordColumns:
    """ColumnsView in the graph."""

    text: list[str] = field("The words, with their punctuation.")
    start: list[float | None] = field("Where each begins, in seconds.")
    end: list[float | None] = field("Where each ends, in seconds.")
    confidence: list[float | None] = field("How sure the aligner is of each, 0..1.")
    speaker: list[int | None] = field("Who says each, as an index into `Transcript.speakers`.")


class ColumnsView(msgspec.Struct):
    """Word columns at run time."""

    text: list[str]
    start: list[float | None]
    end: list[float | None]
    confidence: list[float | None]
    speaker: list[int | None]


def join(rows: Sequence[segments.Packed], places: Mapping[int | None, int], wanted: Wanted) -> ColumnsView:
    """The words of these segments, straight from their columns. `places`: a speaker's position -> index."""
    view = ColumnsView([], [], [], [], [])
    for row in rows:
        c = columns(row.words)
        if wanted.between is not None:
            c = _cut(c, row, wanted.between)
        view.text += c.text
        view.start += [None if ms is None else ms / 1000 for ms in c.start]
        view.end += [None if ms is None else ms / 1000 for ms in c.end]
        view.confidence += [None if sure is None else sure / 1000 for sure in c.confidence]
        view.speaker += [places.get(speaker) for speaker in c.speaker]
    return view


def _cut(c: Columns, row: segments.Packed, between: tuple[float, float]) -> Columns:
    """The words that touch a stretch of time; one without times counts as lying over its whole segment."""
    low, high = (1000 * edge for edge in between)
    keep = [
        (row.end_ms if end is None else end) > low and (row.start_ms if start is None else start) < high
        for start, end in zip(c.start, c.end, strict=True)
    ]
    return Columns(
        list(compress(c.text, keep)),
        list(compress(c.start, keep)),
        list(compress(c.end, keep)),
        list(compress(c.confidence, keep)),
        "".join(compress(c.timing, keep)),
        list(compress(c.speaker, keep)),
    )


async def paginate(
    context: Context, transcript: Transcript, wanted: Wanted, first: int | None, after: str | None
) -> ConnectionView:
    """One page of words. A cursor is the word's segment and its place therein, so it holds while segments are added."""
    size = 500 if first is None else first
    connections.check("first", size, MOST)
    start = None if after is None else connections.decode(after, int, str, int, name=_ORDER, argument="after")
    found: list[tuple[SegmentRow, int, WordView]] = []
    async with aclosing(_scan(context, transcript, wanted, start, size)) as entries:
        async for entry in entries:
            found.append(entry)
            if len(found) > size:
                break
    edges = [
        EdgeView(connections.encode(_ORDER, segment.start_ms, segment.key, place), word)
        for segment, place, word in found[:size]
    ]

    async def count() -> int:
        if not wanted.everything:
            return len([entry async for entry in _scan(context, transcript, wanted, None, MOST)])
        async with context.db.read() as session:
            return await segments.word_count(session, context.owner_id, transcript.id)

    return connections.connection(edges, count, more=len(found) > size, less=after is not None)


async def _scan(
    context: Context, transcript: Transcript, wanted: Wanted, start: tuple[Any, ...] | None, size: int
) -> AsyncGenerator[tuple[SegmentRow, int, WordView]]:
    voices: dict[int | None, SpeakerView] = {
        voice.position: voice for voice in await context.load.speakers.load(transcript.id) or ()
    }
    statement = segments.query(context.owner_id, transcript.id, SegmentFilter(between=wanted.between))
    batch = max(32, size // 6) if wanted.everything else None  # how far away the wanted ones are is not known
    async with context.db.read() as session:
        async for rows in segments.batches(session, statement, None if start is None else start[:2], batch):
            for row in rows:
                skip = start[2] + 1 if start is not None and (row.start_ms, row.key) == start[:2] else 0
                for place, word in enumerate(unpack(row.words, row.first_word, voices)[skip:], skip):
                    if wanted.takes(word, row):
                        yield row, place, word
