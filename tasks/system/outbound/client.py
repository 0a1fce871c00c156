"""One HTTP client for all requests to servers that somebody else names: it connects to the address that it checked."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpcore2
import httpx2

from tasks.system.outbound.destination import MOST_URL_CHARS, Destinations
from tasks.system.outbound.errors import AddressRefused, TooSlow, Unreachable

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
        content: bytes | None = None,
        seconds: float,
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request, and return the answer with its body still to come.

        All of it takes at most `seconds`. A redirect is an answer; nobody follows it. No cookie is kept. Raises
        OutboundError.
        """
        try:
            async with asyncio.timeout(seconds):
                request = self._http.build_request(
                    method, check_url(url), headers=headers, content=content, timeout=seconds
                )
                answer = await self._http.send(request, stream=True)
                self._http.cookies.clear()
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


def check_url(text: str) -> httpx2.URL:
    """Return an address of the web. Raises AddressRefused for other schemes, for credentials, and for what cannot be
    read.
    """
    try:
        if len(text) > MOST_URL_CHARS:
            raise AddressRefused(f"The address has more than {MOST_URL_CHARS} characters.")
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError, UnicodeError) as error:
        raise AddressRefused("This is not an address of the web.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise AddressRefused("Only http and https addresses are asked for.")
    if url.userinfo:
        raise AddressRefused("The address holds a user name or password; send them as a header.")
    return url
