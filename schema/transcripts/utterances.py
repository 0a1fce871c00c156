"""Utterances: what one speaker says until another does, or until a long pause; for reading."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import strawberry

from db import models
from db.transcripts import segment_id
from db.transcripts.segments import Line
from schema.base import connections
from schema.base.connections import ConnectionView, EdgeView
from schema.base.context import Info
from schema.base.fields import arg, field
from schema.base.speakers import SpeakerView
from schema.transcripts.lines import lines_of
from schema.transcripts.segments import Segment, SegmentView, segments_by_id, speaker_position
from schema.transcripts.speakers import Speaker
from schema.transcripts.time_range import TimeRange, seconds

PAUSE_SECONDS = 2.0
_ORDER = "Utterance"
Parent = strawberry.Parent[models.Transcript]


class UtteranceView(msgspec.Struct, frozen=True):
    """An utterance at run time."""

    index: int
    start: float
    end: float
    text: str
    speaker: SpeakerView | None
    segment_ids: Sequence[str]


async def _segments(parent: strawberry.Parent[UtteranceView], info: Info) -> list[SegmentView]:
    found = await info.context.load.each(segments_by_id).load_many(list(parent.segment_ids))
    return [segment for segment in found if segment is not None]


@strawberry.type(
    description="The words of one speaker until another speaks, or until a pause of two seconds; for reading."
)
class Utterance:
    """UtteranceView in the graph."""

    index: int = field("Its place among all utterances of the transcript, from 0.")
    start: float = field("The time at which it begins, in seconds.")
    end: float = field("The time at which it ends, in seconds.")
    text: str = field("Its text.")
    speaker: Speaker | None = field("The speaker who says it; null when nobody was told apart.")
    segments: list[Segment] = field("The segments that it is made of, in order.", _segments)


async def utterances(
    parent: Parent,
    info: Info,
    first: Annotated[int | None, arg("The number of entries from the start, at most 100.")] = 50,
    after: Annotated[str | None, arg("Only what lies behind this cursor.")] = None,
    between: Annotated[TimeRange | None, arg("Only utterances that touch this stretch of time.")] = None,
    speaker_id: Annotated[strawberry.ID | None, arg("Only utterances of this speaker.")] = None,
) -> ConnectionView:
    """Return a page of a transcript's utterances."""
    connections.check("first", first, connections.MOST)
    begin = 0 if after is None else 1 + int(connections.decode(after, int, name=_ORDER, argument="after")[0])
    stretch, size = seconds(between), 50 if first is None else first
    position = None if speaker_id is None else speaker_position(speaker_id, parent.id)
    people = await info.context.load.speakers.load(parent.id) or ()
    voices: dict[int | None, SpeakerView] = {view.position: view for view in people}
    wanted = [
        (index, turn)
        for index, turn in enumerate(_turns(await lines_of(parent, info.context)))
        if (speaker_id is None or (position is not None and turn[0].speaker == position))
        and (stretch is None or (_end(turn) > stretch[0] and turn[0].start_ms / 1000 < stretch[1]))
    ]
    rest = [(index, turn) for index, turn in wanted if index >= begin]
    edges = [EdgeView(connections.encode(_ORDER, index), _view(index, turn, voices.get(turn[0].speaker)))
             for index, turn in rest[:size]]  # fmt: skip

    async def count() -> int:
        return len(wanted)

    return connections.connection(edges, count, more=len(rest) > size, less=len(rest) < len(wanted))


def _turns(lines: Sequence[Line]) -> Iterator[list[Line]]:
    turn: list[Line] = []
    for line in lines:
        if turn and (line.speaker != turn[-1].speaker or line.start_ms - turn[-1].end_ms >= PAUSE_SECONDS * 1000):
            yield turn
            turn = []
        turn.append(line)
    if turn:
        yield turn


def _end(turn: Sequence[Line]) -> float:
    return max(line.end_ms for line in turn) / 1000


def _view(index: int, turn: Sequence[Line], speaker: SpeakerView | None) -> UtteranceView:
    text = " ".join(line.text for line in turn)
    ids = [segment_id(line.transcript_id, line.key) for line in turn]
    return UtteranceView(index, turn[0].start_ms / 1000, _end(turn), text, speaker, ids)
