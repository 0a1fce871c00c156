"""The inputs of corrections."""

import strawberry

from schema.base.bounds import at_most
from schema.base.fields import field

MOST_AT_ONCE, MOST_EDITS = 100, 1000
_SEEN = "The revision that the editor has seen; another one is a ConflictError."


@strawberry.input(description="A segment's new text or speaker; what is left out stays.")
class EditSegmentInput:
    """The input of `editSegment`."""

    expected_revision: int = field(_SEEN)
    text: str | None = strawberry.field(
        default=None, description="The whole new text. Words that stay keep their times; others get a place among them."
    )
    speaker_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The speaker who says it; null: nobody that is known."
    )


@strawberry.input(description="The place at which to cut a segment.")
class SplitSegmentInput:
    """The input of `splitSegment`."""

    expected_revision: int = field(_SEEN)
    at_word: int = field("The second part's first word, counted in the segment from 0.")


@strawberry.input(description="The segments to make one.")
class MergeSegmentsInput:
    """The input of `mergeSegments`."""

    expected_revision: int = field(_SEEN)
    segment_ids: list[strawberry.ID] = field(
        "Two to 100 segments that follow each other; the first keeps its id.", metadata=at_most(MOST_AT_ONCE)
    )


@strawberry.input(description="The new name of a speaker.")
class RenameSpeakerInput:
    """The input of `renameSpeaker`."""

    expected_revision: int = field(_SEEN)
    name: str = field("The name, at most 100 characters.")


@strawberry.input(description="The speakers to make one.")
class MergeSpeakersInput:
    """The input of `mergeSpeakers`."""

    expected_revision: int = field(_SEEN)
    speaker_ids: list[strawberry.ID] = field("The speakers that go, at most 100.", metadata=at_most(MOST_AT_ONCE))
    into_id: strawberry.ID = field("The speaker that stays.")


@strawberry.input(description="The revision to go back to.")
class RevertTranscriptInput:
    """The input of `revertTranscript`."""

    expected_revision: int = field(_SEEN)
    to_revision: int = field("An earlier revision; 1 is the machine's own.")


@strawberry.input(description="One of many corrections; what is left out stays.")
class SegmentEdit:
    """One of those that editSegments takes."""

    id: strawberry.ID = field("The segment's id.")
    text: str | None = strawberry.field(
        default=None, description="The whole new text. Words that stay keep their times; others get a place among them."
    )
    speaker_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The speaker who says it; null: nobody that is known."
    )


@strawberry.input(description="Corrections of many segments, made as one revision.")
class EditSegmentsInput:
    """The input of `editSegments`."""

    transcript_id: strawberry.ID = field("The transcript.")
    expected_revision: int = field(_SEEN)
    edits: list[SegmentEdit] = field(f"At most {MOST_EDITS} corrections, one a segment.", metadata=at_most(MOST_EDITS))


@strawberry.input(description="Words that a person found right.")
class ConfirmWordsInput:
    """The input of `confirmWords`."""

    transcript_id: strawberry.ID = field("The transcript.")
    expected_revision: int = field(_SEEN)
    words: list[int] = field(
        f"The places of at most {MOST_EDITS} words in the transcript, from 0.", metadata=at_most(MOST_EDITS)
    )


@strawberry.input(description="A speaker who was not told apart.")
class CreateSpeakerInput:
    """The input of `createSpeaker`."""

    transcript_id: strawberry.ID = field("The transcript.")
    expected_revision: int = field(_SEEN)
    name: str = field("The name, at most 100 characters.")
    segment_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description=f"At most {MOST_EDITS} segments that the speaker says.", metadata=at_most(MOST_EDITS)
    )
