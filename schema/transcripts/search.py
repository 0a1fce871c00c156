"""Search in what was said."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import strawberry

from db import models
from db.domain import terms
from db.domain.terms import Phrase
from db.store import pages as rows
from db.transcripts import search
from db.transcripts.search import Place
from schema.base import connections
from schema.base.connections import ConnectionView, EdgeView
from schema.base.context import Context, Info
from schema.base.fields import arg, field, link
from schema.transcripts import segments
from schema.transcripts.segments import Segment, SegmentView
from schema.transcripts.words import WordView

SNIPPET_CHARS = 200
_ORDER = "Hit"


class SpanView(NamedTuple):
    """TextSpan at run time."""

    offset: int
    length: int


class HitView(msgspec.Struct):
    """A hit at run time."""

    transcript_id: str
    segment: SegmentView
    start: float
    end: float
    snippet: str
    highlights: list[SpanView]


async def _transcript(parent: strawberry.Parent[HitView], info: Info) -> models.Transcript | None:
    return await info.context.load.transcript.load(parent.transcript_id)


@strawberry.type(description="A stretch of a text, in UTF-16 code units, as JavaScript counts.")
class TextSpan:
    """SpanView in the graph."""

    offset: int = field("The number of code units before it.")
    length: int = field("The number of code units in it.")


@strawberry.type(description="A segment in which everything that was looked for stands.")
class SearchHit:
    """HitView in the graph."""

    transcript: Any = field(
        "The transcript in which it was said.", _transcript, graphql_type=link("Transcript", "schema.transcripts.types")
    )
    segment: Segment = field("The segment that was found.")
    start: float = field("The time at which the first match begins, in seconds.")
    end: float = field("The time at which the first match ends, in seconds.")
    snippet: str = field("The text around the first match, plain.")
    highlights: list[TextSpan] = field("The places of the matches in the snippet.")


Query = Annotated[
    str,
    arg(
        "Words that must all occur, in any form of case and accents; in double quotes, one behind the other. "
        "A word that ends in `*` stands for all that begin so."
    ),
]
First = Annotated[int | None, arg("The number of entries, at most 100.")]
After = Annotated[str | None, arg("Only hits behind this cursor.")]


async def find(info: Info, query: Query, first: First = 20, after: After = None) -> ConnectionView:
    """In all of the viewer's transcripts, the newest first, by time within each."""
    return await paginate(info.context, query, first, after)


async def paginate(
    context: Context, query: str, first: int | None, after: str | None, *, transcript_id: str | None = None
) -> ConnectionView:
    """Return a page of hits, in one transcript or in all."""
    connections.check("first", first, connections.MOST)
    size = 20 if first is None else first
    phrases = terms.parse(query)
    key = None if after is None else connections.decode(after, str, int, str, name=_ORDER, argument="after")
    statement = search.query(context.owner_id, phrases, is_sqlite=context.db.is_sqlite, transcript_id=transcript_id)
    async with context.db.read() as session:
        found = await search.hits(session, statement, None if key is None else Place(*key), size)  # type: ignore[arg-type]  # as decoded

    async def count() -> int:
        async with context.db.read() as session:
            return await rows.count(session, statement)

    hits = await _views(context, found[:size], phrases)
    edges = [
        EdgeView(connections.encode(_ORDER, *search.place_of(row)), hit) for row, hit in zip(found, hits, strict=False)
    ]
    return connections.connection(edges, count, more=len(found) > size, less=after is not None)


async def _views(context: Context, found: Sequence[models.SegmentRow], phrases: Sequence[Phrase]) -> list[HitView]:
    ids = list(dict.fromkeys(row.transcript_id for row in found))
    speakers = dict(zip(ids, await context.load.speakers.load_many(ids), strict=True))
    hits = []
    for row in found:
        [view] = segments.views([row], speakers[row.transcript_id] or ())
        spans = terms.matches(row.text, phrases)
        start, end = _times(view, spans[0]) if spans else (view.start, view.end)
        hits.append(HitView(row.transcript_id, view, start, end, *_snippet(row.text, spans)))
    return hits


def _times(view: SegmentView, span: tuple[int, int]) -> tuple[float, float]:
    """Return the start and the end of the words that a stretch of the text covers, in seconds."""
    position, said = 0, list[WordView]()
    for word in segments.words_of(view):
        place = view.text.find(word.text, position)
        if place >= 0:
            position = place + len(word.text)
            if place < span[1] and position > span[0]:
                said.append(word)
    start = next((word.start for word in said if word.start is not None), view.start)
    end = next((word.end for word in reversed(said) if word.end is not None), view.end)
    return start, end


def _snippet(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, list[SpanView]]:
    """Return the text around the first match, and where in it the matches stand."""
    first = spans[0][0] if spans else 0
    begin = 0 if len(text) <= SNIPPET_CHARS else max(0, min(first - SNIPPET_CHARS // 3, len(text) - SNIPPET_CHARS))
    stop = min(len(text), begin + SNIPPET_CHARS)
    shown = ("…" if begin else "") + text[begin:stop] + ("…" if stop < len(text) else "")
    shift = (1 if begin else 0) - begin
    within = [(start + shift, end + shift) for start, end in spans if begin <= start and end <= stop]
    return shown, [SpanView(_utf16(shown[:start]), _utf16(shown[start:end])) for start, end in within]


def _utf16(text: str) -> int:
    """Count code units, as JavaScript, Java and C# do."""
    return len(text) + sum(char > "\uffff" for char in text)
