"""SubRip subtitles."""

import re

from msgspec.structs import replace

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import without_markup
from tasks.documents.layout.captions import captions
from tasks.documents.options import CaptionOptions

_TIME = re.compile(r"(?<=\d):(?=\d{1,2}[.,]\d)")


def write(document: Document, options: CaptionOptions) -> bytes:
    r"""Return numbered cues; a speaker stands before the text where that changes.

    SubRip has no way to escape: players take `<b>`, `{\an8}` and `\N` for marks, so these become look-alikes.
    So do times: readers take a line with two of them for the start of a cue.
    """
    layout = replace(options.captions, speaker_labels=options.speaker_labels)
    cues = []
    for number, caption in enumerate(captions(document.segments, layout, document.speaker), 1):
        text = "\n".join(_text(line) for line in caption.lines)
        cues.append(f"{number}\n{_time(caption.start)} --> {_time(caption.end)}\n{text}\n")
    return "\n".join(cues).encode()


def _text(line: str) -> str:
    return _TIME.sub("\u2236", without_markup(line))


def _time(seconds: float) -> str:
    ms = round(max(0.0, seconds) * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


FORMAT = Format(
    name="SRT",
    description="SubRip subtitles.",
    media_type="application/x-subrip; charset=utf-8",
    extension="srt",
    options=CaptionOptions,
    write=write,
)
