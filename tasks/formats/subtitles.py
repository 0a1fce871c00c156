"""Subtitles, through pysubs2."""

from html import escape

from pysubs2 import SSAEvent, SSAFile, make_time

from tasks.formats.captions import Caption, captions
from tasks.formats.document import Document, Request

_GUARD = str.maketrans("{}\\", "\ue000\ue001\ue002")
_UNGUARD = str.maketrans("\ue000\ue001\ue002", "{}\\")
"""pysubs2 thinks in SSA, where these are marks; while it writes, they are characters that no text uses."""


def render_srt(document: Document, request: Request) -> bytes:
    """SubRip; a speaker stands before the text where the voice changes."""
    return _render(document, request, "srt")


def render_vtt(document: Document, request: Request) -> bytes:
    """WebVTT; a speaker is a voice span, as the standard has it."""
    return _render(document, request, "vtt")


def _render(document: Document, request: Request, format_: str) -> bytes:
    subtitles = SSAFile()
    before: str | None = None
    for caption in captions(document.segments, request.captions):
        voice = document.voice(caption.speaker) if request.speaker_labels else None
        event = SSAEvent(start=make_time(s=caption.start), end=make_time(s=caption.end))
        event.text = _text(caption, voice, changed=voice != before, html=format_ == "vtt")
        subtitles.append(event)
        before = voice
    return subtitles.to_string(format_).translate(_UNGUARD).encode()


def _text(caption: Caption, voice: str | None, *, changed: bool, html: bool) -> str:
    lines = [escape(line, quote=False) if html else line for line in caption.lines]
    text = r"\N".join(line.translate(_GUARD) for line in lines)
    if voice and html:
        return f"<v {escape(voice, quote=False)}>{text}</v>"
    return f"{voice}: {text}" if voice and changed else text
