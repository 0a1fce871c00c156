"""Text as search terms, the same on every database and in every language. Pure.

A term is a word without case and accents; scripts that are written without spaces give one term a character. Terms are
spelt with a-z and 0-9 only, so that no database's own idea of a word comes into play.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from db.domain.errors import InvalidValue

MOST_CHARS, MOST_TERMS = 200, 20
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO")


class Term(NamedTuple):
    """A term and where it stands in the text."""

    text: str
    start: int
    end: int


Phrase = tuple[str, ...]
"""Terms one behind the other; the last may end in `*` and then stands for all that begin so."""


def terms(text: str) -> str:
    """Return a text's terms, for the index."""
    return " ".join(term.text for term in find(text))


def find(text: str) -> Iterator[Term]:
    """Yield a text's terms in order."""
    start = None
    for place, char in enumerate(text + " "):
        mark = unicodedata.category(char).startswith("M")
        wordy = char.isalnum() or mark
        if start is not None and (not wordy or (not mark and (_unspaced(char) or _unspaced(text[start])))):
            if spelt := _spelt(text[start:place]):
                yield Term(spelt, start, place)
            start = None
        if wordy and start is None:
            start = place


def parse(query: str) -> list[Phrase]:
    """Return the phrases of a query, all of which are looked for. Words that hang together or in double quotes are one.

    Raises InvalidValue for a query that is empty or too long; one without any letter or digit finds nothing.
    """
    if not query.strip() or len(query) > MOST_CHARS:
        raise InvalidValue("query", f"Between 1 and {MOST_CHARS} characters.")
    quoted = query.split('"')
    chunks = [part for i, piece in enumerate(quoted) for part in ([piece] if i % 2 else piece.split())]
    phrases = [_phrase(chunk.rstrip()) for chunk in chunks]
    phrases = list(dict.fromkeys(phrase for phrase in phrases if phrase))
    if sum(map(len, phrases)) > MOST_TERMS:
        raise InvalidValue("query", f"At most {MOST_TERMS} words.")
    return phrases


def _phrase(chunk: str) -> Phrase:
    *before, last = [term.text for term in find(chunk)] or [""]
    begins_so = chunk.endswith("*") and chunk[-2:-1].isalnum()
    return (*before, last + "*" * begins_so) if last else ()


def _is(term: str, wanted: str) -> bool:
    return term.startswith(wanted[:-1]) if wanted.endswith("*") else term == wanted


def matches(text: str, phrases: Sequence[Phrase]) -> list[tuple[int, int]]:
    """Return the places of the phrases in the text, in order; those that touch are one."""
    found = list(find(text))
    spans = sorted(
        (found[i].start, found[i + len(phrase) - 1].end)
        for phrase in phrases
        for i in range(len(found) - len(phrase) + 1)
        if all(map(_is, (term.text for term in found[i : i + len(phrase)]), phrase))
    )
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _unspaced(char: str) -> bool:
    return char > "\u0dff" and unicodedata.name(char, "").startswith(_UNSPACED)


def _spelt(word: str) -> str:
    """Undo compatibility forms, case and Latin, Greek and Cyrillic accents, and spell the rest in ASCII."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", word).casefold())
    letters = [c for c in plain if c.isalnum() or (unicodedata.category(c)[0] == "M" and not "\u0300" <= c <= "\u036f")]
    ascii_only = (c if c.isascii() else f"z{ord(c):x}z" for c in letters)
    return "w" + "".join(ascii_only) if letters else ""
