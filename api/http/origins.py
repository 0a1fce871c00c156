"""Pages of other origins: which may ask, and where clients see this server."""

from contextvars import ContextVar
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

Network: TypeAlias = IPv4Network | IPv6Network

public_base: ContextVar[str] = ContextVar("public_base", default="")
"""The server's address as this request's client sees it: `https://example.org`, or nothing if it did not say."""

EXPOSED = (
    *("Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag", "Last-Modified", "Location"),
    *("Retry-After", "X-Request-ID", "Media-Id"),
    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"),
    *("Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Concat", "Upload-Expires"),
)


def cross_origin(allowed: frozenset[str]) -> list[Middleware]:
    """Let the pages of these origins use all routes, without cookies: they bring a token or a signed address."""
    if not allowed:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(allowed),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=3600,
        )
    ]


class PublicBase:
    """ASGI middleware: remembers how the client reached us, by its `Host`, or by what a trusted proxy says of it."""

    def __init__(self, app: ASGIApp, trusted: tuple[Network, ...] = ()) -> None:
        self.app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] in {"http", "websocket"}:
            public_base.set(self._base(scope))
        await self.app(scope, receive, send)

    def _base(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        scheme, host = scope["scheme"].replace("ws", "http"), headers.get("host", "")
        if self._is_trusted(scope):
            scheme = headers.get("x-forwarded-proto", scheme).rpartition(",")[2].strip()
            host = headers.get("x-forwarded-host", host).rpartition(",")[2].strip()
        lawful = scheme in {"http", "https"} and host and not set(host) & set(" /\\?#@<>\"'")
        return f"{scheme}://{host}" if lawful else ""

    def _is_trusted(self, scope: Scope) -> bool:
        try:
            address = ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        return any(address in network for network in self._trusted)
