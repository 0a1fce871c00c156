"""A transcript as captions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import strawberry

from db import models, transcripts
from db.domain.errors import InvalidInput
from db.transcripts import segments
from db.transcripts.segments import SegmentFilter
from schema.base import connections
from schema.base.connections import ConnectionView, EdgeView
from schema.base.context import Context, Info
from schema.base.fields import arg, field
from schema.base.speakers import SpeakerView
from schema.transcripts.speakers import Speaker
from tasks.documents.guard import name as guarded
from tasks.documents.layout.captions import Caption as Cut
from tasks.documents.layout.captions import captions as cut
from tasks.documents.options import Layout

Parent = strawberry.Parent[models.Transcript]
SECONDS_A_POINT = 5
"""So long a recording costs a point to be cut into captions, unless that was done before."""

_ORDER = "Caption"


class CaptionView(msgspec.Struct, frozen=True):
    """A caption at run time."""

    index: int
    start: float
    end: float
    lines: Sequence[str]
    speaker: SpeakerView | None


@strawberry.type(description="One screenful of text.")
class Caption:
    """CaptionView in the graph."""

    index: int = field("Its place among the captions, from 0.")
    start: float = field("The time at which it appears, in seconds.")
    end: float = field("The time at which it goes, in seconds.")
    lines: list[str] = field("Its lines, from top to bottom.")
    speaker: Speaker | None = field("The speaker.")


@strawberry.input(description="The layout of captions.")
class CaptionOptions:
    """tasks.documents.options.Layout in the graph."""

    max_chars_per_line: int | None = strawberry.field(
        default=42, description="Characters in a line, 10..200; a wide (East Asian) one counts as two."
    )
    max_lines: int | None = strawberry.field(default=2, description="Lines on the screen, 1..10.")
    min_seconds: float | None = strawberry.field(default=1.0, description="The least a caption stays, 0..10.")
    max_seconds: float | None = strawberry.field(default=7.0, description="The most a caption stays, 0.5..60.")
    max_chars_per_second: float | None = strawberry.field(default=20.0, description="Reading speed, 1..100.")
    speaker_labels: bool | None = strawberry.field(
        default=False, description="Name the speaker in the first line, wherever the speaker changes."
    )


def layout(path: str, options: CaptionOptions | None) -> Layout:
    """Return checked options; a null is the default. Raises InvalidInput."""
    default = Layout()
    if options is None:
        return default
    bounds = {
        "max_chars_per_line": (10, 200),
        "max_lines": (1, 10),
        "min_seconds": (0, 10),
        "max_seconds": (0.5, 60),
        "max_chars_per_second": (1, 100),
    }
    given = {name: getattr(options, name) for name in (*bounds, "speaker_labels")}
    chosen = msgspec.structs.replace(default, **{name: value for name, value in given.items() if value is not None})
    for name, (least, most) in bounds.items():
        if not least <= getattr(chosen, name) <= most:
            first, *rest = name.split("_")
            camel = first + "".join(part.title() for part in rest)
            raise InvalidInput(f"{path}.{camel}", f"Between {least} and {most}.")
    if chosen.min_seconds > chosen.max_seconds:
        raise InvalidInput(f"{path}.minSeconds", "Not more than maxSeconds.")
    return chosen


async def paginate(
    parent: Parent,
    info: Info,
    options: Annotated[CaptionOptions | None, arg("The layout.")] = None,
    first: Annotated[int | None, arg("The number of entries from the start, at most 100.")] = 100,
    after: Annotated[str | None, arg("Only what lies behind this cursor.")] = None,
) -> ConnectionView:
    """Return a page of a transcript's captions."""
    wanted = layout("options", options)
    connections.check("first", first, connections.MOST)
    begin = 0 if after is None else 1 + int(connections.decode(after, int, name=_ORDER, argument="after")[0])
    people = await info.context.load.speakers.load(parent.id) or ()
    speakers: dict[int | None, SpeakerView] = {view.position: view for view in people}
    cuts = await _cuts(parent, info.context, wanted, speakers)
    end = begin + (connections.MOST if first is None else first)
    edges = [
        EdgeView(
            connections.encode(_ORDER, index),
            CaptionView(index, one.start, one.end, one.lines, speakers.get(one.speaker)),
        )
        for index, one in enumerate(cuts[max(0, begin) : end], max(0, begin))
    ]

    async def count() -> int:
        return len(cuts)

    return connections.connection(edges, count, more=end < len(cuts), less=begin > 0)


async def _cuts(
    parent: models.Transcript, context: Context, wanted: Layout, speakers: Mapping[int | None, SpeakerView]
) -> Sequence[Cut]:
    """Return all captions of a transcript: from memory, or made at the price of its length."""
    key = ("captions", context.owner_id, parent.id, parent.revision, parent.updated_at, wanted)
    if (known := context.heavy.remembered(key)) is not None:
        return known
    await context.spend(parent.duration_ms / 1000 / SECONDS_A_POINT)
    async with context.db.read() as session:
        whole = segments.query(context.owner_id, parent.id, SegmentFilter()).order_by(*segments.ORDER.columns)
        rows: Sequence[Any] = (await session.execute(whole)).all()

    def name_of(position: int | None) -> str | None:
        speaker = speakers.get(position)
        return None if speaker is None else guarded(speaker.name or speaker.label)

    made: Sequence[Cut] = await context.heavy.result(
        key, rows, lambda found: cut([transcripts.as_segment(row) for row in found], wanted, name_of)
    )
    return made
