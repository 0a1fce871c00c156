"""HTTP answers for what goes wrong: `application/problem+json` (RFC 9457) with code, message, details, correlation id.

The same error stands in `errors` as GraphQL clients expect it, so that they too can show it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from db.domain.errors import GraphophoneError
from db.domain.values import ErrorCode
from schema.execution.encoding import encode
from schema.execution.errors import facts

MEDIA_TYPE = "application/problem+json"


class HttpProblem(Exception):
    """A request that is answered with a problem instead of what it asked for."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        details: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details, self.headers = status, code, message, details, headers

    def response(self, correlation_id: str) -> Response:
        """The problem as an HTTP answer."""
        error = facts(self.code.value, self.message, self.details, correlation_id)
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            **error["extensions"],
            "errors": [error],
        }
        headers = {"Cache-Control": "no-store", **(self.headers or {})}
        return Response(encode(body), self.status, headers, media_type=MEDIA_TYPE)


def problem_of(error: GraphophoneError) -> HttpProblem:
    """A domain error as a plain HTTP answer."""
    if error.code.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return HttpProblem(500, ErrorCode.INTERNAL, "Something went wrong on the server.")
    return HttpProblem(error.code.status, error.code, error.message, error.details)
