"""From the recogniser's text to words and sentences, in languages with and without spaces."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

import punkt

LANGUAGES_WITHOUT_SPACES = frozenset({"zh", "yue", "ja"})
"""Written without spaces, so that each character is a word (as WhisperX has it)."""

PUNKT = {
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "fi": "finnish",
    "fr": "french",
    "it": "italian",
    "ml": "malayalam",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ru": "russian",
    "sl": "slovene",
    "sv": "swedish",
    "tr": "turkish",
}
LONGEST = 240  # characters; a longer sentence is divided at a comma or between words
ENDS = re.compile(r"(?:(?<=[!?。！？｡؟۔।॥။…])|(?<=\.)(?![0-9A-Za-z]))(?![.!?。！？…])\s*")  # not in “3.5”, nor in “?!”
CLAUSE = re.compile(r"[,;:、，；：،]$")
_TOKEN = re.compile(r"[0-9A-Za-z\u00c0-\u024f][0-9A-Za-z\u00c0-\u024f.,'’%-]*[^\w\s]*|\w[^\w\s]*|[^\w\s]+")


def words(text: str, language: str) -> list[str]:
    """Return the words of a text as written, each with its punctuation; nothing of the text but spaces is lost."""
    if language not in LANGUAGES_WITHOUT_SPACES:
        return text.split()
    return [word for part in text.split() for word in _TOKEN.findall(part)]


def join(parts: Sequence[str], language: str) -> str:
    """Return words as text again."""
    return ("" if language in LANGUAGES_WITHOUT_SPACES else " ").join(parts)


def sentences(text: str, language: str) -> Iterator[list[str]]:
    """Return the words of each sentence of a text, none of them longer than fits on a screen."""
    for sentence in _split(text.strip(), language):
        found = words(sentence, language)
        if found:
            yield from _shortened(found)


def _split(text: str, language: str) -> Sequence[str]:
    name = PUNKT.get(language)
    if name is None:
        return [part for part in ENDS.split(text) if part.strip()]
    found: Sequence[str] = _tokenizer(name).tokenize(text)
    return found


@cache
def _tokenizer(name: str) -> punkt.PunktSentenceTokenizer:
    return punkt.PunktSentenceTokenizer(punkt.load_model(name))


def _shortened(found: list[str]) -> Iterator[list[str]]:
    """Divide a sentence that is too long behind the clause nearest to its middle, or else in its middle."""
    total = sum(len(word) + 1 for word in found)
    if total <= LONGEST or len(found) < 2:
        yield found
        return
    best, length = len(found) // 2, 0
    distance = float(total)
    for index, word in enumerate(found[:-1]):
        length += len(word) + 1
        penalty = abs(length - total / 2) + (0 if CLAUSE.search(word) else total / 4)
        if penalty < distance:
            best, distance = index + 1, penalty
    yield from _shortened(found[:best])
    yield from _shortened(found[best:])
