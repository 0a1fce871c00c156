"""Speakers of a transcript."""

import msgspec
import strawberry

from db.models import SpeakerRow
from db.transcripts import speaker_id
from schema.base.fields import field


class SpeakerView(msgspec.Struct, frozen=True):
    """A speaker at run time."""

    id: str
    position: int
    label: str
    name: str | None
    seconds: float
    word_count: int


def speaker_view(row: SpeakerRow) -> SpeakerView:
    """A row as it is shown."""
    id_ = speaker_id(row.transcript_id, row.position)
    return SpeakerView(id_, row.position, row.label, row.name, row.seconds, row.word_count)


@strawberry.type(description="A voice that was told apart from the others.")
class Speaker:
    """SpeakerView in the graph."""

    id: strawberry.ID = field("Opaque and stable.")
    label: str = field("The machine's name, by order of first appearance: `SPEAKER_00` …")
    name: str | None = field("What a person called them.")
    seconds: float = field("How long they speak in all, in seconds.")
    word_count: int = field("How many words are theirs.")
