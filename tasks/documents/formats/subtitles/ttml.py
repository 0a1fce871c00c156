"""TTML subtitles in the text profile of IMSC 1.1 (W3C), as broadcasters and streaming services exchange them."""

from html import escape

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import language_tag, right_to_left
from tasks.documents.layout.captions import captions
from tasks.documents.options import CaptionOptions

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" \
xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling" \
ttp:contentProfiles="http://www.w3.org/ns/ttml/profile/imsc1.1/text" ttp:timeBase="media" ttp:cellResolution="32 15" \
xml:lang="{language}">
 <head>
  <metadata>
   <ttm:title>{title}</ttm:title>
{agents}\
  </metadata>
  <styling>
   <style xml:id="text" tts:fontFamily="proportionalSansSerif" tts:fontSize="100%" tts:lineHeight="125%" \
tts:textAlign="center" tts:color="#FFFFFF"/>
   <style xml:id="box" tts:backgroundColor="#000000CC"/>
  </styling>
  <layout>
   <region xml:id="bottom" tts:origin="10% 75%" tts:extent="80% 20%" tts:displayAlign="after" \
tts:overflow="visible"/>
  </layout>
 </head>
 <body style="text">
  <div>
"""


def write(document: Document, options: CaptionOptions) -> bytes:
    """Return the document; a speaker is an agent that paragraphs refer to."""
    speakers = document.speakers if options.speaker_labels else ()
    agents = "".join(
        f'   <ttm:agent xml:id="speaker{index}" type="person"><ttm:name type="full">{escape(speaker.name)}</ttm:name>'
        "</ttm:agent>\n"
        for index, speaker in enumerate(speakers)
    )
    language = language_tag(document.language)
    parts = [_HEAD.format(language=language, title=escape(document.title), agents=agents)]
    for caption in captions(document.segments, options.captions):
        known = caption.speaker is not None and caption.speaker < len(speakers)
        agent = f' ttm:agent="speaker{caption.speaker}"' if known else ""
        rtl = ' tts:direction="rtl"' if right_to_left(caption.lines[0]) else ""
        text = "<br/>".join(map(escape, caption.lines))
        parts.append(
            f'   <p region="bottom" begin="{_time(caption.start)}" end="{_time(caption.end)}"{agent}{rtl}>'
            f'<span style="box">{text}</span></p>\n'
        )
    parts.append("  </div>\n </body>\n</tt>\n")
    return "".join(parts).encode()


def _time(seconds: float) -> str:
    ms = round(max(0.0, seconds) * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


FORMAT = Format(
    name="TTML",
    description="TTML subtitles in the text profile of IMSC 1.1, with speakers as agents.",
    media_type="application/ttml+xml; charset=utf-8",
    extension="ttml",
    options=CaptionOptions,
    write=write,
)
