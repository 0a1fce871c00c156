"""Transcripts: what was said, by whom and when."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from db import listing, models, transcripts
from db.domain.values import Provenance as Facts
from db.domain.values import Segment as SegmentValue
from db.transcripts import revisions, segments
from db.transcripts.segments import SegmentFilter
from schema.base import connections, validation
from schema.base.connections import Connection, ConnectionView
from schema.base.context import Info
from schema.base.enums import QualityFlag
from schema.base.fields import arg, field
from schema.base.nodes import Node, known
from schema.base.scalars import Instant
from schema.base.speakers import Speaker, SpeakerView
from schema.media import Media
from schema.transcripts import captions, provenance, search, words
from schema.transcripts import segments as segment_views
from schema.transcripts.captions import Caption, CaptionOptions
from schema.transcripts.provenance import Provenance
from schema.transcripts.revisions import Revision
from schema.transcripts.search import SearchHit
from schema.transcripts.segments import Segment
from schema.transcripts.words import Word, WordColumns
from tasks.documents.document import Document
from tasks.documents.document import Speaker as DocumentSpeaker
from tasks.documents.formats.texts.txt import plain
from tasks.documents.guard import name
from tasks.documents.layout.captions import captions as cut

if TYPE_CHECKING:
    from schema.exports import Export
    from schema.jobs.types import Job

Parent = strawberry.Parent[models.Transcript]
First = Annotated[int | None, arg("How many from the start, at most 100.")]
After = Annotated[str | None, arg("Only what lies behind this cursor.")]
Last = Annotated[int | None, arg("How many from the end, at most 100; `first` does not count then.")]
Before = Annotated[str | None, arg("Only what lies before this cursor.")]


@strawberry.input(description="A stretch of time in a recording.")
class TimeRange:
    """From start to end."""

    start: float = field("Where it begins, in seconds.")
    end: float = field("Where it ends, in seconds; behind the start.")


def _seconds(between: TimeRange | None) -> tuple[float, float] | None:
    return None if between is None else validation.time_range("between", between.start, between.end)


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
    speakers: Annotated[bool, arg("Whether to say who speaks; one paragraph a turn then.")] = False,
    timestamps: Annotated[bool, arg("Whether to say when each turn begins.")] = False,
) -> str:
    async with info.context.db.read() as session:
        lines = await segments.lines(session, info.context.owner_id, parent.id)
    named = {voice.position: voice for voice in await _speakers(parent, info)} if speakers else {}
    voices = [named.get(position) for position in range(max(named, default=-1) + 1)]
    document = Document(
        title=parent.title,
        language=parent.language,
        duration_seconds=parent.duration_ms / 1000,
        revision=parent.revision,
        segments=tuple(
            SegmentValue(key="", start=start_ms / 1000, end=start_ms / 1000, text=text, speaker=speaker)
            for start_ms, text, speaker in lines
        ),
        speakers=tuple(DocumentSpeaker((v.name or v.label) if v else "", v.seconds if v else 0.0) for v in voices),
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
    flagged_as: Annotated[list[QualityFlag] | None, arg("Only segments with any of these flags.")] = None,
) -> ConnectionView:
    speaker = None
    if speaker_id is not None:
        position = segment_views.speaker_position(speaker_id, parent.id)
        speaker = -1 if position is None else position  # nobody's: an unknown id finds nothing
    wanted = SegmentFilter(
        between=_seconds(between), speaker=speaker, flags=None if flagged_as is None else tuple(flagged_as)
    )
    window = connections.window(segments.ORDER, first=first, after=after, last=last, before=before, default=50)
    voices = await _speakers(parent, info)
    statement = segments.query(info.context.owner_id, parent.id, wanted)
    return await connections.paginate(
        info.context, statement, segments.ORDER, window, lambda rows: segment_views.views(rows, voices)
    )


async def _words(
    parent: Parent,
    info: Info,
    first: Annotated[int | None, arg("How many from the start, at most 1000.")] = 500,
    after: After = None,
    between: Annotated[TimeRange | None, arg("Only words that touch this stretch of time.")] = None,
    max_confidence: Annotated[float | None, arg("Only words that the aligner is not surer of than this, 0..1.")] = None,
) -> ConnectionView:
    return await words.paginate(info.context, parent, words.Wanted(_seconds(between), max_confidence), first, after)


async def _word_columns(
    parent: Parent,
    info: Info,
    between: Annotated[TimeRange | None, arg("Only words that touch this stretch of time.")] = None,
) -> words.ColumnsView:
    wanted = words.Wanted(_seconds(between))
    places: dict[int | None, int] = {v.position: index for index, v in enumerate(await _speakers(parent, info))}
    async with info.context.db.read() as session:
        rows = await segments.packed(session, info.context.owner_id, parent.id, wanted.between)
    return words.join(rows, places, wanted)


async def _captions(
    parent: Parent, info: Info, options: Annotated[CaptionOptions | None, arg("How to cut them.")] = None
) -> list[captions.CaptionView]:
    layout = captions.layout("options", options)
    speakers: dict[int | None, SpeakerView] = {s.position: s for s in await _speakers(parent, info)}
    async with info.context.db.read() as session:
        whole = segments.query(info.context.owner_id, parent.id, SegmentFilter()).order_by(*segments.ORDER.columns)
        rows: Sequence[Any] = (await session.execute(whole)).all()

    def name_of(position: int | None) -> str | None:
        speaker = speakers.get(position)
        return None if speaker is None else name(speaker.name or speaker.label)

    cuts = await asyncio.to_thread(lambda: cut([transcripts.as_segment(row) for row in rows], layout, name_of))
    return captions.views(cuts, speakers)


async def _search(
    parent: Parent, info: Info, query: search.Query, first: search.First = 20, after: search.After = None
) -> ConnectionView:
    return await search.paginate(info.context, query, first, after, transcript_id=parent.id)


async def _revisions(parent: Parent, info: Info, first: First = 20, after: After = None) -> ConnectionView:
    window = connections.window(revisions.ORDER, first=first, after=after)
    listed = revisions.listed(info.context.owner_id, parent.id)
    return await connections.paginate(info.context, listed, revisions.ORDER, window)


async def _provenance(parent: Parent, info: Info) -> Facts | None:
    job = await info.context.load.job.load(parent.job_id)
    return None if job is None else provenance.of(parent, job)


async def _speakers(parent: Parent, info: Info) -> list[SpeakerView]:
    return await info.context.load.speakers.load(parent.id) or []


async def _exports(parent: Parent, info: Info, first: First = 20, after: After = None) -> ConnectionView:
    order = listing.by_creation(models.Export, descending=True)
    window = connections.window(order, first=first, after=after)
    return await connections.paginate(info.context, listing.exports(info.context.owner_id, parent.id), order, window)


@strawberry.type(description="What was said in a recording, by whom and when.")
class Transcript(Node):
    """db.models.Transcript in the graph."""

    job: Annotated["Job", strawberry.lazy("schema.jobs.types")] = field(
        "The job that made it.", _job, scope="jobs:read"
    )
    media: Media | None = field("The recording.", _media, scope="jobs:read")
    title: str = field("The file's name without its extension.")
    language: str | None = field("What is spoken, as an ISO 639-1 code; null until it is known.")
    language_confidence: float | None = field("How sure the detector is, 0..1; 1 when the client said it.")
    duration_seconds: float = field("The recording's length in seconds.", _duration)
    revision: int = field("1 is the machine's own; every edit makes the next.")
    complete: bool = field("False while segments are still arriving.")
    created_at: Instant = field("When the first segment was stored.")
    updated_at: Instant = field("When it was last changed.")
    text: str = field("The whole text; one line a segment, or one paragraph a turn.", _text)
    segments: Connection[Segment] = field("Its segments, by time.", _segments)
    words: Connection[Word] = field("Its words, by time.", _words)
    word_columns: WordColumns = field("All its words in one cheap answer.", _word_columns)
    captions: list[Caption] = field("Its text cut for a screen.", _captions)
    speakers: list[Speaker] = field("Who speaks, in order of first appearance.", _speakers)
    search: Connection[SearchHit] = field("Where in it something is said, by time.", _search)
    revisions: Connection[Revision] = field("What it was, change by change, newest first.", _revisions)
    exports: Connection[Annotated["Export", strawberry.lazy("schema.exports")]] = field(
        "Documents made of it, newest first.", _exports, scope="exports:read"
    )
    provenance: Provenance = field("What exactly made it.", _provenance)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Rows stand for this type."""
        return isinstance(value, models.Transcript)


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
    """The viewer's transcripts, newest first."""
    context = info.context
    code = None if language is None else validation.language("language", language)
    order = listing.by_creation(models.Transcript, descending=True)
    window = connections.window(order, first=first, after=after, last=last, before=before)
    return await connections.paginate(context, listing.transcripts(context.owner_id, code), order, window)
