"""Errors as clients see them: `message`, `locations`, `path`, and in `extensions` code, details and correlation id.

Whatever is not meant for the client is logged with its trace and shown as INTERNAL with the correlation id only.
"""

from collections.abc import Sequence
from typing import Any

import structlog
from graphql import GraphQLError

from db.domain.errors import GraphophoneError
from db.domain.values import ErrorCode

log = structlog.get_logger("graphophone.graphql")
CODES = frozenset(ErrorCode)
# What graphql-core finds only when it executes: a variable left out, an explicit null, a stream from below zero.
CLIENT_FAULTS = ("Argument '", "initialCount must")
HIDDEN = "Something went wrong on the server. The log holds the details under this correlation id."


def facts(code: str, message: str, details: Any, correlation_id: str) -> dict[str, Any]:
    """One error in the shape of a GraphQL response."""
    return {"message": message, "extensions": extensions(code, message, details, correlation_id)}


def extensions(code: str, message: str, details: Any, correlation_id: str) -> dict[str, Any]:
    """The four facts."""
    return {"code": code, "message": message, "details": details, "correlationId": correlation_id}


def present_all(
    errors: Sequence[GraphQLError], correlation_id: str, *, executing: bool, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` errors, and how many more there are. `executing`: resolvers raised them."""
    shown = [present(error, correlation_id, executing=executing) for error in errors[:limit]]
    if (more := len(errors) - limit) > 0:
        codes = [one["extensions"]["code"] for one in shown]  # the note blames nobody whom the others do not
        code = ErrorCode.INTERNAL.value if ErrorCode.INTERNAL in codes else codes[-1]
        shown.append(facts(code, f"{more} more errors are not shown.", {"hidden": more}, correlation_id))
    return shown


def present(error: GraphQLError, correlation_id: str, *, executing: bool) -> dict[str, Any]:
    """One error, as the client sees it."""
    code, message, details = _explain(error, correlation_id, executing)
    shown: dict[str, Any] = {"message": message}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        shown["path"] = error.path
    shown["extensions"] = extensions(code, message, details, correlation_id)
    return shown


def _explain(error: GraphQLError, correlation_id: str, executing: bool) -> tuple[str, str, Any]:
    cause = _root_cause(error)
    if isinstance(cause, GraphophoneError) and cause.code is not ErrorCode.INTERNAL:
        return cause.code.value, cause.message, cause.details
    own = error.extensions or {}
    if own.get("code") in CODES:
        return str(own["code"]), error.message, own.get("details")
    if not executing or error.message.startswith(CLIENT_FAULTS):
        return ErrorCode.INVALID_INPUT.value, error.message, None
    log.error("graphql_fault", correlation_id=correlation_id, path=error.path, exc_info=cause or error)
    return ErrorCode.INTERNAL.value, HIDDEN, None


def _root_cause(error: GraphQLError) -> Exception | None:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause
