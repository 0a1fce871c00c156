"""Errors as OpenAI's clients read them: `{"error": {message, type, param, code}}`."""

from typing import Any

import structlog
from starlette.responses import Response

from api.http.problems import HttpProblem
from db.domain.values import ErrorCode, Problem
from schema.execution.encoding import encode

QUEUE_FULL = 429
"""The status for which these clients wait and come again; our own is 503."""
CODES = {ErrorCode.UNAUTHENTICATED: "invalid_api_key", ErrorCode.RATE_LIMITED: "rate_limit_exceeded"}
_log = structlog.get_logger(__name__)
PARAMS = {"input.source.file": "file", "input.source": "file"}


class JobProblem(HttpProblem):
    """A job that was accepted and did not succeed. The server has tried again by itself, as often as makes sense."""

    def __init__(self, problem: Problem) -> None:
        message = " ".join(filter(None, (problem.message, problem.remedy)))
        super().__init__(problem.code.status, problem.code, message, headers={"x-should-retry": "false"})


def error_of(problem: HttpProblem) -> dict[str, Any]:
    """Return the body of an answer."""
    return {
        "error": {
            "message": problem.message,
            "type": _type(_status(problem)),
            "param": _param(problem.details),
            "code": CODES.get(problem.code, problem.code.value.lower()),
        }
    }


def response_of(problem: HttpProblem, _correlation_id: str) -> Response:
    """Return the answer. Its headers are the problem's own: those that may be tried again say when."""
    _log.info("openai.refused", code=problem.code, status=_status(problem))
    headers = {"Cache-Control": "no-store", **(problem.headers or {})}
    return Response(encode(error_of(problem)), _status(problem), headers, media_type="application/json")


def _status(problem: HttpProblem) -> int:
    return QUEUE_FULL if problem.code is ErrorCode.QUEUE_FULL else problem.status


def _type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error"
    )


def _param(details: dict[str, Any] | None) -> str | None:
    """Return the name of the form's field that is at fault, out of the path in our own input."""
    path = (details or {}).get("field")
    return PARAMS.get(path, path.rpartition(".")[2]) if isinstance(path, str) else None
