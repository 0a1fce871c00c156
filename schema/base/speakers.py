"""Speakers of a transcript, as they are at run time."""

import msgspec

from db.models import SpeakerRow
from db.transcripts import speaker_id


class SpeakerView(msgspec.Struct, frozen=True):
    """A speaker at run time."""

    id: str
    transcript_id: str
    position: int
    label: str
    name: str | None
    seconds: float
    word_count: int


def speaker_view(row: SpeakerRow) -> SpeakerView:
    """Return a row as it is shown."""
    id_ = speaker_id(row.transcript_id, row.position)
    return SpeakerView(id_, row.transcript_id, row.position, row.label, row.name, row.seconds, row.word_count)
