"""The parts of a `multipart/form-data` body: fields in memory, files on disk as they arrive, both within bounds.

A `PartReader`, of which each endpoint has its own, decides on each part.
"""

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.http.problems import HttpProblem
from db.domain.values import ErrorCode

BUFFER = 1 << 20
"""Bytes that are collected before they are written, in a thread."""


@dataclass(frozen=True)
class UploadedFile:
    """A file that has arrived whole. `path` is deleted after the request: move it to keep it."""

    path: Path
    filename: str
    content_type: str
    byte_size: int
    sha256: str

    async def chunks(self) -> AsyncIterator[bytes]:
        """Return its bytes, read in a thread."""
        with self.path.open("rb") as opened:
            while chunk := await to_thread(opened.read, BUFFER):
                yield chunk


class TemporaryFiles:
    """The files of one request, on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []

    def create(self) -> tuple[int, Path]:
        """Open a new file, readable by us only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="upload-", dir=self.folder)
        self.paths.append(Path(name))
        return handle, Path(name)

    def delete(self) -> None:
        """Remove the files that nobody moved."""
        for path in self.paths:
            path.unlink(missing_ok=True)


class Part:
    """One part of the body: a small field in memory, or a file on disk."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.name = ""
        self.filename: str | None = None
        self.data = bytearray()
        self.handle: int | None = None
        self.path: Path | None = None
        self.digest = hashlib.sha256()
        self.size = 0


def bad_part(message: str) -> HttpProblem:
    """Return the problem of a multipart body that is not as it must be."""
    return HttpProblem(400, ErrorCode.INVALID_INPUT, f"In the multipart body: {message}.")


class PartReader(ABC):
    """Follows the parser through the parts. Sizes are bytes: of each file, and of all fields together."""

    def __init__(self, uploads: TemporaryFiles, *, max_file: int, max_fields: int) -> None:
        self.files: dict[str, UploadedFile] = {}
        self._uploads, self._max_file, self._max_fields = uploads, max_file, max_fields
        self._part = Part()
        self._header, self._value = b"", b""
        self._field_bytes = 0
        self._pending: list[tuple[Part, bytes]] = []
        self._pending_bytes = 0
        self._open: list[Part] = []
        self._finished: list[Part] = []
        self.ended = False

    @abstractmethod
    def begin(self, part: Part) -> bool:
        """Tell whether a part, whose head is known now, is a file. Raises `HttpProblem` for one that must not be."""

    @abstractmethod
    def field(self, part: Part) -> None:
        """Take a field, which is whole. Raises `HttpProblem`."""

    def has_file(self, name: str) -> bool:
        """Tell whether a file of this name has begun or is here."""
        return name in self.files or any(other.name == name for other in self._open)

    def on_part_begin(self) -> None:
        """Begin a part; this and the following are called by the parser."""
        self._part = Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """Gather a header's name."""
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Gather its value."""
        self._value += data[start:end]

    def on_header_end(self) -> None:
        """Keep the header."""
        self._part.headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        """Ask what the part is."""
        part = self._part
        _, options = parse_options_header(part.headers.get(b"content-disposition"))
        try:
            part.name = options[b"name"].decode()
            part.filename = options[b"filename"].decode() if b"filename" in options else None
        except (KeyError, UnicodeDecodeError):
            raise bad_part("a part has no name, or one that is not UTF-8") from None
        if self.begin(part):
            part.handle, part.path = self._uploads.create()
            self._open.append(part)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Gather a piece of the part."""
        part, piece = self._part, bytes(data[start:end])
        part.size += len(piece)
        if part.handle is None:
            self._field_bytes += len(piece)
            _check_size(part.name, self._field_bytes, self._max_fields)
            part.data += piece
        else:
            _check_size("file", part.size, self._max_file)
            self._pending.append((part, piece))
            self._pending_bytes += len(piece)

    def on_part_end(self) -> None:
        """Hand a field on; a file is written first."""
        if self._part.handle is None:
            self.field(self._part)
        else:
            self._finished.append(self._part)

    def on_end(self) -> None:
        """Note that the body is whole."""
        self.ended = True

    def callbacks(self) -> dict[str, Any]:
        """Return the parser's callbacks."""
        return {name: getattr(self, name) for name in dir(self) if name.startswith("on_")}

    async def flush(self, threshold: int) -> None:
        """Write what has gathered, and close the files that are whole."""
        if self._pending and (self._pending_bytes > threshold or self._finished):
            pending, self._pending, self._pending_bytes = self._pending, [], 0
            await to_thread(_write, pending)
        for part in self._finished:
            if part.handle is not None and part.path is not None:
                os.close(part.handle)
                part.handle = None
                self._open.remove(part)
                content_type = part.headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
                name = part.filename if part.filename is not None else part.name
                file = UploadedFile(part.path, name, content_type, part.size, part.digest.hexdigest())
                self.files[part.name] = file
        self._finished.clear()

    def close(self) -> None:
        """Close what is still open."""
        for part in self._open:
            if part.handle is not None:
                os.close(part.handle)
        self._open.clear()


async def read_parts(chunks: AsyncIterator[bytes], boundary: bytes, reader: PartReader) -> None:
    """Lead a reader through a body. Raises `HttpProblem`."""
    if not boundary:
        raise bad_part("the content type names no boundary")
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]  # a TypedDict of these names
        async for chunk in chunks:
            parser.write(chunk)
            await reader.flush(BUFFER)
        parser.finalize()
    except FormParserError:
        raise bad_part("it is not valid multipart/form-data") from None
    finally:
        await reader.flush(0)
        reader.close()
    if not reader.ended:
        raise bad_part("it ends too early")


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        details = {"limit": limit, "unit": "bytes"}
        close = {"Connection": "close"}  # the rest of it is not wanted
        raise HttpProblem(413, ErrorCode.LIMIT_EXCEEDED, f"The {what} is larger than {limit} bytes.", details, close)


def _write(pending: list[tuple[Part, bytes]]) -> None:
    for part, piece in pending:
        part.digest.update(piece)
        if part.handle is not None:
            os.write(part.handle, piece)
