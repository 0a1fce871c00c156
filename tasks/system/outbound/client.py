"""One HTTP client for all requests to servers that somebody else names: it connects to the address that it checked."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpcore2
import httpx2

from tasks.system.outbound.destination import MOST_URL_CHARS, Destinations
from tasks.system.outbound.errors import AddressRefused, TooLarge, TooManyRedirects, TooSlow, Unreachable

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"user-agent": "Graphophone", "accept": "*/*", "accept-encoding": "identity"}
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=32)


class _CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connections to checked addresses: a name is resolved once, and what was checked is what is connected to. TLS and
    `Host` keep the name.
    """

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first of the host's addresses that answers."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._destinations.resolve(host, port)
        except TimeoutError as error:
            raise TooSlow(f"The host {host} was not found in time.") from error
        fault: Exception = httpcore2.ConnectError("no address")
        for address in addresses:
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                fault = error
        raise fault


class _Transport(httpx2.AsyncHTTPTransport):
    """The stock transport over checked connections, deaf to proxies in the environment."""

    def __init__(self, destinations: Destinations) -> None:
        context = httpx2.create_ssl_context()  # heeds SSL_CERT_FILE, for authorities of one's own
        super().__init__(verify=context, trust_env=False, limits=_LIMITS)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=_CheckedNetwork(destinations),
        )


class OutboundClient:
    """The client. Its connections are shared by all requests, and closed with it."""

    def __init__(self, destinations: Destinations) -> None:
        self._http = httpx2.AsyncClient(
            transport=_Transport(destinations), trust_env=False, follow_redirects=False, headers=_HEADERS
        )

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        seconds: float,
        idle_seconds: float = 30.0,
        redirects: int = 0,
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request, and return the answer with its body still to come: read that with `chunks` or `body`.

        All of it takes at most `seconds`, and no step longer than `idle_seconds`. Up to `redirects` redirects are
        followed, each to a checked address; with 0, a redirect is the answer. `secret_headers` go to the origin of
        `url` and to no other. No cookie is kept. Raises OutboundError.
        """
        try:
            async with asyncio.timeout(seconds):
                answer = await self._follow(
                    method,
                    url,
                    headers=dict(headers or {}),
                    secret_headers=dict(secret_headers or {}),
                    content=content,
                    idle_seconds=idle_seconds,
                    redirects=redirects,
                )
                try:
                    yield answer
                finally:
                    await answer.aclose()
        except (httpx2.TimeoutException, TimeoutError) as error:
            raise TooSlow("The other server did not answer in time.") from error
        except httpx2.HTTPError as error:
            raise Unreachable(f"The other server cannot be reached: {type(error).__name__}.") from error
        except httpx2.StreamError as error:
            raise Unreachable("The other server broke off.") from error

    async def _follow(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        secret_headers: dict[str, str],
        content: bytes | None,
        idle_seconds: float,
        redirects: int,
    ) -> httpx2.Response:
        left, target = redirects, check_url(url)
        while True:
            request = self._http.build_request(
                method, target, headers=headers | secret_headers, content=content, timeout=idle_seconds
            )
            answer = await self._http.send(request, stream=True)
            self._http.cookies.clear()
            location = answer.headers.get("location")
            if redirects == 0 or answer.status_code not in REDIRECTS or location is None:
                return answer
            await answer.aclose()
            if left == 0:
                raise TooManyRedirects(f"More than {redirects} redirects.")
            left, further = left - 1, check_url(location, target)
            if _origin(further) != _origin(target):
                secret_headers = {}  # not given back when a later redirect leads home again
            if answer.status_code in {301, 302, 303} and method != "HEAD":
                method, content = "GET", None
            target = further


def check_url(text: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """Return an address of the web, complete or relative to another. Raises AddressRefused for other schemes, for
    credentials, and for what cannot be read.
    """
    try:
        if len(text) > MOST_URL_CHARS:
            raise AddressRefused(f"The address has more than {MOST_URL_CHARS} characters.")
        url = httpx2.URL(text if base is None else urljoin(str(base), text))
    except (httpx2.InvalidURL, ValueError, UnicodeError) as error:
        raise AddressRefused("This is not an address of the web.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise AddressRefused("Only http and https addresses are asked for.")
    if url.userinfo:
        raise AddressRefused("The address holds a user name or password; send them as a header.")
    return url


async def chunks(answer: httpx2.Response, *, limit: int) -> AsyncIterator[bytes]:
    """Return the body as it arrives. Raises TooLarge, before a byte of it when its length is announced."""
    announced = answer.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(limit)
    size = 0
    async for chunk in answer.aiter_bytes(1 << 16):
        size += len(chunk)
        if size > limit:
            raise TooLarge(limit)
        yield chunk


async def body(answer: httpx2.Response, *, limit: int) -> bytes:
    """Return the whole body. Raises TooLarge."""
    return b"".join([chunk async for chunk in chunks(answer, limit=limit)])


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
