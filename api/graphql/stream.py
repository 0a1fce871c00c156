"""Answers that are sent one after the other in one HTTP response, in whatever framing the client understands."""

import time
from asyncio import FIRST_COMPLETED, Task, create_task, wait
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schema.execution import GraphQLResponse


@dataclass(frozen=True)
class Framing:
    """How answers are told apart in a response."""

    media_type: str
    encode: Callable[[GraphQLResponse], bytes]
    start: bytes
    heartbeat: bytes
    end: bytes


class AnswerStream(Response):
    """Sends answers until there are no more, the client goes away, or the viewer's credentials expire."""

    def __init__(
        self,
        answers: AsyncGenerator[GraphQLResponse, None],
        framing: Framing,
        heartbeat_seconds: float,
        *,
        expires_at: float | None = None,
        first: GraphQLResponse | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self.answers = answers
        self.first = first
        self.ended = ended
        self.framing = framing
        self.media_type = framing.media_type
        self.heartbeat_seconds = heartbeat_seconds
        self.expires_at = expires_at
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    @classmethod
    def of(cls, answer: GraphQLResponse, framing: Framing, heartbeat_seconds: float) -> "AnswerStream":
        """A stream of one answer."""

        async def one() -> AsyncGenerator[GraphQLResponse, None]:
            yield answer

        return cls(one(), framing, heartbeat_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's arguments
        """Sends the stream. `answers` is closed whatever happens."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = create_task(self._send(send))
        leaving = create_task(_gone(receive))
        try:
            await wait({sending, leaving}, return_when=FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except OSError:
            pass  # the client went away
        finally:
            for task in (sending, leaving):
                task.cancel()
            if self.ended is not None:
                self.ended()
            await wait({sending, leaving})
            await self.answers.aclose()

    async def _send(self, send: Send) -> None:
        opening = self.framing.start  # so that the client sees the stream open before the first answer
        if self.first is not None:
            opening += self.framing.encode(self.first)
        await send({"type": "http.response.body", "body": opening, "more_body": True})
        upcoming: Task[GraphQLResponse] | None = None
        try:
            while True:
                upcoming = upcoming or create_task(anext(self.answers))
                done, _ = await wait({upcoming}, timeout=self._patience())
                if self.expires_at is not None and time.time() >= self.expires_at:
                    break
                if not done:
                    await send({"type": "http.response.body", "body": self.framing.heartbeat, "more_body": True})
                    continue
                try:
                    answer = upcoming.result()
                except StopAsyncIteration:
                    await send({"type": "http.response.body", "body": self.framing.end, "more_body": True})
                    break
                finally:
                    upcoming = None
                await send({"type": "http.response.body", "body": self.framing.encode(answer), "more_body": True})
        finally:
            if upcoming is not None:
                upcoming.cancel()
                await wait({upcoming})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _patience(self) -> float:
        if self.expires_at is None:
            return self.heartbeat_seconds
        return max(0.0, min(self.heartbeat_seconds, self.expires_at - time.time()))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
