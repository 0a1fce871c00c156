r"""Advanced SubStation Alpha subtitles (ASS, v4.00+): styled, with karaoke marks.

There is no way to escape that all players know: of `\{bad\}` some lose "bad". So braces and backslashes become
look-alikes.
"""

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import without_markup
from tasks.documents.layout.captions import Caption, captions
from tasks.documents.options import TimedCaptionOptions

_HEAD = """\
[Script Info]
Title: {title}
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H00B0B0B0,&H00101010,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,120,120,60,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def write(document: Document, options: TimedCaptionOptions) -> bytes:
    r"""Return the script; with `timestamps`, each word has its length in hundredths of a second (`{\k40}`)."""
    lines = [_HEAD.format(title=without_markup(document.title))]
    for caption in captions(document.segments, options.captions, timed=options.timestamps):
        text = _karaoke(caption) if options.timestamps else "\\N".join(map(without_markup, caption.lines))
        name = (document.speaker(caption.speaker) or "") if options.speaker_labels else ""
        name = without_markup(name).replace(",", "‚")  # a comma would end the field
        start = _hundredths(caption.start)
        end = max(_hundredths(caption.end), start + 1)
        lines.append(f"Dialogue: 0,{_time(start)},{_time(end)},Default,{name},0,0,0,,{text}\n")
    return "".join(lines).encode()


def _karaoke(caption: Caption) -> str:
    """Return the words, each marked with the time from its start to the next one's."""
    starts = [word.start for words in caption.words for word in words][1:]
    after = iter([*starts, max(caption.end, caption.start)])
    at = _hundredths(caption.start)
    lines = []
    for words in caption.words:
        shown = []
        for number, word in enumerate(words):
            end = max(at, _hundredths(next(after)))
            space = " " if word.space and number else ""
            shown.append(f"{{\\k{end - at}}}{space}{without_markup(word.text)}")
            at = end
        lines.append("".join(shown))
    return "\\N".join(lines)


def _hundredths(seconds: float) -> int:
    return round(max(0.0, seconds) * 100)


def _time(cs: int) -> str:
    return f"{cs // 360_000}:{cs // 6000 % 60:02}:{cs // 100 % 60:02}.{cs % 100:02}"


FORMAT = Format(
    name="ASS",
    description="Advanced SubStation Alpha subtitles, with speakers and karaoke marks.",
    media_type="text/x-ass; charset=utf-8",
    extension="ass",
    options=TimedCaptionOptions,
    write=write,
)
