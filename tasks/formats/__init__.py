"""Documents: a transcript to bytes. Pure; each format is one function in `FORMATS`."""

from collections.abc import Callable
from typing import NamedTuple

from tasks.formats import json, subtitles, text
from tasks.formats.document import Document, Request


class Format(NamedTuple):
    """One kind of document."""

    extension: str
    content_type: str
    render: Callable[[Document, Request], bytes]


FORMATS = {
    "TXT": Format("txt", "text/plain; charset=utf-8", text.render),
    "SRT": Format("srt", "application/x-subrip; charset=utf-8", subtitles.render_srt),
    "VTT": Format("vtt", "text/vtt; charset=utf-8", subtitles.render_vtt),
    "JSON": Format("json", "application/json", json.render),
}
"""By the name that clients ask for."""
