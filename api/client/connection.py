"""A connection to a server: operations over HTTP, and a subscription that is taken up again when it breaks."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import gql
import httpx
from gql.client import AsyncClientSession
from gql.transport.exceptions import (
    TransportError,
    TransportQueryError,
    TransportServerError,
)
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

from api.client.documents import CREATE_UPLOAD, JOB_EVENTS
from api.client.failures import BadInput, Failure, Unreachable, failure_of

TIMEOUT = 30.0
"""Seconds for an answer, and between two signs of life of an upload or a download."""
PATIENCE = 60.0
"""Seconds without a connection after which a subscription is given up."""
CHUNK = 1 << 20
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
PASSING = frozenset({408, 409, 423, 429, 500, 502, 503, 504})
"""Answers after which an upload is taken up again."""


class Connection:
    """Speaks to one server with one token; an asynchronous context manager. Raises `Failure`s only."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/") + "/"
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        endpoint = urljoin(self.url, "graphql")
        transport = HTTPXAsyncTransport(endpoint, headers=self._authorization, timeout=TIMEOUT)
        client = gql.Client(transport=transport, execute_timeout=None)
        self._session: AsyncClientSession = await self._stack.enter_async_context(client)
        self._http = await self._stack.enter_async_context(httpx.AsyncClient(timeout=TIMEOUT))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def execute(self, document: str, **variables: Any) -> Any:
        """Return the value of the operation's only field. An `Error` among the members of its union is raised."""
        try:
            data = await self._session.execute(gql.GraphQLRequest(document, variable_values=variables))
        except TransportQueryError as error:
            raise _first(error) from None
        except (TransportError, httpx.HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        (value,) = data.values()
        if isinstance(value, dict) and "code" in value and "correlationId" in value:
            raise failure_of(value)
        return value

    async def upload(self, file: Path, report: Callable[[int, int], None]) -> str:
        """Send a file, by tus: a connection that breaks is taken up again where it broke. Return the id of its media.
        `report` is told the bytes that are gone out, and those in all.
        """
        try:
            opened = file.open("rb")
            size = os.fstat(opened.fileno()).st_size
        except OSError as error:
            raise BadInput(f"{file}: {error.strerror}") from None

        async def chunks() -> AsyncIterator[bytes]:
            while chunk := opened.read(CHUNK):
                yield chunk
                report(opened.tell(), size)

        with opened:
            created = await self.execute(CREATE_UPLOAD, input={"filename": file.name, "byteSize": size})
            address, offset, last_seen, pause = urljoin(self.url, created["upload"]["url"]), 0, time.monotonic(), 0.2
            while True:
                opened.seek(offset)
                sent = {**TUS, "Upload-Offset": str(offset), "Content-Length": str(size - offset)}
                try:
                    answer = await self._http.patch(address, content=chunks(), headers=sent)
                    if "Media-Id" in answer.headers:
                        media_id: str = answer.headers["Media-Id"]
                        return media_id
                    if answer.is_error and answer.status_code not in PASSING:
                        self._checked(answer)
                    offset, pause = await self._offset(address), 0.2
                    last_seen = time.monotonic()
                except (httpx.HTTPError, OSError) as error:
                    if time.monotonic() - last_seen > PATIENCE:
                        raise self._unreachable(error) from None
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def _offset(self, address: str) -> int:
        """Ask where an upload goes on. Raises what ends it, and httpx's errors while the server is away."""
        answer = await self._http.head(address, headers=TUS)
        if answer.status_code in PASSING:
            answer.raise_for_status()
        if answer.is_error:
            self._checked(answer)
        return int(answer.headers["Upload-Offset"])

    async def download(self, url: str) -> AsyncGenerator[bytes]:
        """Return the bytes behind a signed address, as they come."""
        try:
            async with self._http.stream("GET", urljoin(self.url, url)) as answer:
                if answer.is_error:
                    await answer.aread()
                    self._checked(answer)
                async for chunk in answer.aiter_bytes():
                    yield chunk
        except (httpx.HTTPError, OSError) as error:
            raise self._unreachable(error) from None

    async def job_events(self, job_id: str, interrupted: Callable[[], None] = lambda: None) -> AsyncGenerator[Any]:
        """Yield the events of a job to its end: no gap, no repeat, however often the connection breaks."""
        after: str | None = None
        last_seen, pause = time.monotonic(), 0.2
        while True:
            try:
                async with aclosing(self._subscribe(JOB_EVENTS, jobId=job_id, after=after)) as events:
                    async for event in events:
                        after = event["cursor"]
                        last_seen, pause = time.monotonic(), 0.2
                        yield event
                return
            except TransportQueryError as error:
                failure = _first(error)
                if failure.code != "CURSOR_EXPIRED":
                    raise failure from None
                after = None
            except (TransportError, httpx.HTTPError, OSError, TimeoutError) as error:
                if time.monotonic() - last_seen > PATIENCE:
                    raise self._unreachable(error) from None
                interrupted()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _subscribe(self, document: str, **variables: Any) -> AsyncGenerator[Any]:
        transport = WebsocketsTransport(
            url=urljoin(self.url.replace("http", "ws", 1), "graphql"),
            init_payload=self._authorization,
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            ping_interval=10,  # a server that was cut off is noticed within fifteen seconds
            close_timeout=2,
        )
        async with gql.Client(transport=transport) as session:
            async for data in session.subscribe(gql.GraphQLRequest(document, variable_values=variables)):
                (value,) = data.values()
                yield value

    def _checked(self, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json()
        try:
            problem = answer.json()
        except ValueError:
            problem = {"message": f"{answer.url.path} answered {answer.status_code} {answer.reason_phrase}"}
        raise failure_of(problem)

    def _unreachable(self, error: Exception) -> Failure:
        if isinstance(error, TransportServerError) and error.code in (401, 403):
            return Unreachable(f"{self.url} does not let us in: is the token right? [UNAUTHENTICATED]")
        return Unreachable(f"{self.url} cannot be reached: {str(error) or type(error).__name__}")


def _first(error: TransportQueryError) -> Failure:
    """Return the first of the errors of an operation; they are the same four facts as everywhere, in `extensions`."""
    told = (error.errors or [{}])[0]
    return failure_of({"message": told.get("message", str(error))} | (told.get("extensions") or {}))
