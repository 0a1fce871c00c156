"""Errors of the graph: each domain exception of `db.domain.errors` mapped once to its GraphQL type.

Where a mutation's union holds that type the error is the mutation's answer; anywhere else it becomes an entry of the
top-level `errors`, with the same four facts in its `extensions` (`schema.execution.errors`).
"""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import strawberry
import structlog
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from db.domain import errors as domain
from db.store.outages import outage
from schema.base.enums import ErrorCode
from schema.base.fields import field
from schema.execution import Facts

_log = structlog.get_logger(__name__)


def explain(fault: Exception) -> Facts | None:
    """Return what a client may know of a domain exception; None for everything else."""
    fault = outage(fault) or fault
    if isinstance(fault, domain.Unavailable):
        _log.warning("unavailable", reason=str(fault))
    if isinstance(fault, domain.GraphophoneError) and fault.code is not ErrorCode.INTERNAL:
        return Facts(fault.code.value, fault.message, fault.details)
    return None


E = TypeVar("E", bound="Error")


@strawberry.interface(description="What went wrong: the same four facts wherever an error appears.")
class Error:
    """The base of all error types."""

    code: ErrorCode = field("For programs: branch on this.")
    message: str = field("For people; may change.")
    details: JSON | None = field("Facts about this error, by its kind.")
    correlation_id: strawberry.ID = field("Stands in every log line of this request.")

    @classmethod
    def of(cls, error: domain.GraphophoneError, correlation_id: str) -> "Error":
        """The answer for a domain exception, whose own facts are attributes of the same names."""
        own = {name: getattr(error, name) for name in inspect.get_annotations(cls)}
        return cls(
            code=error.code,
            message=error.message,
            details=error.details,  # type: ignore[arg-type]  # JSON is any value
            correlation_id=strawberry.ID(correlation_id),
            **own,
        )


_PATHS = {
    "at_word": "input.atWord",
    "segments": "input.segmentIds",
    "speakers": "input.speakerIds",
    "revision": "input.toRevision",
}
"""Where the domain's values stand in a mutation's input."""


def in_input(error: domain.InvalidValue) -> domain.InvalidInput:
    """Return the error with the value's path in the client's input."""
    return domain.InvalidInput(_PATHS.get(error.name, error.name), error.message)


class _Handler:
    """One exception and its type; implements `strawberry.ExceptionHandler`."""

    def __init__(self, exception_type: type[domain.GraphophoneError], error_type: type[Error]) -> None:
        self.exception_type = exception_type
        self.error_type = error_type

    def handle(self, exception: domain.GraphophoneError, *, field: StrawberryField, info: strawberry.Info) -> Error:  # noqa: ARG002  strawberry's signature
        """The union member for an exception."""
        if isinstance(exception, domain.InvalidValue):
            exception = in_input(exception)
        return self.error_type.of(exception, info.context.correlation_id)


_handlers: list[_Handler] = []


def _of(exception_type: type[domain.GraphophoneError], description: str) -> Callable[[type[E]], type[E]]:
    """Make a class the GraphQL type of a domain exception."""

    def declare(error_type: type[E]) -> type[E]:
        declared = strawberry.type(error_type, description=description)
        _handlers.append(_Handler(exception_type, declared))
        return declared

    return declare


@_of(domain.InvalidInput, "A value cannot be used.")
class InvalidInputError(Error):
    """db.domain.errors.InvalidInput in the graph."""

    field: list[str] = field("Where it stands in the input, from the outside in.")


@_of(domain.UnsupportedMedia, "The recording cannot be read; `details.remedy` says what to do.")
class UnsupportedMediaError(Error):
    """db.domain.errors.UnsupportedMedia in the graph."""


@_of(domain.LimitExceeded, "More than is allowed.")
class LimitExceededError(Error):
    """db.domain.errors.LimitExceeded in the graph."""

    limit: float = field("What is allowed, in `unit`.")
    actual: float = field("What was asked for, in `unit`.")
    unit: str = field("What is counted: bytes, seconds, jobs.")


@_of(domain.QueueFull, "Too many jobs wait already; nothing was accepted.")
class QueueFullError(Error):
    """db.domain.errors.QueueFull in the graph."""

    retry_after_seconds: float = field("When there may be room again, judged by how long recent jobs took.")


@_of(domain.Conflict, "It exists, but this cannot be done to it as it stands.")
class ConflictError(Error):
    """db.domain.errors.Conflict in the graph."""


@_of(domain.NotFound, "There is no such thing, or it belongs to somebody else: the answer is the same.")
class NotFoundError(Error):
    """db.domain.errors.NotFound in the graph."""


@_of(domain.Forbidden, "The credentials do not allow this.")
class ForbiddenError(Error):
    """db.domain.errors.Forbidden in the graph."""

    required_scope: str | None = field("The scope that is missing.")


def handlers() -> list[Any]:
    """Return the whole mapping, for the schema."""
    return [*_handlers, _Handler(domain.InvalidValue, InvalidInputError)]
