"""Markdown (CommonMark): a heading, and the paragraphs of the turns."""

import re

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.layout.turns import Turn, clock, turns
from tasks.documents.options import TextOptions

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~$&!=@^])")
_LINE_START = re.compile(r"^([-+]|\d{1,9}(?=[.)]))")


def write(document: Document, options: TextOptions) -> bytes:
    """Return UTF-8; every mark of Markdown, HTML and template languages in a text is escaped."""
    parts = [f"# {escaped(document.title) or 'Transcript'}"]
    parts += [text for turn in turns(document) for text in _paragraphs(turn, options)]
    return ("\n\n".join(parts) + "\n").encode()


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is; a backslash before punctuation makes it plain (CommonMark 2.4)."""
    text = _MARKS.sub(r"\\\1", text)
    return _LINE_START.sub(lambda found: f"\\{found[0]}" if not found[0].isdigit() else f"{found[0]}\u2060", text)


def _paragraphs(turn: Turn, options: TextOptions) -> list[str]:
    speaker = turn.speaker if options.speaker_labels else None
    found = []
    for number, paragraph in enumerate(turn.paragraphs):
        name = f"**{escaped(speaker)}**" if speaker and not number else ""
        time = f"`{clock(paragraph.start)}`" if options.timestamps else ""
        found.append(" ".join(part for part in (name, time, escaped(paragraph.text)) if part))
    return found


FORMAT = Format(
    name="MARKDOWN",
    description="Markdown (CommonMark): a heading and a paragraph a turn, speakers in bold.",
    media_type="text/markdown; charset=utf-8; variant=CommonMark",
    extension="md",
    options=TextOptions,
    write=write,
)
