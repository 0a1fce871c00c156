"""Answers as server-sent events: the distinct connections mode of the GraphQL over SSE protocol."""

import time
from asyncio import FIRST_COMPLETED, Task, create_task, wait
from collections.abc import AsyncGenerator

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schema.execution import Answer

HEARTBEAT = b":\n\n"
COMPLETE = b"event: complete\ndata: \n\n"


def encode_next(answer: Answer) -> bytes:
    """One answer as a `next` event; JSON holds no line ends. The id lets a browser resume behind this event."""
    identifier = answer.event_id or ""
    line = f"id: {identifier}\n".encode() if identifier and not set("\r\n\0") & set(identifier) else b""
    return b"event: next\n" + line + b"data: " + answer.json() + b"\n\n"


class EventStream(Response):
    """Sends answers until there are no more, the client goes away, or the viewer's credentials expire."""

    media_type = "text/event-stream"

    def __init__(
        self, answers: AsyncGenerator[Answer, None], heartbeat_seconds: float, expires_at: float | None = None
    ) -> None:
        self.answers = answers
        self.heartbeat_seconds = heartbeat_seconds
        self.expires_at = expires_at
        self.status_code = 200
        self.background: BackgroundTask | None = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    @classmethod
    def of(cls, answer: Answer, heartbeat_seconds: float) -> "EventStream":
        """A stream of one answer."""

        async def one() -> AsyncGenerator[Answer, None]:
            yield answer

        return cls(one(), heartbeat_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's arguments
        """Sends the stream."""
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
            await wait({sending, leaving})
            await self.answers.aclose()

    async def _send(self, send: Send) -> None:
        # a first comment, so that the client sees the stream open before the first event
        await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})
        upcoming: Task[Answer] | None = None
        try:
            while True:
                upcoming = upcoming or create_task(anext(self.answers))
                done, _ = await wait({upcoming}, timeout=self._patience())
                if self.expires_at is not None and time.time() >= self.expires_at:
                    break
                if not done:
                    await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})
                    continue
                try:
                    answer = upcoming.result()
                except StopAsyncIteration:
                    await send({"type": "http.response.body", "body": COMPLETE, "more_body": True})
                    break
                finally:
                    upcoming = None
                await send({"type": "http.response.body", "body": encode_next(answer), "more_body": True})
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
