"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: a job, and its transcript as the answer."""

import asyncio
import time
from asyncio import FIRST_COMPLETED, create_task, to_thread, wait
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http.files.multipart import TemporaryFiles
from api.http.problems import HttpProblem, problem_for
from api.openai.answers import answer, speaker_segments, text, usage
from api.openai.entrance import Entrance, unauthenticated
from api.openai.errors import error_of
from api.openai.following import Following
from api.openai.form import Form, read_form
from api.openai.models import known_models
from api.openai.wanted import Wanted, input_of, model_of, shape_of
from db.domain.values import ErrorCode, TranscriptionTask
from schema.account.usage import check_audio
from schema.base.context import Context
from schema.execution.encoding import encode
from schema.jobs.submissions import accept, checked, recording

REPEAT_MS = 10 * 60_000
"""Clients that lose patience or the connection send the same recording again: so long, it is the same job."""
SHORT_MS, SHORT_PRIORITY, PRIORITY = 60_000, 10, 5
"""Somebody waits for the answer, and somebody who has spoken a command waits impatiently."""
HEARTBEAT_SECONDS = 15.0


class Transcriptions:
    """The endpoint of one task, as an ASGI application."""

    def __init__(self, entrance: Entrance, task: TranscriptionTask) -> None:
        self._entrance, self._task = entrance, task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one whose client goes away gives its job up."""
        http = Request(scope, receive)
        context = await self._entrance.enter(http, "jobs:write", "transcripts:read")
        waiting = self._entrance.waiting
        if not waiting.enter(context.owner_id):
            message = f"At most {waiting.limit} requests may wait for a transcript at the same time."
            raise HttpProblem(429, ErrorCode.LIMIT_EXCEEDED, message, headers={"Retry-After": "5"})
        try:
            wanted, following = await self._submitted(http, context)
            answering = _stream if wanted.stream else _whole
            if not await _unless_gone(receive, answering(context, wanted, following, scope, send)):
                await following.abandon()
        finally:
            waiting.leave(context.owner_id)

    async def _submitted(self, http: Request, context: Context) -> tuple[Wanted, Following]:
        uploads = TemporaryFiles(self._entrance.upload_folder)
        try:
            form = await read_form(http, uploads, context.settings.intake.max_upload_bytes)
            wanted = shape_of(form, self._task)
            return wanted, await _submit(context, form, wanted)
        finally:
            uploads.delete()


async def _submit(context: Context, form: Form, wanted: Wanted) -> Following:
    """Do as `createJob` does, with a priority by length; an equal request of late has its job already."""
    data = input_of(form, wanted, model_of(form, await known_models(context)))
    new = await checked(context, data)
    async with recording(context, data.source) as found:
        await check_audio(context, found.row.duration_ms)
        priority = SHORT_PRIORITY if found.row.duration_ms <= SHORT_MS else PRIORITY
        new = msgspec.structs.replace(new, priority=priority, repeat_ms=REPEAT_MS)
        job, reused = await accept(context, new, found)
    return Following(context, job, reused=reused)


async def _whole(context: Context, wanted: Wanted, following: Following, scope: Scope, send: Send) -> None:
    async with aclosing(following.events()) as events:
        async for _ in events:
            pass
    document = await following.outcome()
    _check_standing(context)
    body, media_type = await to_thread(answer, document, wanted)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    await Response(body, 200, headers, media_type=media_type)(scope, _nothing, send)


async def _stream(context: Context, wanted: Wanted, following: Following, _scope: Scope, send: Send) -> None:
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    async with aclosing(_beating(_lines(context, wanted, following))) as lines:
        async for line in lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _lines(context: Context, wanted: Wanted, following: Following) -> AsyncGenerator[bytes]:
    """Yield the events of a stream; what goes wrong now can no longer be told by the status."""
    yield b":\n\n"
    try:
        before = ""
        async with aclosing(following.texts()) as texts:
            async for piece in texts:
                yield _event({"type": "transcript.text.delta", "delta": before + piece.strip()})
                before = " "
        document = await following.outcome()
        _check_standing(context)
        if wanted.format == "diarized_json":
            for segment in speaker_segments(document):
                yield _event(segment)
        yield _event({"type": "transcript.text.done", "text": text(document), **usage(document)})
    except Exception as error:  # noqa: BLE001  the last line of defence: nothing leaks
        yield _event(error_of(problem_for(error, context.correlation_id)))


async def _beating(lines: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Pass lines on, with a sign of life between those that are far apart: proxies cut silent connections."""
    upcoming = create_task(anext(lines, b""))
    try:
        while True:
            done, _ = await wait({upcoming}, timeout=HEARTBEAT_SECONDS)
            if not done:
                yield b":\n\n"
                continue
            if not (line := upcoming.result()):
                return
            yield line
            upcoming = create_task(anext(lines, b""))
    finally:
        upcoming.cancel()
        await wait({upcoming})
        await lines.aclose()


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def _check_standing(context: Context) -> None:
    """Raise when the credentials have ended while their holder waited."""
    ends = context.viewer.expires_at
    if ends is not None and ends <= time.time():
        raise unauthenticated()


async def _unless_gone(receive: Receive, work: Awaitable[None]) -> bool:
    """Do this while the client is there; False when it has gone before the end."""
    working, leaving = asyncio.ensure_future(work), create_task(_gone(receive))
    try:
        await wait({working, leaving}, return_when=FIRST_COMPLETED)
        if not working.done():
            return False
        try:
            working.result()
        except OSError:
            return False
        return True
    finally:
        for task in (working, leaving):
            task.cancel()
        await wait({working, leaving})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}
