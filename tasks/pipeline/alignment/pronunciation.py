"""Numbers, amounts, dates and addresses as the words that people say for them, so that an aligner can find them."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from num2words import num2words

PART = re.compile(r"\d+(?:[.,]\d{3})+(?!\d)|\d+|[^\W\d_]+|\S")
CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen"}
SIGNS = {
    "en": {"%": "percent", "@": "at", "&": "and", "+": "plus", "=": "equals", "°": "degrees", "#": "number"},
    "de": {"%": "prozent", "@": "ät", "&": "und", "+": "plus", "°": "grad", "€": "euro"},
    "es": {"%": "por ciento", "@": "arroba", "&": "y", "+": "más", "°": "grados", "€": "euros"},
    "fr": {"%": "pour cent", "@": "arobase", "&": "et", "+": "plus", "°": "degrés", "€": "euros"},
    "it": {"%": "per cento", "@": "chiocciola", "&": "e", "+": "più", "°": "gradi", "€": "euro"},
    "pt": {"%": "por cento", "@": "arroba", "&": "e", "+": "mais", "°": "graus", "€": "euros"},
}
POINT = {"en": "point", "de": "komma", "es": "coma", "fr": "virgule", "it": "virgola", "pt": "vírgula"}
DOT = {"en": "dot", "de": "punkt", "es": "punto", "fr": "point", "it": "punto", "pt": "ponto"}
UNITS = {"km": "kilometers", "kg": "kilograms", "cm": "centimeters", "mm": "millimeters", "mph": "miles per hour"}
ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
GROUP = re.compile(r"\d[\d-]*")
TELEPHONE = re.compile(r"\d{3,}-\d|\d-\d{3}")
YEARS = range(1100, 2100)
LONG = 5  # digits in a row, without a sign between them, are told one by one from here on
ADDRESS = re.compile(r"\w[.@]\w.*[^\W\d_]|[^\W\d_].*\w[.@]\w")


def spoken(words: Sequence[str], language: str) -> list[list[str]]:
    """Return for each written word the words that are said for it; the word itself where it has no digit or sign."""
    return [
        list(_said(word, language, among_digits=_among_digits(words, index))) if _unspoken(word, language) else [word]
        for index, word in enumerate(words)
    ]


def _unspoken(word: str, language: str) -> bool:
    core = word.strip(".,!?;:…\"'()")
    return any(sign.isdigit() or sign in CURRENCY or sign in SIGNS.get(language, ()) for sign in core) or bool(
        ADDRESS.search(core)
    )


def _among_digits(words: Sequence[str], index: int) -> bool:
    """Return whether a neighbour, with no sign between, is a group of digits too: a telephone number, no amount."""
    before = index > 0 and bool(GROUP.fullmatch(words[index - 1]))
    after = index + 1 < len(words) and bool(GROUP.fullmatch(words[index]) and words[index + 1][:1].isdigit())
    return before or after


def _said(word: str, language: str, *, among_digits: bool) -> Iterator[str]:
    core = word.strip(".,!?;:…\"'()").lower()
    if language == "en":
        core = ORDINAL.sub(lambda found: number(int(found[1]), language, "ordinal"), core)
    one_by_one = among_digits or bool(TELEPHONE.search(core))
    address = bool(ADDRESS.search(core))
    parts = PART.findall(core)
    for index, part in enumerate(parts):
        before, after = parts[index - 1] if index else "", parts[index + 1] if index + 1 < len(parts) else ""
        if part[0].isdigit():
            decimals = before in {".", ","} and index > 1 and parts[index - 2][0].isdigit()
            yield from _digits(part, language, one_by_one=one_by_one or decimals)
        elif part[0].isalpha():
            yield UNITS.get(part, part) if language == "en" and before[:1].isdigit() else part
        else:
            between = before[:1].isdigit() and after[:1].isdigit()
            yield from _sign(part, language, address=address, between_digits=between)
    if language == "en":
        yield from (name for sign, name in CURRENCY.items() if sign in core)


def _sign(sign: str, language: str, *, address: bool, between_digits: bool) -> Sequence[str]:
    if sign in {".", ","}:
        name = DOT.get(language) if address else POINT.get(language) if between_digits else None
        return [name] if name else []
    return SIGNS.get(language, {}).get(sign, "").split()


def _digits(part: str, language: str, *, one_by_one: bool) -> Iterator[str]:
    plain = re.sub(r"\D", "", part)
    if plain == part and (one_by_one or len(plain) >= LONG or (plain[0] == "0" and len(plain) > 1)):
        for digit in plain:
            yield from number(int(digit), language, "cardinal").split()
        return
    year = plain == part and int(plain) in YEARS
    yield from re.findall(r"[^\W\d_]+", number(int(plain), language, "year" if year else "cardinal"))


@cache
def number(value: int, language: str, kind: str) -> str:
    """Return a number in words; in English where the library does not know the language."""
    try:
        said: str = num2words(value, lang=language, to=kind)
    except (NotImplementedError, KeyError, OverflowError):
        said = num2words(value, to="cardinal")
    return said.replace("-", " ").replace(",", "")
