"""Errors as clients see them: `message`, `locations`, `path`, and in `extensions` code, details and correlation id.

Any error that is not meant for the client is logged with its trace and shown as INTERNAL with the correlation id only.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import structlog
from graphql import GraphQLError
from strawberry import Schema

log = structlog.get_logger("graphophone.graphql")
# What graphql-core finds only when it executes: a variable left out, an explicit null, a stream from below zero.
CLIENT_FAULTS = ("Argument '", "initialCount must")
HIDDEN = "Something went wrong on the server. The log holds the details under this correlation id."


class Code(StrEnum):
    """The codes of errors that are found here; all others come with the application's exceptions."""

    INVALID_INPUT = "INVALID_INPUT"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    TIMED_OUT = "TIMED_OUT"
    INTERNAL = "INTERNAL"


class Facts(NamedTuple):
    """The facts of an exception that a client may know: a code for programs, a message for people, details for both."""

    code: str
    message: str
    details: Any


class ExtensionsNotRun(Exception):
    """The schema has extensions or operation directives, which would be ignored."""

    def __init__(self, schema: Schema) -> None:
        found = (*schema.extensions, *schema.directives)
        names = ", ".join(getattr(one, "__name__", type(one).__name__) for one in found)
        super().__init__(
            f"Strawberry would run these, this engine does not: {names}. `Limits` bounds operations and `explain` masks"
            " errors; what concerns single fields can be a field extension."
        )


Explain = Callable[[Exception], Facts | None]
"""Says what a client may know of an exception of the application; None: it is a fault of the server."""


def no_facts(_fault: Exception) -> Facts | None:
    """Explain nothing: every exception is a fault of the server."""
    return None


def facts(code: str, message: str, details: Any, correlation_id: str) -> dict[str, Any]:
    """One error in the shape of a GraphQL response."""
    return {"message": message, "extensions": extensions(code, message, details, correlation_id)}


def extensions(code: str, message: str, details: Any, correlation_id: str) -> dict[str, Any]:
    """Return the four facts."""
    return {"code": code, "message": message, "details": details, "correlationId": correlation_id}


def present_all(
    errors: Sequence[GraphQLError], correlation_id: str, *, executing: bool, limit: int, explain: Explain
) -> list[dict[str, Any]]:
    """At most `limit` errors, and how many more there are. `executing`: resolvers raised them."""
    shown = [present(error, correlation_id, executing=executing, explain=explain) for error in errors[:limit]]
    if (more := len(errors) - limit) > 0:
        codes = [one["extensions"]["code"] for one in shown]  # the note blames nobody whom the others do not
        code = Code.INTERNAL.value if Code.INTERNAL in codes else codes[-1]
        shown.append(facts(code, f"{more} more errors are not shown.", {"hidden": more}, correlation_id))
    return shown


def present(error: GraphQLError, correlation_id: str, *, executing: bool, explain: Explain) -> dict[str, Any]:
    """One error, as the client sees it."""
    code, message, details = _facts_of(error, correlation_id, executing, explain)
    shown: dict[str, Any] = {"message": message}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        shown["path"] = error.path
    shown["extensions"] = extensions(code, message, details, correlation_id)
    return shown


def _facts_of(error: GraphQLError, correlation_id: str, executing: bool, explain: Explain) -> Facts:
    cause = _root_cause(error)
    if cause is not None and (explained := explain(cause)) is not None:
        return explained
    own = error.extensions or {}
    if own.get("code") in frozenset(Code):
        return Facts(str(own["code"]), error.message, own.get("details"))
    if not executing or error.message.startswith(CLIENT_FAULTS):
        return Facts(Code.INVALID_INPUT, error.message, None)
    log.error("graphql_fault", correlation_id=correlation_id, path=error.path, exc_info=cause or error)
    return Facts(Code.INTERNAL, HIDDEN, None)


def _root_cause(error: GraphQLError) -> Exception | None:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause
