"""Corrections: each is one revision, made by somebody who has seen the revision before it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Concatenate, ParamSpec, Protocol

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from db import models
from db.domain.errors import InvalidInput, NotFound
from db.domain.ids import split_child_id
from db.transcripts import edits
from db.transcripts.edits import Begun, Wording
from schema.base import validation
from schema.base.context import Info
from schema.base.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import StandIn, known
from schema.transcripts import corrections
from schema.transcripts.corrections import CorrectionView
from schema.transcripts.edit_inputs import (
    ConfirmWordsInput,
    CreateSpeakerInput,
    EditSegmentInput,
    EditSegmentsInput,
    MergeSegmentsInput,
    MergeSpeakersInput,
    RenameSpeakerInput,
    RevertTranscriptInput,
    SplitSegmentInput,
)
from schema.transcripts.revisions import Revision
from schema.transcripts.segments import Segment, speaker_position
from schema.transcripts.speakers import Speaker
from schema.transcripts.types import Transcript

P = ParamSpec("P")
TEXT_CHARS, NAME_CHARS = 10_000, 100

SegmentId = Annotated[strawberry.ID, arg("The segment's id.", name="id")]


@strawberry.type(description="The transcript at its new revision, and everything that the correction changed.")
class EditTranscriptPayload(StandIn):
    """The result of every correction."""

    stands_for = CorrectionView

    transcript: Transcript = field("The transcript, at its new revision.")
    revision: Revision = field("The new revision.")
    segments: list[Segment] = field("Segments that the correction changed or made, as they are now.")
    speakers: list[Speaker] = field("Speakers that the correction changed or made, as they are now.")
    removed_ids: list[strawberry.ID] = field("Ids of segments and speakers that are no longer there.")


EditTranscriptResult = Annotated[
    EditTranscriptPayload | InvalidInputError | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("EditTranscriptResult", description="The result of a correction."),
]


async def edit_segment(
    info: Info, id_: SegmentId, data: Annotated[EditSegmentInput, arg("The correction.", name="input")]
) -> CorrectionView:
    """Change a segment's text or speaker."""
    transcript, key = _segment(id_)
    wording = _wording("input", key, transcript, data)
    return await _correct(info, transcript, data, edits.edit_segments, [wording])


async def edit_segments(
    info: Info, data: Annotated[EditSegmentsInput, arg("The corrections.", name="input")]
) -> CorrectionView:
    """Change the text or speaker of many segments."""
    transcript = _transcript(data.transcript_id)
    checks = validation.Checks()
    checks(validation.some, "input.edits", data.edits)
    wordings = []
    for place, one in enumerate(data.edits):
        key = _segment(one.id, transcript)[1]
        wordings.append(checks(_wording, f"input.edits.{place}", key, transcript, one))
    if len({one.id for one in data.edits}) < len(data.edits):
        checks.fail("input.edits", "One correction a segment.")
    checks.done()
    return await _correct(info, transcript, data, edits.edit_segments, wordings)


async def confirm_words(
    info: Info, data: Annotated[ConfirmWordsInput, arg("The words.", name="input")]
) -> CorrectionView:
    """Record that a person found words right."""
    transcript = _transcript(data.transcript_id)
    validation.some("input.words", data.words)
    return await _correct(info, transcript, data, edits.confirm_words, data.words)


async def create_speaker(
    info: Info, data: Annotated[CreateSpeakerInput, arg("The speaker.", name="input")]
) -> CorrectionView:
    """Add a speaker who was not told apart."""
    transcript = _transcript(data.transcript_id)
    name = validation.text("input.name", data.name, NAME_CHARS)
    keys = [_segment(id_, transcript)[1] for id_ in data.segment_ids or ()]
    return await _correct(info, transcript, data, edits.create_speaker, name, keys)


async def split_segment(
    info: Info, id_: SegmentId, data: Annotated[SplitSegmentInput, arg("The place of the cut.", name="input")]
) -> CorrectionView:
    """Cut a segment in two."""
    transcript, key = _segment(id_)
    return await _correct(info, transcript, data, edits.split_segment, key, at_word=data.at_word)


async def merge_segments(
    info: Info, data: Annotated[MergeSegmentsInput, arg("The segments.", name="input")]
) -> CorrectionView:
    """Make one of several segments."""
    validation.some("input.segmentIds", data.segment_ids, 2)
    parts = [_segment(id_) for id_ in data.segment_ids]
    transcript = parts[0][0]
    if len({of for of, _ in parts}) > 1:
        raise InvalidInput("input.segmentIds", "Segments of one transcript.")
    keys = [key for _, key in parts]
    return await _correct(info, transcript, data, edits.merge_segments, keys)


async def rename_speaker(
    info: Info,
    id_: Annotated[strawberry.ID, arg("The speaker's id.", name="id")],
    data: Annotated[RenameSpeakerInput, arg("The name.", name="input")],
) -> CorrectionView:
    """Give a speaker a name."""
    transcript = _speaker(id_)
    name = validation.text("input.name", data.name, NAME_CHARS)
    position = _position(id_, transcript)
    return await _correct(info, transcript, data, edits.rename_speaker, position, name)


async def merge_speakers(
    info: Info, data: Annotated[MergeSpeakersInput, arg("The speakers.", name="input")]
) -> CorrectionView:
    """Make one of several speakers."""
    validation.some("input.speakerIds", data.speaker_ids)
    transcript = _speaker(data.into_id)
    positions, into = [_position(id_, transcript) for id_ in data.speaker_ids], _position(data.into_id, transcript)
    return await _correct(info, transcript, data, edits.merge_speakers, positions, into)


async def revert_transcript(
    info: Info,
    id_: Annotated[strawberry.ID, arg("The transcript's id.", name="id")],
    data: Annotated[RevertTranscriptInput, arg("The revision.", name="input")],
) -> CorrectionView:
    """Make a transcript what it was; that is a revision, too."""
    transcript = _transcript(id_)
    return await _correct(info, transcript, data, edits.revert_transcript, data.to_revision)


class _Seen(Protocol):
    """An input that says which revision its sender has seen."""

    expected_revision: int


class _Wanted(Protocol):
    """A correction of one segment."""

    text: str | None
    speaker_id: strawberry.ID | None


async def _correct(
    info: Info,
    transcript: str,
    seen: _Seen,
    correct: Callable[Concatenate[AsyncSession, Begun, P], Awaitable[models.Transcript]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> CorrectionView:
    """Make one revision, and read back what it changed."""
    owner_id = info.context.owner_id
    async with info.context.db.write() as session:
        begun = Begun(owner_id, transcript, seen.expected_revision)
        row = await correct(session, begun, *args, **kwargs)
        revision = (transcript, row.revision)
        info.context.renew()  # another correction of the same operation must not see what was read before this one
        return (await corrections.read(session, owner_id, [revision]))[revision]


def _wording(path: str, key: str, transcript: str, wanted: _Wanted) -> Wording:
    if wanted.text is None and wanted.speaker_id is strawberry.UNSET:
        raise InvalidInput(path, "A text or a speaker.")
    text = None if wanted.text is None else validation.text(f"{path}.text", wanted.text, TEXT_CHARS, lines=True)
    speaker: int | None = edits.UNCHANGED
    if wanted.speaker_id is not strawberry.UNSET:
        speaker = None if wanted.speaker_id is None else _position(wanted.speaker_id, transcript)
    return Wording(key, text, speaker)


def _transcript(id_: str) -> str:
    if not known(id_, "trn"):
        raise NotFound("transcript", id_)
    return id_


def _segment(id_: str, transcript: str | None = None) -> tuple[str, str]:
    """Return the transcript of a segment (the one given, if one is) and its key in there. Raises NotFound."""
    parts = split_child_id(id_, "seg", "trn") if known(id_, "seg") else None
    if parts is None or parts[0] != (transcript or parts[0]):
        raise NotFound("segment", id_)
    return parts


def _speaker(id_: str) -> str:
    parts = split_child_id(id_, "spk", "trn") if known(id_, "spk") else None
    if parts is None:
        raise NotFound("speaker", id_)
    return parts[0]


def _position(id_: str, transcript: str) -> int:
    position = speaker_position(id_, transcript)
    if position is None:
        raise NotFound("speaker", id_)
    return position
