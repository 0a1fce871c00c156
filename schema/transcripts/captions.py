"""A transcript as captions."""

from collections.abc import Mapping, Sequence

import msgspec
import strawberry

from db.domain.errors import InvalidInput
from schema.base.fields import field
from schema.base.speakers import Speaker, SpeakerView
from tasks.documents.layout.captions import Caption as Cut
from tasks.documents.options import Layout


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
    start: float = field("When it appears, in seconds.")
    end: float = field("When it goes, in seconds.")
    lines: list[str] = field("Its lines, from top to bottom.")
    speaker: Speaker | None = field("Who speaks.")


@strawberry.input(description="How captions are cut.")
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
        default=False, description="Say at the start of the first line who speaks, where the speaker changes."
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


def views(cuts: Sequence[Cut], speakers: Mapping[int | None, SpeakerView]) -> list[CaptionView]:
    """Return captions as they are shown."""
    return [
        CaptionView(index, cut.start, cut.end, cut.lines, speakers.get(cut.speaker)) for index, cut in enumerate(cuts)
    ]
