"""The server's span and the time of each HTTP request: method, route and status, never a path or a query.

Signed addresses carry their right in the query, and paths carry ids and file names; the stock instrumentation writes
both down.
"""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.telemetry import metrics, traces


class Tracing:
    """ASGI middleware: goes on from the client's `traceparent`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, traced and timed."""
        if scope["type"] != "http" or scope["path"] in PROBES or not (traces.on() or metrics.on()):
            await self.app(scope, receive, send)
            return
        status, began = 0, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
        with traces.span(method, kind="server", parent=parent, http__request__method=method) as span:
            try:
                await self.app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", "")
                span.rename(f"{method} {route}".rstrip())
                span.set(http__route=route or None, http__response__status_code=status)
                if status >= 500:
                    span.fail(str(status))
                metrics.record(
                    "http.server.request.duration",
                    time.perf_counter() - began,
                    http__request__method=method,
                    http__route=route or "none",
                    http__response__status_code=str(status),
                )


PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: no trace and no measure of them."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
