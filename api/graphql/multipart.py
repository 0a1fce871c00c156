"""Files in GraphQL requests, by the GraphQL multipart request specification: `operations`, `map`, then the files.

Files are written to disk as they arrive; what no resolver moved away is deleted when the request is over.
"""

from collections.abc import AsyncIterator
from typing import Any

import orjson

from api.graphql.settings import GraphQLSettings
from api.http.files.multipart import Part, PartReader, TemporaryFiles, UploadedFile, bad_part, read_parts
from api.http.problems import HttpProblem
from db.domain.values import ErrorCode

DIGITS = 6
"""In the index of a list."""


async def read_multipart(
    chunks: AsyncIterator[bytes], boundary: bytes, settings: GraphQLSettings, uploads: TemporaryFiles
) -> Any:
    """Return the operation with its files in their places; raises `HttpProblem`."""
    reader = _Reader(settings, uploads)
    await read_parts(chunks, boundary, reader)
    return reader.operation()


class _Reader(PartReader):
    """Insists on the order of the specification."""

    def __init__(self, settings: GraphQLSettings, uploads: TemporaryFiles) -> None:
        super().__init__(uploads, max_file=settings.max_upload_bytes, max_fields=settings.max_body_bytes)
        self.max_files = settings.max_files
        self.operations: Any = None
        self.map: dict[str, list[str]] | None = None

    def begin(self, part: Part) -> bool:
        if part.name in ("operations", "map"):
            if part.name == "map" and self.operations is None:
                raise bad_part("'operations' must come before 'map'")
            if (part.name == "operations" and self.operations is not None) or (
                part.name == "map" and self.map is not None
            ):
                raise bad_part(f"{part.name!r} stands twice")
            return False
        if self.map is None:
            raise bad_part("'operations' and 'map' must come before the files")
        if part.name not in self.map:
            raise bad_part(f"the part {part.name[:50]!r} is not in 'map'")
        if self.has_file(part.name):
            raise bad_part(f"the part {part.name[:50]!r} stands twice")
        return True

    def field(self, part: Part) -> None:
        if part.name == "operations":
            self.operations = _object(part.data, "operations")
        else:
            self.map = _map(part.data, self.operations, self.max_files)

    def operation(self) -> Any:
        if self.operations is None or self.map is None:
            raise bad_part("'operations' and 'map' are needed")
        for name, places in self.map.items():
            if name not in self.files:
                raise bad_part(f"the file {name[:50]!r} is missing")
            for place in places:
                _put(self.operations, place, self.files[name])
        return self.operations


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
