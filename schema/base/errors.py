"""Errors of the graph: each domain exception of `db.domain.errors` mapped once to its GraphQL type.

If a mutation's union holds that type, the error is the mutation's answer; anywhere else it becomes an entry of the
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


E = TypeVar("E", bound="UserError")


@strawberry.interface(description="An error: the same four facts wherever it appears.")
class UserError:
    """The base of all error types."""

    code: ErrorCode = field("The code for programs to branch on.")
    message: str = field("The message for people; it may change.")
    details: JSON | None = field("Facts about this error, by its kind.")
    correlation_id: strawberry.ID = field("Stands in every log line of this request.")

    @classmethod
    def of(cls, error: domain.GraphophoneError, correlation_id: str) -> "UserError":
        """Return the answer for a domain exception, whose own facts are attributes of the same names."""
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
    "words": "input.words",
    "segments": "input.segmentIds",
    "speakers": "input.speakerIds",
    "revision": "input.toRevision",
}
"""The places of the domain's values in a mutation's input."""


def in_input(error: domain.InvalidValue) -> domain.InvalidInput:
    """Return the error with the value's path in the client's input."""
    return domain.InvalidInput(_PATHS.get(error.name, error.name), error.message)


class _Handler:
    """One exception and its type; implements `strawberry.ExceptionHandler`."""

    def __init__(self, exception_type: type[domain.GraphophoneError], error_type: type[UserError]) -> None:
        self.exception_type = exception_type
        self.error_type = error_type

    def handle(self, exception: domain.GraphophoneError, *, field: StrawberryField, info: strawberry.Info) -> UserError:  # noqa: ARG002  strawberry's signature
        """Return the union member for an exception."""
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


@strawberry.type(description="One value of an input that cannot be used.")
class FieldError:
    """db.domain.errors.FieldFault in the graph."""

    path: list[str] = field("The path of the value, from the outside in, such as `input` and `language`.")
    message: str = field("The fault, in words for people.")


@_of(domain.InvalidInput, "Values of the input cannot be used.")
class InvalidInputError(UserError):
    """db.domain.errors.InvalidInput in the graph."""

    fields: list[FieldError] = field("Everything that is wrong with the input, in its order.")


@_of(domain.UnsupportedMedia, "The recording cannot be read; `details.remedy` says what to do.")
class UnsupportedMediaError(UserError):
    """db.domain.errors.UnsupportedMedia in the graph."""


@_of(domain.LimitExceeded, "More than is allowed.")
class LimitExceededError(UserError):
    """db.domain.errors.LimitExceeded in the graph."""

    limit: float = field("The limit, in `unit`.")
    actual: float = field("The amount that was asked for, in `unit`.")
    unit: str = field("The unit: bytes, seconds, jobs.")


@_of(domain.QueueFull, "Too many jobs wait already; nothing was accepted.")
class QueueFullError(UserError):
    """db.domain.errors.QueueFull in the graph."""

    retry_after_seconds: float = field("The seconds until there may be room again, judged by recent jobs.")


@_of(domain.Conflict, "It exists, but this cannot be done to it as it stands.")
class ConflictError(UserError):
    """db.domain.errors.Conflict in the graph."""

    current_revision: int | None = field("The transcript's revision, when another one was expected.")


@_of(domain.NotFound, "The thing does not exist, or it belongs to somebody else: the answer is the same.")
class NotFoundError(UserError):
    """db.domain.errors.NotFound in the graph."""


@_of(domain.Forbidden, "The credentials do not allow this.")
class ForbiddenError(UserError):
    """db.domain.errors.Forbidden in the graph."""

    required_scope: str | None = field("The scope that is missing.")


def handlers() -> list[Any]:
    """Return the whole mapping, for the schema."""
    return [*_handlers, _Handler(domain.InvalidValue, InvalidInputError)]
