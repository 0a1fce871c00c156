"""A whole transcript as columns: arrays instead of objects, so that an editor opens with two cheap answers."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, compress
from typing import Annotated, NamedTuple

import msgspec
import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from db import models, transcripts
from db.domain.words import Columns, columns
from db.transcripts import revisions, segment_id, segments
from db.transcripts.segments import Packed
from schema.base.context import Info
from schema.base.enums import QualityFlag
from schema.base.fields import arg, field
from schema.base.speakers import speaker_view
from schema.transcripts.time_range import TimeRange, seconds

Parent = strawberry.Parent[models.Transcript]
Between = Annotated[TimeRange | None, arg("Only what touches this stretch of time.")]


WORDS_SECONDS, SEGMENTS_SECONDS = 5, 20
"""So long a stretch of a recording costs a point: of its words, of its segments."""


class WordColumnsView(msgspec.Struct):
    """Word columns at run time."""

    revision: int
    text: list[str]
    start: list[float | None]
    end: list[float | None]
    confidence: list[float | None]
    speaker: list[int | None]
    reviewed: list[bool]


class SegmentColumnsView(msgspec.Struct):
    """Segment columns at run time."""

    revision: int
    id: list[str]
    text: list[str]
    start: list[float]
    end: list[float]
    first_word: list[int]
    word_count: list[int]
    speaker: list[int | None]
    edited: list[bool]
    flags: list[Sequence[QualityFlag]]


@strawberry.type(description="Words as arrays of one length: word i is the i-th entry of each.")
class WordColumns:
    """WordColumnsView in the graph."""

    revision: int = field("The revision of the transcript that they show: that of the transcript in the same answer.")
    text: list[str] = field("The words, with their punctuation.")
    start: list[float | None] = field("The time at which each begins, in seconds.")
    end: list[float | None] = field("The time at which each ends, in seconds.")
    confidence: list[float | None] = field("The aligner's confidence in each, 0..1.")
    speaker: list[int | None] = field("The speaker of each, as an index into `Transcript.speakers`.")
    reviewed: list[bool] = field("True for each that a person has written or found right.")


@strawberry.type(description="Segments as arrays of one length: segment i is the i-th entry of each.")
class SegmentColumns:
    """SegmentColumnsView in the graph."""

    revision: int = field("The revision of the transcript that they show: that of the transcript in the same answer.")
    id: list[strawberry.ID] = field("The ids of the segments.")
    text: list[str] = field("The text of each.")
    start: list[float] = field("The time at which each begins, in seconds.")
    end: list[float] = field("The time at which each ends, in seconds.")
    first_word: list[int] = field("The place of each one's first word in the `wordColumns` of the whole transcript.")
    word_count: list[int] = field("The number of words of each.")
    speaker: list[int | None] = field("The speaker of each, as an index into `Transcript.speakers`.")
    edited: list[bool] = field("True for each that a person has changed.")
    flags: list[list[QualityFlag]] = field("Reasons to look at each again.")


async def word_columns(parent: Parent, info: Info, between: Between = None) -> WordColumnsView:
    """Return a transcript's words."""
    stretch = seconds(between)
    await _spend(parent, info, stretch, WORDS_SECONDS)
    whole = await _whole(parent, info, stretch)
    return await asyncio.to_thread(_words, parent.revision, whole, stretch)


async def segment_columns(parent: Parent, info: Info, between: Between = None) -> SegmentColumnsView:
    """Return a transcript's segments."""
    stretch = seconds(between)
    await _spend(parent, info, stretch, SEGMENTS_SECONDS)
    return await asyncio.to_thread(_segments, parent.revision, await _whole(parent, info, stretch))


async def _spend(parent: Parent, info: Info, between: tuple[float, float] | None, seconds_a_point: int) -> None:
    whole = parent.duration_ms / 1000
    start, end = between or (0.0, whole)
    await info.context.spend((min(end, whole) - min(start, whole)) / seconds_a_point)


class _Whole(NamedTuple):
    """A transcript's segments in order, and the indexes of its speakers by their positions."""

    rows: Sequence[Packed]
    places: Mapping[int | None, int]


async def _whole(parent: Parent, info: Info, between: tuple[float, float] | None) -> _Whole:
    """Return what the transcript is at its parent's revision; both column answers share one reading."""
    found = await info.context.load.each(_packed, between).load(parent.id) or ()
    if all(row.of_revision == parent.revision for row in found[:1]):
        people = await info.context.load.speakers.load(parent.id) or ()
        return _Whole(found, {view.position: index for index, view in enumerate(people)})
    async with info.context.db.read() as session:  # somebody has corrected it meanwhile
        transcript = await transcripts.get(session, info.context.owner_id, parent.id)
        if transcript is None:
            return _Whole((), {})
        rows = await revisions.segments_at(session, transcript, parent.revision)
        past = [speaker_view(row) for row in await revisions.speakers_at(session, transcript, parent.revision)]
    firsts = accumulate((row.word_count for row in rows), initial=0)
    packed = [
        Packed(
            **{name: getattr(row, name) for name in Packed._fields[:-1]} | {"first_word": first},
            of_revision=parent.revision,
        )
        for row, first in zip(rows, firsts, strict=False)
        if between is None or (row.end_ms > between[0] * 1000 and row.start_ms < between[1] * 1000)
    ]
    return _Whole(packed, {view.position: index for index, view in enumerate(past)})


async def _packed(
    session: AsyncSession, owner_id: str, ids: Sequence[str], between: tuple[float, float] | None
) -> dict[str, list[Packed]]:
    found: dict[str, list[Packed]] = {}
    for row in await segments.packed(session, owner_id, ids, between):
        found.setdefault(row.transcript_id, []).append(row)
    return found


def _words(revision: int, whole: _Whole, between: tuple[float, float] | None) -> WordColumnsView:
    """Join the words of all segments, straight from their columns."""
    view = WordColumnsView(revision, [], [], [], [], [], [])
    for row in whole.rows:
        c = columns(row.words)
        if between is not None:
            c = _cut(c, row, between)
        view.text += c.text
        view.start += _thousandths(c.start)
        view.end += _thousandths(c.end)
        view.confidence += _thousandths(c.confidence)
        view.speaker += map(whole.places.get, c.speaker)
        reviewed = [False] * len(c.text)
        for place in c.reviewed:
            reviewed[place] = True
        view.reviewed += reviewed
    return view


def _thousandths(column: Iterable[int | None]) -> list[float | None]:
    return [None if value is None else value / 1000 for value in column]


def _segments(revision: int, whole: _Whole) -> SegmentColumnsView:
    rows = whole.rows
    return SegmentColumnsView(
        revision,
        [segment_id(row.transcript_id, row.key) for row in rows],
        [row.text for row in rows],
        [row.start_ms / 1000 for row in rows],
        [row.end_ms / 1000 for row in rows],
        [row.first_word for row in rows],
        [row.word_count for row in rows],
        [whole.places.get(row.speaker) for row in rows],
        [row.edited for row in rows],
        [row.flags for row in rows],
    )


def _cut(c: Columns, row: Packed, between: tuple[float, float]) -> Columns:
    """Return the words that touch a stretch of time; one without times counts as lying over its whole segment."""
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
        tuple(sum(keep[:place]) for place in c.reviewed if keep[place]),
    )
