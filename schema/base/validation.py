"""Values that clients send, checked and brought to one form. Each raises InvalidInput with path and remedy."""

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from db.domain.errors import FieldFault, InvalidInput
from schema.base.languages import WHISPER

METADATA_BYTES, METADATA_DEPTH = 16 * 1024, 32
TAGS, TAG_CHARS = 50, 100
HOTWORDS, HOTWORD_CHARS, PROMPT_CHARS = 200, 100, 2000
LANGUAGES = 20
KEY_CHARS = 200
SPEAKERS = 100
ADDRESS_CHARS = 2000
FILENAME_CHARS = 255
_SAFE = 2**53 - 1
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # make a name read as another one
Number = TypeVar("Number", int, float)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")


P = ParamSpec("P")
T = TypeVar("T")


class Checks:
    """The checks of one input: what they refuse is collected, so that all of it is told at once."""

    def __init__(self) -> None:
        self._faults: list[FieldFault] = []

    def __call__(self, check: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what the check does; if it refuses, something of no use, for `done` will raise."""
        try:
            return check(*args, **kwargs)
        except InvalidInput as refused:
            self._faults += refused.fields
            return cast("T", None)

    def fail(self, field: str, message: str) -> None:
        """Record a fault that was found otherwise."""
        self._faults.append(FieldFault(field.split("."), message))

    def done(self) -> None:
        """Raise InvalidInput if anything was refused."""
        if self._faults:
            (path, message), *others = self._faults
            raise InvalidInput(".".join(path), message, others)


def some(field: str, values: Collection[object], least: int = 1) -> None:
    """Check that there are enough values; how many at most is declared beside the argument (`bounds`)."""
    if len(values) < least:
        raise InvalidInput(field, f"At least {least}.")


def text(field: str, value: str, most: int, *, lines: bool = False) -> str:
    """Text of 1 to `most` characters without control characters (but line ends, when asked)."""
    allowed = "\n\r\t" if lines else ""
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in allowed for char in value):
        raise InvalidInput(field, "Control characters are not allowed.")
    value = unicodedata.normalize("NFC", value).strip()
    if not 1 <= len(value) <= most:
        raise InvalidInput(field, f"Between 1 and {most} characters.")
    return value


def filename(field: str, value: str) -> str:
    """Return a file's name without its folders."""
    name = text(field, re.split(r"[/\\]", value.rstrip("/\\"))[-1], FILENAME_CHARS)
    if _BIDI & set(name) or name in {".", ".."}:
        raise InvalidInput(field, "This is not a file's name.")
    return name


def address(field: str, value: str) -> str:
    """Return an address that messages can be posted to; whether one may go there is seen when one does."""
    value = text(field, value, ADDRESS_CHARS)
    try:
        found = urlsplit(value)
        usable = found.scheme in {"http", "https"} and found.hostname and found.port != 0
    except ValueError:
        usable = False
    if not usable or found.username is not None or found.fragment or not value.isascii() or " " in value:
        raise InvalidInput(field, "An address such as https://example.org/hook, without user, password or fragment.")
    return value


def between(field: str, value: Number, least: float, most: float) -> Number:
    """Return a number that lies within bounds."""
    if not least <= value <= most:
        raise InvalidInput(field, f"Between {least} and {most}.")
    return value


def sha256(field: str, value: str) -> str:
    """64 hexadecimal digits, in lower case."""
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        raise InvalidInput(field, "64 hexadecimal digits.")
    return value.lower()


def language(field: str, value: str) -> str:
    """Return a language that Whisper knows, as its code; a region or script behind it, as in en-US, is left out."""
    code = re.split(r"[-_]", value.strip().lower(), maxsplit=1)[0]
    if len(value) > 35 or code not in WHISPER:
        raise InvalidInput(
            field, "A language code that Whisper knows, such as en, de or zh; leave it out to detect it."
        )
    return code


def languages(field: str, only: str | None, several: Sequence[str] | None) -> tuple[str, ...]:
    """Return the languages that are considered: none, which is all, where one is given anyway."""
    if only is not None and several:
        raise InvalidInput(f"{field}.languages", "Either one language or several.")
    checks = Checks()
    found = dict.fromkeys(
        checks(language, f"{field}.languages.{index}", value) for index, value in enumerate(several or ())
    )
    checks.done()
    return tuple(found)


def model(field: str, value: str) -> str:
    """Return a model's name as the hub has them: `small`, `owner/name`."""
    if len(value) > 100 or ".." in value or not _MODEL.fullmatch(value):
        raise InvalidInput(field, "A model's name, such as small or owner/name; `capabilities.models` lists them.")
    return value


def texts(field: str, values: Sequence[str], chars: int) -> tuple[str, ...]:
    """Return a list of short texts; repeated ones are dropped."""
    checks = Checks()
    found = dict.fromkeys(checks(text, f"{field}.{i}", value, chars) for i, value in enumerate(values))
    checks.done()
    return tuple(found)


def speakers(
    field: str,
    exactly: int | None,
    at_least: int | None,
    at_most: int | None,
    *,
    diarize: bool = True,
    separate: bool = False,
) -> None:
    """Either an exact number of speakers or bounds, 1 to 100."""
    for name, value in (("numSpeakers", exactly), ("minSpeakers", at_least), ("maxSpeakers", at_most)):
        if value is None:
            continue
        between(f"{field}.{name}", value, 1, SPEAKERS)
        if separate:
            raise InvalidInput(f"{field}.{name}", "Each channel is a speaker when channels are SEPARATE.")
        if not diarize:
            raise InvalidInput(f"{field}.{name}", "Speakers are not told apart when diarize is false.")
        if name != "numSpeakers" and exactly is not None:
            raise InvalidInput(f"{field}.{name}", "Either the exact number or bounds.")
    if (at_least or 0) > (at_most or SPEAKERS):
        raise InvalidInput(f"{field}.minSpeakers", "Not more than maxSpeakers.")


def metadata(field: str, value: Any) -> Any:
    """Any JSON of at most 16 KiB and 32 levels that every language can read back unchanged."""
    level = [value]
    for _ in range(METADATA_DEPTH):
        for item in level:
            if isinstance(item, (int, float)) and not (math.isfinite(item) and abs(item) <= _SAFE):
                raise InvalidInput(field, "Numbers must be finite and within ±(2^53 - 1).")
        level = [inner for item in level for inner in _inner(item)]
        if not level:
            break
    else:
        raise InvalidInput(field, f"At most {METADATA_DEPTH} levels.")
    try:
        size = len(msgspec.json.encode(value))
    except (UnicodeEncodeError, msgspec.MsgspecError):
        raise InvalidInput(field, "This cannot be written as JSON in UTF-8.") from None
    if size > METADATA_BYTES:
        raise InvalidInput(field, f"At most {METADATA_BYTES} bytes as JSON; this has {size}.")
    return value


def time_range(field: str, start: float, end: float) -> tuple[float, float]:
    """Return a stretch of time in seconds."""
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end <= 1e9):
        raise InvalidInput(field, "Seconds with 0 <= start < end.")
    return start, end


def _inner(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []
