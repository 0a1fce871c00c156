"""Transcripts: what was said, by whom and when."""

from operator import attrgetter
from typing import Annotated, Any

import strawberry

from db import listing, models
from db.domain.values import Provenance as Facts
from db.domain.values import Segment as SegmentValue
from db.transcripts import revisions, segments
from db.transcripts.segments import SegmentFilter
from schema.base import connections, validation
from schema.base.bounds import at_most
from schema.base.connections import Connection, ConnectionView, Listing
from schema.base.context import Info
from schema.base.enums import QualityFlag
from schema.base.fields import arg, field, link
from schema.base.nodes import Node, StandIn, known
from schema.base.scalars import Instant
from schema.base.speakers import SpeakerView
from schema.media import Media
from schema.transcripts import captions, provenance, search, words
from schema.transcripts import segments as segment_views
from schema.transcripts.captions import Caption
from schema.transcripts.columns import SegmentColumns, WordColumns, segment_columns, word_columns
from schema.transcripts.lines import lines_of
from schema.transcripts.provenance import Provenance
from schema.transcripts.revisions import Revision
from schema.transcripts.search import SearchHit
from schema.transcripts.segments import Segment
from schema.transcripts.speakers import Speaker
from schema.transcripts.time_range import TimeRange, seconds
from schema.transcripts.utterances import Utterance, utterances
from schema.transcripts.words import Word
from tasks.documents.document import Document
from tasks.documents.document import Speaker as DocumentSpeaker
from tasks.documents.formats.texts.txt import plain

Parent = strawberry.Parent[models.Transcript]
First = Annotated[int | None, arg("The number of entries from the start, at most 100.")]
After = Annotated[str | None, arg("Only what lies behind this cursor.")]
Last = Annotated[int | None, arg("The number of entries from the end, at most 100; `first` does not count then.")]
Before = Annotated[str | None, arg("Only what lies before this cursor.")]


_SEGMENTS = Listing(segments.query, attrgetter("transcript_id"), segments.ORDER)
_REVISIONS = Listing(
    lambda owner_id, id_, _: revisions.listed(owner_id, id_), attrgetter("transcript_id"), revisions.ORDER
)
_EXPORTS = Listing(
    lambda owner_id, id_, _: listing.exports(owner_id, id_),
    attrgetter("transcript_id"),
    listing.by_creation(models.Export, descending=True),
)


async def _job(parent: Parent, info: Info) -> models.Job | None:
    return await info.context.load.job.load(parent.job_id)


async def _media(parent: Parent, info: Info) -> models.Media | None:
    job = await info.context.load.job.load(parent.job_id)
    return None if job is None else await info.context.load.media.load(job.media_id)


def _duration(parent: Parent) -> float:
    return parent.duration_ms / 1000


async def _text(
    parent: Parent,
    info: Info,
    speakers: Annotated[bool, arg("Name the speakers; one paragraph a turn then.")] = False,
    timestamps: Annotated[bool, arg("Say when each turn begins.")] = False,
) -> str:
    lines = await lines_of(parent, info.context)
    named = {voice.position: voice for voice in await _speakers(parent, info)} if speakers else {}
    by_position = [named.get(position) for position in range(max(named, default=-1) + 1)]
    document = Document(
        title=parent.title,
        language=parent.language,
        duration_seconds=parent.duration_ms / 1000,
        revision=parent.revision,
        segments=tuple(
            SegmentValue(
                key="", start=line.start_ms / 1000, end=line.start_ms / 1000, text=line.text, speaker=line.speaker
            )
            for line in lines
        ),
        speakers=tuple(DocumentSpeaker((v.name or v.label) if v else "", v.seconds if v else 0.0) for v in by_position),
    )
    return plain(document, speakers=speakers, timestamps=timestamps)


async def _segments(
    parent: Parent,
    info: Info,
    first: First = 50,
    after: After = None,
    last: Last = None,
    before: Before = None,
    between: Annotated[TimeRange | None, arg("Only segments that touch this stretch of time.")] = None,
    speaker_id: Annotated[strawberry.ID | None, arg("Only segments of this speaker.")] = None,
    flagged_as: Annotated[
        list[QualityFlag] | None, arg("Only segments with any of these flags.", metadata=at_most(20))
    ] = None,
) -> ConnectionView:
    speaker = None
    if speaker_id is not None:
        position = segment_views.speaker_position(speaker_id, parent.id)
        speaker = -1 if position is None else position  # nobody's: an unknown id finds nothing
    wanted = SegmentFilter(
        between=seconds(between), speaker=speaker, flags=None if flagged_as is None else tuple(flagged_as)
    )
    window = connections.window(segments.ORDER, first=first, after=after, last=last, before=before, default=50)
    by_position = await _speakers(parent, info)
    return await connections.paginate_each(
        info.context, parent.id, _SEGMENTS, window, wanted, lambda rows: segment_views.views(rows, by_position)
    )


