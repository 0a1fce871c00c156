"""Scalars that GraphQL lacks. An instant is epoch milliseconds in Python, as it is in the database."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NewType, Protocol, runtime_checkable

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from db.domain.clock import iso

Instant = NewType("Instant", int)
BigInt = NewType("BigInt", int)
Upload = NewType("Upload", object)

_SAFE = 2**53 - 1  # what a JSON number holds exactly in every language


@runtime_checkable
class UploadedFile(Protocol):
    """A file of a multipart request, on disk already."""

    filename: str

    def chunks(self) -> AsyncIterator[bytes]:
        """Return its bytes."""


def _instant(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError("A DateTime is an ISO 8601 string such as 2026-05-01T12:00:00Z.")  # noqa: TRY004  GraphQL shows a ValueError's text to the client
    try:
        at = datetime.fromisoformat(value)
        ms = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError("A DateTime is an ISO 8601 string such as 2026-05-01T12:00:00Z.") from None
    return ms


def _big_int(value: Any) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value) and value.is_integer())
    if isinstance(value, bool) or not whole or abs(value) > _SAFE:
        raise ValueError("A BigInt is a whole number between -(2^53 - 1) and 2^53 - 1.")
    return int(value)


def _upload(value: Any) -> UploadedFile:
    if not isinstance(value, UploadedFile):
        raise ValueError("An Upload is a file of a GraphQL multipart request, put in place by its `map`.")  # noqa: TRY004  GraphQL shows a ValueError's text to the client
    return value


def _same(value: Any) -> Any:
    return value


def scalar_map() -> dict[object, ScalarDefinition]:
    """Return the scalars for the schema's configuration."""
    return {
        Instant: strawberry.scalar(
            name="DateTime",
            description="An instant in UTC as ISO 8601, such as `2026-05-01T12:00:00.000Z`.",
            specified_by_url="https://scalars.graphql.org/andimarek/date-time",
            serialize=iso,
            parse_value=_instant,
        ),
        BigInt: strawberry.scalar(
            name="BigInt",
            description="A whole number that may exceed 2^31, as a JSON number; up to 2^53 - 1.",
            serialize=_same,
            parse_value=_big_int,
        ),
        Upload: strawberry.scalar(
            name="Upload",
            description="A file of a GraphQL multipart request. For large files use `createUpload`.",
            specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
            serialize=_same,
            parse_value=_upload,
        ),
        JSON: strawberry.scalar(
            name="JSON",
            description="Any JSON value.",
            specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
            serialize=_same,
            parse_value=_same,
        ),
    }
