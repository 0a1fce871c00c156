"""Pages of other origins: which may ask, and where clients see this server."""

from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
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
    """ASGI middleware: remembers how the client reached us, and from where. A trusted proxy is believed what it says
    of both (`X-Forwarded-Proto`, `-Host`, `-For`), anybody else is not.
    """

    def __init__(self, app: ASGIApp, trusted: tuple[Network, ...] = ()) -> None:
        self.app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] in {"http", "websocket"}:
            headers, peer = Headers(scope=scope), (scope.get("client") or ("",))[0]
            trusted = self._is_trusted(peer)
            public_base.set(self._base(scope, headers, trusted=trusted))
            if trusted:
                scope["client"] = (self._origin(headers, peer), 0)
        await self.app(scope, receive, send)

    def _base(self, scope: Scope, headers: Headers, *, trusted: bool) -> str:
        scheme, host = scope["scheme"].replace("ws", "http"), headers.get("host", "")
        if trusted:
            scheme = headers.get("x-forwarded-proto", scheme).rpartition(",")[2].strip()
            host = headers.get("x-forwarded-host", host).rpartition(",")[2].strip()
        lawful = scheme in {"http", "https"} and host and not set(host) & set(" /\\?#@<>\"'")
        return f"{scheme}://{host}" if lawful else ""

    def _origin(self, headers: Headers, peer: str) -> str:
        """Return the last address on the way that no trusted proxy has; each proxy adds at the end whom it heard."""
        named = ",".join(headers.getlist("x-forwarded-for")).split(",")
        for address in (part.strip() for part in reversed(named)):
            if not _address(address):
                break
            peer = address
            if not self._is_trusted(address):
                break
        return peer

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