async def _words(
    parent: Parent,
    info: Info,
    first: Annotated[int | None, arg("The number of entries from the start, at most 1000.")] = 500,
    after: After = None,
    between: Annotated[TimeRange | None, arg("Only words that touch this stretch of time.")] = None,
    max_confidence: Annotated[float | None, arg("Only words that the aligner is not surer of than this, 0..1.")] = None,
) -> ConnectionView:
    return await words.paginate(info.context, parent, words.Wanted(seconds(between), max_confidence), first, after)


async def _search(
    parent: Parent, info: Info, query: search.Query, first: search.First = 20, after: search.After = None
) -> ConnectionView:
    return await search.paginate(info.context, query, first, after, transcript_id=parent.id)


async def _revisions(parent: Parent, info: Info, first: First = 20, after: After = None) -> ConnectionView:
    window = connections.window(revisions.ORDER, first=first, after=after)
    return await connections.paginate_each(info.context, parent.id, _REVISIONS, window)


async def _provenance(parent: Parent, info: Info) -> Facts | None:
    job = await info.context.load.job.load(parent.job_id)
    return None if job is None else provenance.of(parent, job)


async def _speakers(parent: Parent, info: Info) -> list[SpeakerView]:
    return await info.context.load.speakers.load(parent.id) or []


async def _exports(parent: Parent, info: Info, first: First = 20, after: After = None) -> ConnectionView:
    window = connections.window(_EXPORTS.order, first=first, after=after)
    return await connections.paginate_each(info.context, parent.id, _EXPORTS, window)


@strawberry.type(description="The text of a recording, with times and speakers.")
class Transcript(StandIn, Node):
    """db.models.Transcript in the graph."""

    stands_for = models.Transcript

    job: Any = field("The job that made it.", _job, scope="jobs:read", graphql_type=link("Job", "schema.jobs.types"))
    media: Media | None = field("The recording.", _media, scope="jobs:read")
    title: str = field("The file's name without its extension.")
    language: str | None = field("The language spoken, as an ISO 639-1 code; null until it is known.")
    language_confidence: float | None = field("The detector's confidence, 0..1; 1 when the client named the language.")
    duration_seconds: float = field("The recording's length in seconds.", _duration)
    revision: int = field("1 is the machine's own; every edit makes the next.")
    complete: bool = field("False while segments are still arriving.")
    created_at: Instant = field("The instant at which the first segment was stored.")
    updated_at: Instant = field("The instant of its last change.")
    text: str = field("The whole text; one line a segment, or one paragraph a turn.", _text)
    segments: Connection[Segment] = field("Its segments, by time.", _segments)
    words: Connection[Word] = field("Its words, by time.", _words)
    word_columns: WordColumns = field("All its words in one cheap answer.", word_columns)
    segment_columns: SegmentColumns = field(
        "All its segments in one cheap answer: an editor opens with these and `wordColumns`.", segment_columns
    )
    utterances: Connection[Utterance] = field("Its text by speaker, for reading.", utterances)
    captions: Connection[Caption] = field("Its text cut for a screen.", captions.paginate)
    speakers: list[Speaker] = field("The speakers, in order of first appearance; added ones come last.", _speakers)
    search: Connection[SearchHit] = field("Places in it where something is said, by time.", _search)
    revisions: Connection[Revision] = field("Its revisions, newest first.", _revisions)
    exports: Any = field(
        "Documents made of it, newest first.",
        _exports,
        scope="exports:read",
        graphql_type=link("Export", "schema.exports", Connection),
    )
    provenance: Provenance = field("The models, options and machine that made it.", _provenance)


async def transcript(
    info: Info, id_: Annotated[strawberry.ID, arg("The transcript's id.", name="id")]
) -> models.Transcript | None:
    """One transcript, or None."""
    return await info.context.load.transcript.load(id_) if known(id_, "trn") else None


async def transcript_list(
    info: Info,
    first: First = 20,
    after: After = None,
    last: Last = None,
    before: Before = None,
    language: Annotated[str | None, arg("Only transcripts in this language, an ISO 639-1 code.")] = None,
) -> ConnectionView:
    """Return the viewer's transcripts, newest first."""
    context = info.context
    code = None if language is None else validation.language("language", language)
    order = listing.by_creation(models.Transcript, descending=True)
    window = connections.window(order, first=first, after=after, last=last, before=before)
    return await connections.paginate(context, listing.transcripts(context.owner_id, code), order, window)
