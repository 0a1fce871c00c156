"""Corrections: each is one revision, made by somebody who has seen the revision before it."""

from typing import Annotated

import strawberry

from db import models
from db.domain.errors import InvalidInput, NotFound
from db.domain.ids import split_child_id
from db.transcripts import edits
from db.transcripts.edits import Begun
from schema.base import validation
from schema.base.context import Context, Info
from schema.base.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.transcripts.segments import speaker_position
from schema.transcripts.types import Transcript

TEXT_CHARS, NAME_CHARS, MOST_AT_ONCE = 10_000, 100, 100
_SEEN = "The revision that the editor has seen; another one is a ConflictError."

SegmentId = Annotated[strawberry.ID, arg("The segment's id.", name="id")]


@strawberry.input(description="What a segment says, and who says it; what is left out stays.")
class EditSegmentInput:
    """What editSegment takes."""

    expected_revision: int = field(_SEEN)
    text: str | None = strawberry.field(
        default=None, description="The whole new text. Words that stay keep their times; others get a place among them."
    )
    speaker_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Who says it; null: nobody that is known."
    )


@strawberry.input(description="Where to cut a segment.")
class SplitSegmentInput:
    """What splitSegment takes."""

    expected_revision: int = field(_SEEN)
    at_word: int = field("The second part's first word, counted in the segment from 0.")


@strawberry.input(description="Which segments to make one.")
class MergeSegmentsInput:
    """What mergeSegments takes."""

    expected_revision: int = field(_SEEN)
    segment_ids: list[strawberry.ID] = field("Two to 100 segments that follow each other; the first keeps its id.")


@strawberry.input(description="What to call a speaker.")
class RenameSpeakerInput:
    """What renameSpeaker takes."""

    expected_revision: int = field(_SEEN)
    name: str = field("The name, at most 100 characters.")


@strawberry.input(description="Which speakers are one.")
class MergeSpeakersInput:
    """What mergeSpeakers takes."""

    expected_revision: int = field(_SEEN)
    speaker_ids: list[strawberry.ID] = field("The speakers that go.")
    into_id: strawberry.ID = field("The speaker that stays.")


@strawberry.input(description="Which revision to go back to.")
class RevertTranscriptInput:
    """What revertTranscript takes."""

    expected_revision: int = field(_SEEN)
    to_revision: int = field("An earlier revision; 1 is the machine's own.")


@strawberry.type(description="The transcript as the correction has left it.")
class EditTranscriptPayload:
    """What every correction gives."""

    transcript: Transcript = field("The transcript, at its new revision.")


EditTranscriptResult = Annotated[
    EditTranscriptPayload | InvalidInputError | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("EditTranscriptResult", description="What comes of a correction."),
]


async def edit_segment(
    info: Info, id_: SegmentId, data: Annotated[EditSegmentInput, arg("The correction.", name="input")]
) -> EditTranscriptPayload:
    """Changes a segment's text or speaker."""
    context, transcript, key = _segment(info, id_)
    if data.text is None and data.speaker_id is strawberry.UNSET:
        raise InvalidInput("input", "A text or a speaker.")
    text = None if data.text is None else validation.text("input.text", data.text, TEXT_CHARS, lines=True)
    speaker: int | None = edits.UNCHANGED
    if data.speaker_id is not strawberry.UNSET:
        speaker = None if data.speaker_id is None else _position(data.speaker_id, transcript)
    async with context.db.write() as session:
        begun = Begun(context.owner_id, transcript, data.expected_revision)
        return _payload(await edits.edit_segment(session, begun, key, text=text, speaker=speaker))


async def split_segment(
    info: Info, id_: SegmentId, data: Annotated[SplitSegmentInput, arg("Where to cut.", name="input")]
) -> EditTranscriptPayload:
    """Cuts a segment in two."""
    context, transcript, key = _segment(info, id_)
    async with context.db.write() as session:
        begun = Begun(context.owner_id, transcript, data.expected_revision)
        return _payload(await edits.split_segment(session, begun, key, at_word=data.at_word))


async def merge_segments(
    info: Info, data: Annotated[MergeSegmentsInput, arg("Which segments.", name="input")]
) -> EditTranscriptPayload:
    """Makes one of several segments."""
    if not 2 <= len(data.segment_ids) <= MOST_AT_ONCE:
        raise InvalidInput("input.segmentIds", f"Between 2 and {MOST_AT_ONCE}.")
    parts = [_segment(info, id_) for id_ in data.segment_ids]
    context, transcript, _ = parts[0]
    if len({of for _, of, _ in parts}) > 1:
        raise InvalidInput("input.segmentIds", "Segments of one transcript.")
    async with context.db.write() as session:
        begun = Begun(context.owner_id, transcript, data.expected_revision)
        return _payload(await edits.merge_segments(session, begun, list(dict.fromkeys(key for _, _, key in parts))))


async def rename_speaker(
    info: Info,
    id_: Annotated[strawberry.ID, arg("The speaker's id.", name="id")],
    data: Annotated[RenameSpeakerInput, arg("The name.", name="input")],
) -> EditTranscriptPayload:
    """Gives a speaker a name."""
    context, transcript = _speaker(info, id_)
    name = validation.text("input.name", data.name, NAME_CHARS)
    async with context.db.write() as session:
        begun = Begun(context.owner_id, transcript, data.expected_revision)
        return _payload(await edits.rename_speaker(session, begun, _position(id_, transcript), name))


async def merge_speakers(
    info: Info, data: Annotated[MergeSpeakersInput, arg("Which speakers.", name="input")]
) -> EditTranscriptPayload:
    """Makes one of several speakers."""
    if not 1 <= len(data.speaker_ids) <= MOST_AT_ONCE:
        raise InvalidInput("input.speakerIds", f"Between 1 and {MOST_AT_ONCE}.")
    context, transcript = _speaker(info, data.into_id)
    positions = [_position(id_, transcript) for id_ in data.speaker_ids]
    async with context.db.write() as session:
        begun = Begun(context.owner_id, transcript, data.expected_revision)
        return _payload(await edits.merge_speakers(session, begun, positions, _position(data.into_id, transcript)))


async def revert_transcript(
    info: Info,
    id_: Annotated[strawberry.ID, arg("The transcript's id.", name="id")],
    data: Annotated[RevertTranscriptInput, arg("Which revision.", name="input")],
) -> EditTranscriptPayload:
    """Makes a transcript what it was; that is a revision, too."""
    context = _writer(info)
    if not known(id_, "trn"):
        raise NotFound("transcript", id_)
    async with context.db.write() as session:
        begun = Begun(context.owner_id, id_, data.expected_revision)
        return _payload(await edits.revert_transcript(session, begun, data.to_revision))


def _writer(info: Info) -> Context:
    return info.context


def _segment(info: Info, id_: str) -> tuple[Context, str, str]:
    context = _writer(info)
    parts = split_child_id(id_, "seg", "trn") if known(id_, "seg") else None
    if parts is None:
        raise NotFound("segment", id_)
    return context, *parts


def _speaker(info: Info, id_: str) -> tuple[Context, str]:
    context = _writer(info)
    parts = split_child_id(id_, "spk", "trn") if known(id_, "spk") else None
    if parts is None:
        raise NotFound("speaker", id_)
    return context, parts[0]


def _position(id_: str, transcript: str) -> int:
    position = speaker_position(id_, transcript)
    if position is None:
        raise NotFound("speaker", id_)
    return position


def _payload(row: models.Transcript) -> EditTranscriptPayload:
    return EditTranscriptPayload(transcript=row)  # type: ignore[arg-type]  # a row stands for the type
