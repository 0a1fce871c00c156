"""Segments: sentences, or turns within them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from db import models, transcripts
from db.domain.ids import split_child_id
from db.models import SegmentRow
from db.transcripts import segment_id
from db.transcripts import segments as rows_of
from schema.base.context import Info
from schema.base.enums import QualityFlag
from schema.base.fields import field, link
from schema.base.nodes import Node, StandIn
from schema.base.speakers import SpeakerView, speaker_view
from schema.transcripts import words
from schema.transcripts.speakers import Speaker
from schema.transcripts.words import Word, WordView


class SegmentView(msgspec.Struct):
    """A segment at run time; its words stay packed until somebody asks."""

    id: str
    index: int
    start: float
    end: float
    text: str
    speaker: SpeakerView | None
    confidence: float | None
    flags: list[QualityFlag]
    edited: bool
    revision: int
    transcript_id: str
    packed: str
    first_word: int
    by_position: Mapping[int | None, SpeakerView]
    language: str | None


def views(rows: Sequence[SegmentRow], speakers: Sequence[SpeakerView]) -> list[SegmentView]:
    """Return rows of one transcript as they are shown."""
    by_position: dict[int | None, SpeakerView] = {speaker.position: speaker for speaker in speakers}
    return [
        SegmentView(
            segment_id(row.transcript_id, row.key),
            row.position,
            row.start_ms / 1000,
            row.end_ms / 1000,
            row.text,
            by_position.get(row.speaker),
            row.confidence,
            row.flags,
            row.edited,
            row.since,
            row.transcript_id,
            row.words,
            row.first_word,
            by_position,
            row.language,
        )
        for row in rows
    ]


def words_of(view: SegmentView) -> list[WordView]:
    """Return a segment's words, unpacked."""
    return words.unpack(view.packed, view.first_word, view.by_position)


def _words(parent: strawberry.Parent[SegmentView]) -> list[WordView]:
    return words_of(parent)


async def _transcript(parent: strawberry.Parent[SegmentView], info: Info) -> models.Transcript | None:
    return await info.context.load.transcript.load(parent.transcript_id)


@strawberry.type(description="A sentence, or a speaker's turn within one.")
class Segment(StandIn, Node):
    """SegmentView in the graph."""

    stands_for = SegmentView

    transcript: Any = field(
        "The transcript that it belongs to.", _transcript, graphql_type=link("Transcript", "schema.transcripts.types")
    )
    index: int = field("Its place in the transcript, from 0; changes when segments are added before it.")
    start: float = field("The time at which it begins, in seconds.")
    end: float = field("The time at which it ends, in seconds.")
    text: str = field("The text.")
    speaker: Speaker | None = field("The speaker who says it; null when nobody was told apart.")
    confidence: float | None = field("The recogniser's confidence: exp(mean log probability), 0..1.")
    language: str | None = field(
        "The language spoken in it, as an ISO 639-1 code; null: the transcript's. A translation is English."
    )
    flags: list[QualityFlag] = field("Reasons to look at it again.")
    edited: bool = field("True when a person has changed it.")
    revision: int = field("The revision of the transcript in which it became what it is.")
    words: list[Word] = field("Its words, in order.", _words)


def speaker_position(id_: str, transcript_id: str) -> int | None:
    """Return the position of the speaker that an id means; None if it is none of this transcript's."""
    parts = split_child_id(id_, "spk", "trn")
    if parts is None or parts[0] != transcript_id or not (parts[1].isascii() and parts[1].isdigit()):
        return None
    return int(parts[1][:9])


async def segments_by_id(
    session: AsyncSession, owner_id: str, ids: Sequence[str], _arguments: None
) -> dict[str, SegmentView]:
    """Return segments by their global ids."""
    keys: dict[str, list[str]] = {}
    for id_ in ids:
        if parts := split_child_id(id_, "seg", "trn"):
            keys.setdefault(parts[0], []).append(parts[1])
    rows = await rows_of.some(session, owner_id, keys)
    people = await transcripts.speakers(session, owner_id, list(keys))
    found = []
    for id_, of_one in people.items():
        found += views([row for row in rows if row.transcript_id == id_], [speaker_view(row) for row in of_one])
    return {view.id: view for view in found}
