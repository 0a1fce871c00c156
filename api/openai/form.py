"""The form of a request: its fields in any order, before the recording or behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from api.http.files.multipart import Part, PartReader, TemporaryFiles, UploadedFile, bad_part, read_parts
from api.http.problems import HttpProblem
from db.domain.errors import InvalidInput
from db.domain.values import ErrorCode
from schema.base import validation

NAMELESS = "recording"
FIELDS = 200
FIELD_BYTES = 256 << 10
"""Of all fields together."""


@dataclass(frozen=True)
class Form:
    """The recording, and the values of each field, without the brackets that some clients put behind its name."""

    file: UploadedFile
    fields: Mapping[str, Sequence[str]]

    def last(self, name: str) -> str | None:
        """Return a field's value, which of several is the last; None when it is missing or empty."""
        values = self.fields.get(name, ())
        return values[-1].strip() or None if values else None

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return one of the allowed values, the first if none was sent. Raises InvalidInput."""
        value = self.last(name) or allowed[0]
        if value not in allowed:
            raise InvalidInput(name, f"One of {', '.join(allowed)}.")
        return value


async def read_form(http: Request, uploads: TemporaryFiles, max_file: int) -> Form:
    """Return the form, whose file is on disk. Raises HttpProblem and InvalidInput."""
    media, options = parse_options_header(http.headers.get("content-type", ""))
    if media != b"multipart/form-data":
        message = "Send the recording as the field 'file' of a multipart/form-data body."
        raise HttpProblem(415, ErrorCode.INVALID_INPUT, message, headers={"Accept-Post": "multipart/form-data"})
    declared = http.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_file + 2 * FIELD_BYTES:  # refused before any of it is read
        details = {"limit": max_file, "unit": "bytes"}
        raise HttpProblem(413, ErrorCode.LIMIT_EXCEEDED, f"The file is larger than {max_file} bytes.", details)
    reader = _Reader(uploads, max_file=max_file, max_fields=FIELD_BYTES)
    await read_parts(http.stream(), options.get(b"boundary", b""), reader)
    if "file" not in reader.files:
        raise InvalidInput("file", "The recording is missing: send it as the field 'file'.")
    return Form(_named(reader.files["file"]), reader.fields)


def _named(file: UploadedFile) -> UploadedFile:
    """Return the file under a name that can be kept: programs send any, and none of it matters to them."""
    try:
        return replace(file, filename=validation.filename("file", file.filename))
    except InvalidInput:
        return replace(file, filename=NAMELESS)


class _Reader(PartReader):
    """Takes fields of any name, and one file."""

    def __init__(self, uploads: TemporaryFiles, *, max_file: int, max_fields: int) -> None:
        super().__init__(uploads, max_file=max_file, max_fields=max_fields)
        self.fields: dict[str, list[str]] = {}
        self._count = 0

    def begin(self, part: Part) -> bool:
        if part.name != "file":
            return False
        if self.has_file("file"):
            raise bad_part("the field 'file' stands twice; send one recording in a request")
        return True

    def field(self, part: Part) -> None:
        self._count += 1
        if self._count > FIELDS:
            raise bad_part(f"it has more than {FIELDS} fields")
        try:
            value = part.data.decode()
        except UnicodeDecodeError:
            raise bad_part(f"the field {part.name[:50]!r} is not UTF-8") from None
        self.fields.setdefault(part.name.removesuffix("[]"), []).append(value)
