"""The guard that every document passes before it is written, whatever people and models put into texts and names.

After it, every string is one line of characters that XML 1.0 allows and that do nothing but show: no control
characters, no line or paragraph separators, no bidirectional overrides, embeddings and isolates (they reorder what
stands behind them, other people's words too: Unicode TR 36, CVE-2021-42574), no noncharacters. Marks that only one
format gives a meaning (`<`, `{`, `-->`) are the business of that format.
"""

import re
import unicodedata

from msgspec.structs import replace

from db.domain.values import Segment, Word
from tasks.documents.document import Document, Speaker

_LINE_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
_REMOVED = (
    "\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # C0 and C1
    "\u202a-\u202e\u2066-\u2069"  # bidirectional formatting
    "\ufeff\ufff9-\ufffb"  # byte order mark, interlinear annotation
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates and noncharacters
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
)
_SUSPECT = re.compile(f"[{_LINE_BREAKS}{_REMOVED}]")
_BREAK = re.compile(f"[{_LINE_BREAKS}]+")
_REMOVE = re.compile(f"[{_REMOVED}]+")

_LOOKALIKES = str.maketrans({"{": "｛", "}": "｝", "\\": "⧵", "<": "＜", ">": "＞"})
_MARKUP = re.compile(r"[{}\\<>]")
MAX_NAME_CHARS = 200


def line(text: str) -> str:
    """Return a text as one harmless line."""
    if _SUSPECT.search(text):
        text = _REMOVE.sub("", _BREAK.sub(" ", text))
    return text.strip()


def name(text: str) -> str:
    """Return a name or title as one harmless line of reasonable length, with single spaces."""
    return " ".join(line(text).split())[:MAX_NAME_CHARS].rstrip()


def without_markup(text: str) -> str:
    """Return a text with look-alikes for the marks of subtitle formats that know no way to escape them."""
    return text.translate(_LOOKALIKES) if _MARKUP.search(text) else text


def field(text: str) -> str:
    """Return a text as a field between spaces; `-` when nothing is left."""
    return re.sub(r"[\s\"]+", "_", text).strip(";") or "-"


def file_name(title: str, extension: str) -> str:
    """Return a title as a file's name on any system."""
    stem = re.sub(r'[<>:"/\\|?*#%;]+', "_", name(title)).strip(". ")[:150].rstrip(". ")
    return f"{stem or 'transcript'}.{extension}"


def cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    first = unicodedata.normalize("NFKC", text[:1])
    return f"'{text}" if first.startswith(("=", "+", "-", "@")) else text


def right_to_left(text: str) -> bool:
    """Return whether a paragraph runs from right to left: its first strong character decides (UAX 9, P2 and P3)."""
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction in {"L", "R", "AL"}:
            return direction != "L"
    return False


def guarded(document: Document) -> Document:
    """Return the document with every text, name and title guarded; words and segments without text are left out."""
    return replace(
        document,
        title=name(document.title),
        language=name(document.language) if document.language else None,
        filename=name(document.filename),
        segments=tuple(segment for segment in map(_segment, document.segments) if segment.text or segment.words),
        speakers=tuple(Speaker(name(speaker.name), speaker.seconds) for speaker in document.speakers),
    )


def _segment(segment: Segment) -> Segment:
    words = segment.words
    said = " ".join([word.text for word in words])
    if _SUSPECT.search(said) or len(said.split()) != len(words):  # control characters, or spaces in or around a word
        words = tuple(word for word in map(_word, words) if word.text)
    text = line(segment.text)
    return segment if text == segment.text and words is segment.words else replace(segment, text=text, words=words)


def _word(word: Word) -> Word:
    text = line(word.text)
    return word if text == word.text else replace(word, text=text)


def language_tag(language: str | None) -> str:
    """Return a language as a BCP 47 tag; `und`, undetermined, where it is none."""
    return language if language and re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language) else "und"


def unique(names: list[str]) -> list[str]:
    """Return the names, those that stood before with a number behind them."""
    found: list[str] = []
    for text in names:
        number, distinct = 1, text
        while distinct in found:
            number += 1
            distinct = f"{text}_{number}"
        found.append(distinct)
    return found
