"""Every request has a correlation id: the client's own from `X-Request-ID`, or a new one."""

import re
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars
from ulid import ULID

HEADER = "X-Request-ID"
ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")


def correlation_id(headers: Mapping[str, str]) -> str:
    """Return the id from the headers when it is short and plain (it ends in logs), else a new ULID."""
    given = headers.get(HEADER.lower(), "")
    return given if ALLOWED.fullmatch(given) else str(ULID())


class Correlation:
    """ASGI middleware: puts the id into the scope, the log context and the response. Harmless when applied twice."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its id."""
        if scope["type"] not in ("http", "websocket") or "correlation_id" in scope:
            await self.app(scope, receive, send)
            return
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        scope["correlation_id"] = identifier = correlation_id(given)

        async def send_with_id(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                MutableHeaders(scope=message)[HEADER] = identifier
            await send(message)

        with bound_contextvars(correlation_id=identifier):
            await self.app(scope, receive, send_with_id)
