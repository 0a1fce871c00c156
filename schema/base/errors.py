"""Errors of the graph: each domain exception of `db.domain.errors` mapped once to its GraphQL type.

Where a mutation's union holds that type the error is the mutation's answer; anywhere else it becomes an entry of the
top-level `errors`, with the same four facts in its `extensions` (`schema.execution.errors`).
"""

import inspect
from typing import Any

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from db.domain import errors as domain
from schema.base.enums import ErrorCode
from schema.base.fields import field


@strawberry.interface(description="What went wrong: the same four facts wherever an error appears.")
class UserError:
    """The base of all error types."""

    code: ErrorCode = field("For programs: branch on this.")
    message: str = field("For people; may change.")
    details: JSON | None = field("Facts about this error, by its kind.")
    correlation_id: strawberry.ID = field("Stands in every log line of this request.")

    @classmethod
    def of(cls, error: domain.GraphophoneError, correlation_id: str) -> "UserError":
        """The answer for a domain exception, whose own facts are attributes of the same names."""
        own = {name: getattr(error, name) for name in inspect.get_annotations(cls)}
        return cls(
            code=error.code,
            message=error.message,
            details=error.details,  # type: ignore[arg-type]  # JSON is any value
            correlation_id=strawberry.ID(correlation_id),
            **own,
        )


@strawberry.type(description="One value of an input that cannot be used.")
class FieldError:
    """db.domain.errors.FieldFault in the graph."""

    path: list[str] = field("The path of the value, from the outside in, such as `input` and `language`.")
    message: str = field("What is wrong with it, for people.")


@strawberry.type(description="Values of the input cannot be used.")
class InvalidInputError(UserError):
    """db.domain.errors.InvalidInput in the graph."""

    fields: list[FieldError] = field("Everything that is wrong with the input, in its order.")


@strawberry.type(description="The recording cannot be read; `details.remedy` says what to do.")
class UnsupportedMediaError(UserError):
    """db.domain.errors.UnsupportedMedia in the graph."""


@strawberry.type(description="More than is allowed.")
class LimitExceededError(UserError):
    """db.domain.errors.LimitExceeded in the graph."""

    limit: float = field("What is allowed, in `unit`.")
    actual: float = field("What was asked for, in `unit`.")
    unit: str = field("What is counted: bytes, seconds, jobs.")


@strawberry.type(description="Too many jobs wait already; nothing was accepted.")
class QueueFullError(UserError):
    """db.domain.errors.QueueFull in the graph."""

    retry_after_seconds: float = field("When there may be room again, judged by how long recent jobs took.")


@strawberry.type(description="It exists, but this cannot be done to it as it stands.")
class ConflictError(UserError):
    """db.domain.errors.Conflict in the graph."""

    current_revision: int | None = field("The transcript's revision, when another one was expected.")


@strawberry.type(description="There is no such thing, or it belongs to somebody else: the answer is the same.")
class NotFoundError(UserError):
    """db.domain.errors.NotFound in the graph."""


@strawberry.type(description="The credentials do not allow this.")
class ForbiddenError(UserError):
    """db.domain.errors.Forbidden in the graph."""

    required_scope: str | None = field("The scope that is missing.")


class _Handler:
    """One exception and its type; implements `strawberry.ExceptionHandler`."""

    def __init__(self, exception_type: type[domain.GraphophoneError], error_type: type[UserError]) -> None:
        self.exception_type = exception_type
        self.error_type = error_type

    def handle(self, exception: domain.GraphophoneError, *, field: StrawberryField, info: strawberry.Info) -> UserError:  # noqa: ARG002  strawberry's signature
        """The union member for an exception."""
        return self.error_type.of(exception, info.context.correlation_id)


def handlers() -> list[Any]:
    """The whole mapping."""
    return [
        _Handler(domain.InvalidInput, InvalidInputError),
        _Handler(domain.UnsupportedMedia, UnsupportedMediaError),
        _Handler(domain.LimitExceeded, LimitExceededError),
        _Handler(domain.QueueFull, QueueFullError),
        _Handler(domain.Conflict, ConflictError),
        _Handler(domain.NotFound, NotFoundError),
        _Handler(domain.Forbidden, ForbiddenError),
    ]
