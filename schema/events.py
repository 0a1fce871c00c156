"""Events of transcripts and of everything that a viewer has, and how they are watched."""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from schema.base.context import Info
from schema.base.events import After, Event
from schema.base.fields import arg, field
from schema.base.nodes import StandIn
from schema.exports import Export
from schema.jobs import events as of_jobs
from schema.subscriptions import entries
from schema.subscriptions.entries import Subject
from schema.subscriptions.stream import SubscriptionStream
from schema.transcripts.revisions import Revision
from schema.transcripts.segments import Segment
from schema.transcripts.speakers import Speaker
from schema.transcripts.types import Transcript


@strawberry.type(description="A transcript has a new revision; or another title or language, at the same revision.")
class TranscriptRevised(StandIn, Event):
    """entries.Corrected in the graph."""

    stands_for = entries.Corrected

    transcript: Transcript = field("The transcript as it is now.")
    revision: Revision = field("The revision.")
    segments: list[Segment] = field("Segments that the revision changed or made, as they are now.")
    speakers: list[Speaker] = field("Speakers that the revision changed or made, as they are now.")
    removed_ids: list[strawberry.ID] = field("Ids of segments and speakers that the revision took away.")


@strawberry.type(description="An export was asked for, is ready, or could not be made.")
class ExportChanged(StandIn, Event):
    """entries.ExportReported in the graph."""

    stands_for = entries.ExportReported

    export: Export = field("The export as it is now.")


@strawberry.type(description="A job is gone, and its transcript with it. No other event of either follows.")
class JobDeleted(StandIn, Event):
    """entries.Deleted in the graph."""

    stands_for = entries.Deleted

    deleted_id: strawberry.ID = field("The job's id.")
    transcript_id: strawberry.ID | None = field("The id of the transcript that it had made or would have made.")


KINDS = (*of_jobs.KINDS, TranscriptRevised, ExportChanged, JobDeleted)


async def transcript_events(
    info: Info, transcript_id: Annotated[strawberry.ID, arg("The transcript.")], after: After = None
) -> AsyncGenerator[entries.Event]:
    """Check what can be checked, then stream. Raises NotFound, InvalidInput and CursorExpired."""
    return await _watch(info, Subject("transcript", transcript_id), after)


async def viewer_events(info: Info, after: After = None) -> AsyncGenerator[entries.Event]:
    """Stream everything of the viewer's. Raises InvalidInput and CursorExpired."""
    return await _watch(info, Subject("viewer", info.context.owner_id), after)


async def _watch(info: Info, subject: Subject, after: str | None) -> AsyncGenerator[entries.Event]:
    stream = SubscriptionStream(info.context, subject)
    await stream.open(after)
    return stream.stream()
