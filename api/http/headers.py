"""The headers that keep browsers careful, on every answer; a page says what it needs beyond that itself."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.origins import public_base

DEFAULTS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""An answer that has one of these already keeps its own: a page runs scripts, and the console records."""

TRANSPORT = "max-age=31536000"
"""A year, for this host only: whether its subdomains speak TLS is not ours to say."""


class SecurityHeaders:
    """ASGI middleware: adds the headers. It stands behind `PublicBase`, which tells whether the client came by TLS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to its answer what is missing there."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        encrypted = public_base.get().startswith("https://")

        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in DEFAULTS.items():
                    headers.setdefault(name, value)
                if encrypted:  # over plain HTTP it must not be sent (RFC 6797, 7.2)
                    headers["Strict-Transport-Security"] = TRANSPORT
            await send(message)

        await self.app(scope, receive, send_with_headers)
