"""PDF, typeset by Typst: tagged for assistive technology (PDF/UA-1), the same bytes on every run.

The data go in as JSON and are shown as strings: nothing in them is ever read as Typst's markup.
"""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from tasks.documents.document import Document
from tasks.documents.format import Format, Written
from tasks.documents.guard import language_tag, right_to_left
from tasks.documents.layout.turns import clock, facts, sections
from tasks.documents.options import PageOptions, PaperSize

_SOURCE = """\
#let d = json(bytes(sys.inputs.data))
#set document(title: d.title, author: "Graphophone", date: datetime(year: d.date.at(0), month: d.date.at(1), \
day: d.date.at(2)))
#set text(font: json(bytes(sys.inputs.families)), size: 10pt, lang: d.language, hyphenate: false)
#let grey = rgb("#555555")
#let directed(p, body) = { set text(dir: if p.rtl { rtl } else { ltr }); body }
#set page(
  paper: d.paper,
  margin: (x: 2.2cm, top: 2.4cm, bottom: 2.2cm),
  header: context if counter(page).get().first() > 1 {
    set text(8pt, fill: grey)
    grid(columns: (1fr, auto), column-gutter: 1em, directed(d, d.running), d.day)
    v(-0.7em)
    line(length: 100%, stroke: 0.4pt + grey)
  },
  footer: context align(center, text(8pt, fill: grey, counter(page).display("1 / 1", both: true))),
)
#set par(leading: 0.62em, spacing: 0.75em, justify: false)
#show heading.where(level: 1): it => { set text(20pt); block(below: 0.9em, it.body) }
#show heading.where(level: 2): it => {
  set text(11pt, weight: "semibold", fill: grey)
  block(above: 1.8em, below: 0.9em, width: 100%, stroke: (bottom: 0.5pt + grey), inset: (bottom: 0.35em), it.body)
}
#show heading.where(level: 3): it => { set text(10pt, weight: "bold"); block(above: 0pt, below: 0pt, it.body) }
#directed(d, heading(level: 1, d.title))
#for (name, value) in d.facts {
  block(above: 0.45em, below: 0.45em, grid(columns: (2.4cm, 1fr), text(fill: grey, name), value))
}
#let indent = if d.times { 1.7cm } else { 0cm }
#for section in d.sections {
  heading(level: 2, section.title)
  for turn in section.turns {
    if turn.speaker != none {
      let name = directed(turn, heading(level: 3, bookmarked: d.short, turn.speaker))
      block(above: 1.3em, below: 0.6em, inset: (left: indent), width: 100%, sticky: true, name)
    }
    for p in turn.paragraphs {
      block(above: 0.6em, below: 0.75em, inset: (left: indent), width: 100%, {
        if d.times { place(left, dx: -indent, text(8.5pt, fill: grey, p.time)) }
        directed(p, par(p.text))
      })
    }
  }
}
"""
_LONG_WORD = re.compile(r"\S{40,}")
_BREAK_CHARS = 8
_PAPER = {PaperSize.A4: "a4", PaperSize.LETTER: "us-letter"}
_RUNNING_CHARS = 80
_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")


def write(document: Document, options: PageOptions) -> Written:
    """Return the document and the number of its pages. Raises NotWritable when a font is missing."""
    import typst

    from tasks.documents.layout.fonts import fonts_for

    data = msgspec.json.encode(_data(document, options)).decode()
    chosen = fonts_for(data, document.language)
    inputs = {
        "data": data.translate(chosen.stand_ins),
        "families": msgspec.json.encode(chosen.families).decode(),
    }
    pdf = typst.compile(
        _SOURCE.encode(), format="pdf", font_paths=chosen.fonts, sys_inputs=inputs, pdf_standards=["ua-1"]
    )
    return Written(pdf, _pages(pdf))


def _data(document: Document, options: PageOptions) -> dict[str, Any]:
    day = datetime.fromtimestamp(document.created_at / 1000, tz=UTC)
    title = document.title or "Transcript"
    parts = sections(document)
    return {
        "title": _wrappable(title),
        "running": title if len(title) <= _RUNNING_CHARS else title[: _RUNNING_CHARS - 1] + "…",
        "rtl": right_to_left(title),
        "date": [day.year, day.month, day.day],
        "day": facts(document, speakers=False)[0][1],
        "language": language_tag(document.language).split("-")[0],
        "paper": _PAPER[options.paper_size],
        "facts": facts(document, speakers=options.speaker_labels),
        "times": options.timestamps,
        "short": len(parts) == 1,
        "sections": [
            {
                "title": section.title,
                "turns": [
                    {
                        "speaker": _wrappable(turn.speaker) if turn.speaker and options.speaker_labels else None,
                        "rtl": right_to_left(turn.speaker or ""),
                        "paragraphs": [
                            {"time": clock(p.start), "text": _wrappable(p.text), "rtl": right_to_left(p.text)}
                            for p in turn.paragraphs
                        ],
                    }
                    for turn in section.turns
                ],
            }
            for section in parts
        ],
    }


def _wrappable(text: str) -> str:
    """Return a text whose long words may be cut, which would else run off the page."""
    return _LONG_WORD.sub(_pieces, text)


def _pieces(word: re.Match[str]) -> str:
    parts = range(0, len(word[0]), _BREAK_CHARS)
    return "\u200b".join(word[0][first : first + _BREAK_CHARS] for first in parts)


def _pages(pdf: bytes) -> int:
    return len(_PAGE.findall(pdf))


FORMAT = Format(
    name="PDF",
    description="PDF with page numbers and bookmarks, tagged for assistive technology (PDF/UA).",
    media_type="application/pdf",
    extension="pdf",
    options=PageOptions,
    write=write,
)
