"""Every error that a client can cause or meet, as one tree of small classes that carry their facts.

    GraphophoneError
     ├── InvalidInput        a value that cannot be used: its path in the client's input, and what is allowed
     ├── InvalidValue        the same of a value whose path in the client's input is not known here: its name
     ├── NotFound            there is no such thing, or the viewer may not see it (the same answer)
     ├── Conflict            it exists, but not in a state (or a revision) in which this can be done
     ├── Forbidden           the credentials lack a scope
     ├── LimitExceeded       a size, a duration or a quota: the limit, what was asked, the unit
     ├── QueueFull           too much waits already: when to try again
     ├── RateLimited         this minute's budget of query cost is spent: when to try again
     ├── TooCostly           a query turned out to cost more than one may
     ├── UnsupportedMedia    the recording cannot be read: why, and what to do
     ├── Unavailable         a part of the installation is away, or there is no room: when to try again
     ├── CursorExpired       the events after this cursor are no longer kept
     └── LeaseLost           a worker wrote after its lease had ended; never shown to a client

`schema.base.errors` maps each to its GraphQL type, once.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from db.domain.clock import now
from db.domain.values import ErrorCode, Problem


class GraphophoneError(Exception):
    """The base: a code for programs, a message for people, details for both."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class FieldFault(NamedTuple):
    """A fault in one value of an input; `path` leads to it from the outside in."""

    path: list[str]
    message: str


class InvalidInput(GraphophoneError):
    """Values that cannot be used: the first by its path and message, and all the others of the same input."""

    code = ErrorCode.INVALID_INPUT

    def __init__(self, field: str, message: str, others: Iterable[FieldFault] = ()) -> None:
        super().__init__(message, {"field": field})
        self.fields = [FieldFault(field.split("."), message), *others]
        if len(self.fields) > 1:
            self.details = {"field": field, "fields": [{"field": ".".join(p), "message": m} for p, m in self.fields]}


class InvalidValue(GraphophoneError):
    """A value that makes no sense; `name` is the domain's own, which only who took the input can place in it."""

    code = ErrorCode.INVALID_INPUT

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message, {"field": name})
        self.name = name


class NotFound(GraphophoneError):
    """There is no such thing, or the viewer may not see it."""

    code = ErrorCode.NOT_FOUND

    def __init__(self, noun: str, id_: str) -> None:
        super().__init__(f"There is no {noun} with this id.", {"id": id_[:64]})


class Conflict(GraphophoneError):
    """The thing exists, but this cannot be done to it as it stands; another revision than expected is named."""

    code = ErrorCode.CONFLICT

    def __init__(
        self, message: str, details: dict[str, Any] | None = None, *, current_revision: int | None = None
    ) -> None:
        super().__init__(message, details)
        self.current_revision = current_revision


class Forbidden(GraphophoneError):
    """The credentials lack a scope."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, required_scope: str) -> None:
        super().__init__(f"This needs the scope {required_scope}.", {"requiredScope": required_scope})
        self.required_scope = required_scope


class LimitExceeded(GraphophoneError):
    """More than is allowed: `limit` and `actual` in `unit`."""

    code = ErrorCode.LIMIT_EXCEEDED

    def __init__(self, message: str, *, limit: float, actual: float, unit: str) -> None:
        super().__init__(message, {"limit": limit, "actual": actual, "unit": unit})
        self.limit, self.actual, self.unit = limit, actual, unit


class QueueFull(GraphophoneError):
    """Too many jobs wait already."""

    code = ErrorCode.QUEUE_FULL

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("Too many jobs are waiting.", {"retryAfterSeconds": retry_after_seconds})
        self.retry_after_seconds = retry_after_seconds


class RateLimited(GraphophoneError):
    """The budget of this minute is spent; `reset_at` in epoch seconds."""

    code = ErrorCode.RATE_LIMITED

    def __init__(self, limit: int, reset_at: float, what: str = "points") -> None:
        wait = max(0.0, round(reset_at - now() / 1000, 1))
        counted = "points of query cost in a minute" if what == "points" else what
        message = f"More than {limit} {counted}; try again in {wait:g} seconds."
        super().__init__(message, {"limit": limit, "retryAfterSeconds": wait})


class TooCostly(GraphophoneError):
    """A query turned out to cost more than one may."""

    code = ErrorCode.QUERY_TOO_COMPLEX

    def __init__(self, actual: int, limit: int) -> None:
        message = f"The query asks for too much: cost {actual}, the limit is {limit}. Ask for less at once."
        super().__init__(message, {"what": "cost", "actual": actual, "limit": limit})


class UnsupportedMedia(GraphophoneError):
    """The recording cannot be read."""

    code = ErrorCode.UNSUPPORTED_MEDIA

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message, {"remedy": problem.remedy})
        self.problem = problem


class Unavailable(GraphophoneError):
    """A part of the installation is away or has no room: nothing was done, and it may be tried again."""

    code = ErrorCode.UNAVAILABLE

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message, {"retryAfterSeconds": round(retry_after_seconds, 1)})
        self.retry_after_seconds = retry_after_seconds


class StorageFull(Unavailable):
    """There is no room left on the disk."""

    def __init__(self) -> None:
        super().__init__("There is no room left on the server's disk.", retry_after_seconds=60.0)


class DatabaseDown(Unavailable):
    """The database is lost, unreachable or overloaded; the transaction may or may not have been committed.

    `reason` is what the database said: for the log and for the operator, not for clients.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("The database cannot be reached at the moment.", retry_after_seconds=2.0)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class DatabaseFull(DatabaseDown, StorageFull):
    """The database has no room left on its disk."""

    def __init__(self) -> None:
        StorageFull.__init__(self)
        self.reason = self.message


class CursorExpired(GraphophoneError):
    """The events after this cursor are no longer kept: subscribe again without one."""

    code = ErrorCode.CURSOR_EXPIRED


class LeaseLost(GraphophoneError):
    """The work was taken over, cancelled or deleted while this worker still thought it was its own."""
