"""Words: unpacked from a segment's columns only when they are asked for."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import strawberry

from db.domain.words import columns
from db.models import SegmentRow, Transcript
from db.transcripts import segments
from db.transcripts.segments import SegmentFilter
from schema.base import connections
from schema.base.connections import ConnectionView, EdgeView
from schema.base.context import Context
from schema.base.enums import WordTiming
from schema.base.fields import field
from schema.base.speakers import SpeakerView
from schema.transcripts.speakers import Speaker

MOST = 1000
"""The most words a page may have."""

SECONDS_A_POINT = 10
"""So long a recording costs a point to be searched for words of some kind."""

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
    reviewed: bool


@strawberry.type(description="A word as written, with its punctuation.")
class Word:
    """WordView in the graph."""

    index: int = field("Its place in the transcript, from 0.")
    text: str = field("The word, with its punctuation.")
    start: float | None = field("The time at which it begins, in seconds.")
    end: float | None = field("The time at which it ends, in seconds.")
    confidence: float | None = field("The aligner's confidence, 0..1.")
    timing: WordTiming = field("The source of its times.")
    speaker: Speaker | None = field("The speaker who says it.")
    reviewed: bool = field("True when a person has written it or found it right.")


class Wanted(msgspec.Struct, frozen=True):
    """A filter of words: those that touch a stretch of time (seconds), those not surer than a confidence."""

    between: tuple[float, float] | None = None
    max_confidence: float | None = None

    def takes(self, word: WordView, segment: SegmentRow) -> bool:
        """Return True if this word passes; a word without times counts as lying over its whole segment."""
        if self.between is not None:
            start = segment.start_ms / 1000 if word.start is None else word.start
            end = segment.end_ms / 1000 if word.end is None else word.end
            if end <= self.between[0] or start >= self.between[1]:
                return False
        return self.max_confidence is None or (word.confidence is not None and word.confidence <= self.max_confidence)

    @property
    def everything(self) -> bool:
        """True if every word passes."""
        return self.between is None and self.max_confidence is None


def unpack(packed: str, first: int, by_position: Mapping[int | None, SpeakerView]) -> list[WordView]:
    """Return a segment's words; `first` is the index of its first."""
    c = columns(packed)
    reviewed = set(c.reviewed)
    return [
        WordView(
            first + place,
            text,
            None if start is None else start / 1000,
            None if end is None else end / 1000,
            None if confidence is None else confidence / 1000,
            _TIMING[timing],
            by_position.get(speaker),
            place in reviewed,
        )
        for place, (text, start, end, confidence, timing, speaker) in enumerate(zip(*c[:6], strict=True))
    ]


async def paginate(
    context: Context, transcript: Transcript, wanted: Wanted, first: int | None, after: str | None
) -> ConnectionView:
    """Return one page of words. A cursor is the word's segment and its place in there, so it holds while segments are
    added.
    """
    size = 500 if first is None else first
    connections.check("first", size, MOST)
    start = None if after is None else connections.decode(after, int, str, int, name=_ORDER, argument="after")
    if not wanted.everything:
        await context.spend(transcript.duration_ms / 1000 / SECONDS_A_POINT)
    by_position: dict[int | None, SpeakerView] = {
        voice.position: voice for voice in await context.load.speakers.load(transcript.id) or ()
    }
    found: list[tuple[SegmentRow, int, WordView]] = []
    async with aclosing(_batches(context, transcript, wanted, start, size)) as batches:
        async for rows in batches:
            found += await asyncio.to_thread(_taken, rows, by_position, wanted, start)
            if len(found) > size:
                break
    edges = [
        EdgeView(connections.encode(_ORDER, segment.start_ms, segment.key, place), word)
        for segment, place, word in found[:size]
    ]

    async def count() -> int:
        if not wanted.everything:
            async with aclosing(_batches(context, transcript, wanted, None, MOST)) as batches:
                return sum([await asyncio.to_thread(_count, rows, wanted) async for rows in batches])
        async with context.db.read() as session:
            return await segments.word_count(session, context.owner_id, transcript.id)

    return connections.connection(edges, count, more=len(found) > size, less=after is not None)


async def _batches(
    context: Context, transcript: Transcript, wanted: Wanted, start: tuple[Any, ...] | None, size: int
) -> AsyncGenerator[Sequence[SegmentRow]]:
    statement = segments.query(context.owner_id, transcript.id, SegmentFilter(between=wanted.between))
    batch = max(32, size // 6) if wanted.everything else None  # how far away the wanted ones are is not known
    async with context.db.read() as session:
        async for rows in segments.batches(session, statement, None if start is None else start[:2], batch):
            yield rows


def _taken(
    rows: Sequence[SegmentRow],
    by_position: Mapping[int | None, SpeakerView],
    wanted: Wanted,
    start: tuple[Any, ...] | None,
) -> list[tuple[SegmentRow, int, WordView]]:
    """Return the wanted words of these segments, each with its place in its segment, from a cursor's place on."""
    found = []
    for row in rows:
        skip = start[2] + 1 if start is not None and (row.start_ms, row.key) == start[:2] else 0
        if not wanted.everything and not _count([row], wanted):
            continue
        words = unpack(row.words, row.first_word, by_position)
        found += [(row, place, word) for place, word in enumerate(words) if place >= skip and wanted.takes(word, row)]
    return found


def _count(rows: Sequence[SegmentRow], wanted: Wanted) -> int:
    """Count the wanted words of these segments without making an object of any."""
    low, high = wanted.between or (float("-inf"), float("inf"))
    most = wanted.max_confidence
    total = 0
    for row in rows:
        c = columns(row.words)
        if most is not None and wanted.between is None:
            total += sum(sure is not None and sure / 1000 <= most for sure in c.confidence)
            continue
        for start, end, sure in zip(c.start, c.end, c.confidence, strict=True):
            touches = (row.end_ms if end is None else end) / 1000 > low and (
                row.start_ms if start is None else start
            ) / 1000 < high
            total += touches and (most is None or (sure is not None and sure / 1000 <= most))
    return total
