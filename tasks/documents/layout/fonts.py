"""The fonts of paged documents: those that come as packages, and the system's own where they do not suffice."""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from unicodedata import category

import fontpkg
import msgspec
import typst

from db.domain.values import ErrorCode, Problem
from tasks.documents.format import NotWritable

_SOURCE = b'#set document(title: "-")\n#set text(font: json(bytes(sys.inputs.families)))\n#sys.inputs.text'
_NO_GLYPH = re.compile(r'the text `"(.+?)"` could not be displayed', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))")
_STAND_IN = "\ufffd"
_MOST_MISSING = 64
_REGIONS = {"ja": "JP", "ko": "KR", "yue": "HK"}
"""Chinese characters look different in each language that uses them; elsewhere they are written as in China."""


class Fonts(NamedTuple):
    """Fonts with every letter of a text; `stand_ins` replace pictures and private characters that no font has."""

    fonts: typst.Fonts
    families: list[str]
    stand_ins: dict[int, str]


def fonts_for(text: str, language: str | None) -> Fonts:
    """Return the fonts of a document. Raises NotWritable when no font has one of its letters.

    The packages' fonts are the same on every machine, so that documents have the same bytes; the system's are only
    looked at when those lack a character.
    """
    characters = sorted(set(text))
    fonts = _loaded(system=False)
    families = _families(fonts, language)
    missing = _missing(characters, fonts, families, most=1)
    if missing:
        fonts = _loaded(system=True)
        families = _families(fonts, language)
        missing = _missing(characters, fonts, families, most=_MOST_MISSING)
    letters = [char for char in missing if category(char)[0] in "LMN"]
    if letters or len(missing) == _MOST_MISSING:
        message = f"No font on the server has these characters: {' '.join(letters[:20] or missing[:20])}"
        remedy = "Install a font for this script, say Debian's fonts-noto-cjk; or ask for DOCX or HTML instead."
        raise NotWritable(Problem(code=ErrorCode.INVALID_INPUT, message=message, remedy=remedy))
    return Fonts(fonts, families, {ord(char): _STAND_IN for char in missing})


@cache
def _loaded(*, system: bool) -> typst.Fonts:
    folders = {str(file.path.parent) for family in fontpkg.families().values() for file in family.files}
    return typst.Fonts(include_system_fonts=system, include_embedded_fonts=False, font_paths=sorted(folders))


def _families(fonts: typst.Fonts, language: str | None) -> list[str]:
    packaged = sorted(_loaded(system=False).families())
    wanted = ["Noto Sans", f"Noto Sans CJK {_REGIONS.get(language or '', 'SC')}"]
    known = fonts.families()
    return [name for name in wanted if name in known] + [name for name in packaged if name not in wanted]


def _missing(characters: Sequence[str], fonts: typst.Fonts, families: list[str], *, most: int) -> list[str]:
    """Return characters without a glyph, `most` at most: PDF/UA forbids them, and Typst names the first it meets."""
    compiler = typst.Compiler(font_paths=fonts)
    names = msgspec.json.encode(families).decode()
    missing: list[str] = []
    while len(missing) < most:
        inputs = {"text": " ".join(char for char in characters if char not in missing), "families": names}
        try:
            compiler.compile(_SOURCE, format="pdf", sys_inputs=inputs, pdf_standards=["ua-1"])
        except typst.TypstError as error:
            named = _NO_GLYPH.search(str(error))
            found = set(_unescaped(named[1])) - {" ", *missing} if named else set()
            if not found:
                raise
            missing += sorted(found)[: most - len(missing)]
        else:
            break
    return missing


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
