"""Files in GraphQL requests, by the GraphQL multipart request specification: `operations`, `map`, then the files.

Files are written to disk as they arrive; what no resolver moved away is deleted when the request is over.
"""

import hashlib
import os
import tempfile
from asyncio import to_thread
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.graphql.settings import GraphQLSettings
from api.http.problems import HttpProblem
from db.domain.values import ErrorCode

DIGITS = 6
"""In the index of a list."""
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


class Uploads:
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
    """Return the problem of a multipart body that does not follow the specification."""
    return HttpProblem(400, ErrorCode.INVALID_INPUT, f"In the multipart body: {message}.")


async def read_multipart(
    chunks: AsyncIterator[bytes], boundary: bytes, settings: GraphQLSettings, uploads: Uploads
) -> Any:
    """Return the operation with its files in their places; raises `HttpProblem`."""
    if not boundary:
        raise bad_part("the content type names no boundary")
    reader = _Reader(settings, uploads)
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
    return reader.operation()


class _Reader:
    """Follows the parser through the parts, in the order of the specification."""

    def __init__(self, settings: GraphQLSettings, uploads: Uploads) -> None:
        self.settings = settings
        self.uploads = uploads
        self.part = Part()
        self.field = b""
        self.value = b""
        self.operations: Any = None
        self.map: dict[str, list[str]] | None = None
        self.files: dict[str, UploadedFile] = {}
        self.pending: list[tuple[Part, bytes]] = []
        self.pending_bytes = 0
        self.open: list[Part] = []
        self.finished: list[Part] = []
        self.ended = False

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self.on_part_begin,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_headers_finished": self.on_headers_finished,
            "on_end": self.on_end,
        }

    def on_part_begin(self) -> None:
        self.part = Part()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self.field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def on_header_end(self) -> None:
        self.part.headers[self.field.lower()] = self.value
        self.field = self.value = b""

    def on_headers_finished(self) -> None:
        part = self.part
        _, options = parse_options_header(part.headers.get(b"content-disposition"))
        try:
            part.name = options[b"name"].decode()
            part.filename = options[b"filename"].decode() if b"filename" in options else None
        except (KeyError, UnicodeDecodeError):
            raise bad_part("a part has no name, or one that is not UTF-8") from None
        if part.name in ("operations", "map"):
            if part.name == "map" and self.operations is None:
                raise bad_part("'operations' must come before 'map'")
            if (part.name == "operations" and self.operations is not None) or (
                part.name == "map" and self.map is not None
            ):
                raise bad_part(f"{part.name!r} stands twice")
            return
        if self.map is None:
            raise bad_part("'operations' and 'map' must come before the files")
        if part.name not in self.map:
            raise bad_part(f"the part {part.name[:50]!r} is not in 'map'")
        if part.name in self.files or any(other.name == part.name for other in self.open):
            raise bad_part(f"the part {part.name[:50]!r} stands twice")
        part.handle, part.path = self.uploads.create()
        self.open.append(part)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part, piece = self.part, bytes(data[start:end])
        part.size += len(piece)
        limit = self.settings.max_body_bytes if part.handle is None else self.settings.max_upload_bytes
        if part.size > limit:
            details = {"limit": limit, "unit": "bytes"}
            message = f"The {part.name if part.handle is None else 'file'} is larger than {limit} bytes."
            close = {"Connection": "close"}  # the rest of it is not wanted
            raise HttpProblem(413, ErrorCode.LIMIT_EXCEEDED, message, details, close)
        if part.handle is None:
            part.data += piece
        else:
            self.pending.append((part, piece))
            self.pending_bytes += len(piece)

    def on_part_end(self) -> None:
        part = self.part
        if part.name == "operations" and part.handle is None:
            self.operations = _object(part.data, "operations")
        elif part.name == "map" and part.handle is None:
            self.map = _map(part.data, self.operations, self.settings.max_files)
        else:
            self.finished.append(part)

    def on_end(self) -> None:
        self.ended = True

    async def flush(self, threshold: int) -> None:
        """Write what has gathered, and close the files that are whole."""
        if self.pending and (self.pending_bytes > threshold or self.finished):
            pending, self.pending, self.pending_bytes = self.pending, [], 0
            await to_thread(_write, pending)
        for part in self.finished:
            if part.handle is not None and part.path is not None:
                os.close(part.handle)
                part.handle = None
                self.open.remove(part)
                content_type = part.headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
                name = part.filename if part.filename is not None else part.name
                file = UploadedFile(part.path, name, content_type, part.size, part.digest.hexdigest())
                self.files[part.name] = file
        self.finished.clear()

    def close(self) -> None:
        for part in self.open:
            if part.handle is not None:
                os.close(part.handle)
        self.open.clear()

    def operation(self) -> Any:
        if self.operations is None or self.map is None:
            raise bad_part("'operations' and 'map' are needed")
        for name, places in self.map.items():
            if name not in self.files:
                raise bad_part(f"the file {name[:50]!r} is missing")
            for place in places:
                _put(self.operations, place, self.files[name])
        return self.operations


def _write(pending: list[tuple[Part, bytes]]) -> None:
    for part, piece in pending:
        part.digest.update(piece)
        if part.handle is not None:
            os.write(part.handle, piece)


def _object(text: bytes | bytearray, name: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise bad_part(f"{name!r} is not JSON") from None
    if isinstance(value, list):
        raise bad_part(f"{name!r} is a list, and batching is off")
    if not isinstance(value, dict):
        raise bad_part(f"{name!r} is not a JSON object")
    return value


def _map(text: bytes | bytearray, operations: Any, max_files: int) -> dict[str, list[str]]:
    value = _object(text, "map")
    if len(value) > max_files:
        details = {"limit": max_files, "actual": len(value), "unit": "files"}
        raise HttpProblem(413, ErrorCode.LIMIT_EXCEEDED, f"At most {max_files} files in a request.", details)
    for places in value.values():
        if not isinstance(places, list) or not places or not all(isinstance(place, str) for place in places):
            raise bad_part("'map' must give each file a list of paths")
        for place in places:
            _put(operations, place, None)
    if len({place for places in value.values() for place in places}) != sum(map(len, value.values())):
        raise bad_part("'map' names a path twice")
    return value


def _put(operations: Any, place: str, file: UploadedFile | None) -> None:
    """Put a file where `map` says, or (None) only check that there is a null in that place, under `variables`."""
    steps = place.split(".")
    target: Any = operations
    if steps[0] != "variables" or len(steps) == 1:
        raise bad_part(f"the path {place[:50]!r} does not lead into the variables")
    try:
        for step in steps[:-1]:
            target = target[_index(step) if isinstance(target, list) else step]
        last: Any = _index(steps[-1]) if isinstance(target, list) else steps[-1]
        if not isinstance(target, (list, dict)) or target[last] is not None:
            raise KeyError(place)
    except (KeyError, IndexError, TypeError, ValueError):
        raise bad_part(f"there is no null at the path {place[:50]!r}") from None
    if file is not None:
        target[last] = file


def _index(step: str) -> int:
    if not step.isascii() or not step.isdigit() or len(step) > DIGITS:
        raise ValueError(step)
    return int(step)
