"""WebVTT subtitles (W3C): a speaker is a voice span, and words have times."""

from html import escape

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import line
from tasks.documents.layout.captions import Caption, captions
from tasks.documents.options import TimedCaptionOptions


def write(document: Document, options: TimedCaptionOptions) -> bytes:
    """Return the cues; with `timestamps`, each word but the first has the time at which it is spoken."""
    parts = ["WEBVTT"]
    for caption in captions(document.segments, options.captions, timed=options.timestamps):
        text = _timed(caption) if options.timestamps else "\n".join(escape(part, quote=False) for part in caption.lines)
        name = document.speaker(caption.speaker) if options.speaker_labels else None
        if name:
            text = f"<v {escape(line(name), quote=False)}>{text}</v>"
        parts.append(f"{_time(caption.start)} --> {_time(caption.end)}\n{text}")
    return ("\n\n".join(parts) + "\n").encode()


def _timed(caption: Caption) -> str:
    """Return the text with the words' times, which must lie within the cue and increase."""
    lines, last = [], round(caption.start, 3)
    for words in caption.words:
        shown = []
        for number, word in enumerate(words):
            time = round(word.start, 3)
            mark = f"<{_time(time)}>" if last < time < caption.end else ""
            last = max(last, time)
            space = " " if word.space and number else ""
            shown.append(f"{space}{mark}{escape(word.text, quote=False)}")
        lines.append("".join(shown))
    return "\n".join(lines)


def _time(seconds: float) -> str:
    ms = round(max(0.0, seconds) * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


FORMAT = Format(
    name="VTT",
    description="WebVTT subtitles, with voice spans and the times of words.",
    media_type="text/vtt; charset=utf-8",
    extension="vtt",
    options=TimedCaptionOptions,
    write=write,
)
