"""HTTP answers for what goes wrong: `application/problem+json` (RFC 9457) with code, message, details, correlation id.

The same error stands in `errors` as GraphQL clients expect it, so that they too can show it.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.domain.errors import GraphophoneError, StorageFull, Unavailable
from db.domain.values import ErrorCode
from db.store.outages import outage
from schema.execution.encoding import encode
from schema.execution.errors import facts

MEDIA_TYPE = "application/problem+json"
FAULT = "Something went wrong on the server."

_log = structlog.get_logger(__name__)


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
        """Return the problem as an HTTP answer."""
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
    """Return a domain error as a plain HTTP answer."""
    if error.code.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return HttpProblem(500, ErrorCode.INTERNAL, FAULT)
    headers = {}
    if (seconds := getattr(error, "retry_after_seconds", None)) is not None:
        headers["Retry-After"] = str(ceil(seconds))
    status = 507 if isinstance(error, StorageFull) else error.code.status
    return HttpProblem(status, error.code, error.message, error.details, headers)


def problem_for(error: Exception, correlation_id: str) -> HttpProblem:
    """Return what was raised as a plain HTTP answer: an outage as one, and what nobody expected logged and hidden."""
    if isinstance(error, HttpProblem):
        return error
    if isinstance(error, HTTPException):
        code = next((code for code in ErrorCode if code.status == error.status_code), ErrorCode.INVALID_INPUT)
        return HttpProblem(error.status_code, code, f"{error.detail}.", headers=error.headers)
    known = error if isinstance(error, GraphophoneError) else outage(error)
    if isinstance(known, Unavailable):
        _log.warning("unavailable", reason=str(error), correlation_id=correlation_id)
    if known is not None:
        return problem_of(known)
    _log.error("http_fault", correlation_id=correlation_id, exc_info=error)
    return HttpProblem(500, ErrorCode.INTERNAL, FAULT)


class Problems:
    """ASGI middleware: whatever a route raises becomes a problem, and nothing is ever answered by a bare 500.

    `answer` makes the response of a problem and a correlation id, where clients expect a form of their own.
    """

    def __init__(
        self,
        app: ASGIApp,
        answer: Callable[["HttpProblem", str], Response] = lambda problem, id_: problem.response(id_),
    ) -> None:
        self.app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer when nobody else does."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            if not begun:
                broken = HttpProblem(400, ErrorCode.INVALID_INPUT, "The request broke off; send it again.")
                await self._answer(broken, scope["correlation_id"])(scope, receive, send)
        except Exception as error:
            problem = problem_for(error, scope["correlation_id"])
            if begun:  # all that can be done is to break off
                raise
            await self._answer(problem, scope["correlation_id"])(scope, receive, send)
