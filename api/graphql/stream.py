"""Answers that are sent one after the other in one HTTP response, in whatever framing the client understands."""

import time
from asyncio import FIRST_COMPLETED, Task, create_task, wait
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schema.execution import GraphQLResponse


@dataclass(frozen=True)
class Framing:
    """The framing by which answers are told apart in a response."""

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
        viewer: Any = None,
        recheck_seconds: float = 2.5,
        first: GraphQLResponse | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self.answers = answers
        self.first = first
        self.ended = ended
        self.framing = framing
        self.media_type = framing.media_type
        self.heartbeat_seconds = heartbeat_seconds
        self.viewer = viewer
        self.recheck_seconds = recheck_seconds
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    @classmethod
    def of(cls, answer: GraphQLResponse, framing: Framing, heartbeat_seconds: float) -> "AnswerStream":
        """Return a stream of one answer."""

        async def one() -> AsyncGenerator[GraphQLResponse, None]:
            yield answer

        return cls(one(), framing, heartbeat_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's arguments
        """Send the stream. `answers` is closed whatever happens."""
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
        beat = time.monotonic() + self.heartbeat_seconds
        try:
            while True:
                upcoming = upcoming or create_task(anext(self.answers))
                done, _ = await wait({upcoming}, timeout=self._patience(beat))
                if (expires := self._expires()) is not None and expires <= 0:
                    break
                if not done and time.monotonic() < beat:
                    continue
                beat = time.monotonic() + self.heartbeat_seconds
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

    def _expires(self) -> float | None:
        """Return how many seconds the viewer's credentials still hold, as far as is known now."""
        at = getattr(self.viewer, "expires_at", None)
        return None if at is None else at - time.time()

    def _patience(self, beat: float) -> float:
        deadlines = [self.recheck_seconds, beat - time.monotonic()]
        if (expires := self._expires()) is not None:
            deadlines.append(expires)
        return max(0.0, min(deadlines))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
