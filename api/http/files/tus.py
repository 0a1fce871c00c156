"""Resumable uploads by tus 1.0, at the address that `createUpload` gave or made by tus itself.

`POST /uploads` creates an upload for whoever has a token; its `Location` is signed and works without one. The same
address takes HEAD, PATCH and DELETE, and `POST` as from a client that was given it as its endpoint.

A request that writes ends the one before it, in whatever process that is: here by asking it to keep what it has and to
stop, elsewhere by the fence in the row. HEAD ends one that writes here, so that the offset it tells stays true; where
one in another process keeps more bytes after that, the client is told 409 and looks again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.http.files import tus_headers as headers
from api.http.origins import public_base
from api.http.problems import HttpProblem, problem_for
from api.http.state import AppState
from db import uploads
from db.domain.clock import now
from db.domain.errors import Forbidden, InvalidInput, LeaseLost, LimitExceeded
from db.domain.values import ErrorCode
from db.uploads.tables import Upload
from schema.base.context import Viewer
from tasks.media.completion import completed
from tasks.media.receiving import ChecksumMismatch, receive

SCOPE = "jobs:write"
ANSWER_SECONDS = 10.0
"""For the last bytes to become a recording; what takes longer goes on after the answer."""
STOP_SECONDS = 5.0
"""For a request that hangs to keep what it has."""

Authenticate = Callable[[Mapping[str, Any]], Awaitable[Viewer | None]]


class Stopped(Exception):
    """Another request goes on with this upload."""


class Tus:
    """`/uploads` and `/uploads/{id}`."""

    def __init__(self, state: AppState, authenticate: Authenticate) -> None:
        self._state = state
        self._authenticate = authenticate
        self._writers: dict[str, _Writer] = {}

    async def collection(self, request: Request) -> Response:
        """Create an upload, or tell what the server can do."""
        return await self._answer(request, {"POST": self._create})

    async def upload(self, request: Request) -> Response:
        """Look at an upload, send bytes of it, or give it up."""
        steps = {"HEAD": self._head, "PATCH": self._patch, "DELETE": self._delete, "POST": self._create}
        return await self._answer(request, steps)

    async def _answer(
        self, request: Request, steps: Mapping[str, Callable[[Request], Awaitable[Response]]]
    ) -> Response:
        method = request.headers.get("x-http-method-override", request.method).upper()
        try:
            if method == "OPTIONS":
                response = Response(None, 204, headers.options(self._state.intake.max_upload_bytes))
            elif (step := steps.get(method)) is None:
                raise HttpProblem(405, ErrorCode.INVALID_INPUT, "Method Not Allowed.")
            else:
                headers.check_version(request)
                response = await step(request)
        except ClientDisconnect:
            raise
        except (Stopped, LeaseLost):
            message = "Another request goes on with this upload."
            response = _problem(request, HttpProblem(409, ErrorCode.CONFLICT, message))
        except ChecksumMismatch:
            message = "The bytes are not those that were sent: their checksum differs. None was kept."
            response = _problem(request, HttpProblem(400, ErrorCode.INVALID_INPUT, message))
            response.status_code = 460  # tus's own
        except Exception as error:  # noqa: BLE001  it is answered as everywhere
            response = _problem(request, problem_for(error, request.scope["correlation_id"]))
        response.headers["Tus-Resumable"] = headers.VERSION
        response.headers["Cache-Control"] = "no-store"
        return response

    # ------------------------------------------------------------ what can be asked

    async def _create(self, request: Request) -> Response:
        owner_id = await self._owner(request)
        announced = None
        if upload_id := request.path_params.get("id"):
            announced = await self._found(owner_id, upload_id)
        concat, told = headers.concat(request), {}
        if concat.startswith(headers.FINAL):
            upload = await self._concatenate(request, owner_id, announced, concat)
        else:
            upload = await self._announce(request, owner_id, announced, concat)
            if request.headers.get("content-type") == headers.OFFSET_STREAM:
                upload = await self._write(request, owner_id, upload.id, offset=0)
                told = {"Upload-Offset": str(upload.received)}
        return Response(None, 201, {"Location": self._location(upload), **told, **await self._told(upload)})

    async def _announce(self, request: Request, owner_id: str, announced: Upload | None, concat: str) -> Upload:
        size, pairs = headers.length(request), headers.metadata(request)
        limit = self._state.intake.max_upload_bytes if announced is None else announced.byte_size
        if size == 0:
            raise InvalidInput("Upload-Length", "The file is empty; there is nothing in it to transcribe.")
        if size is not None and size > limit:
            raise LimitExceeded("The file is too large.", limit=limit, actual=size, unit="bytes")
        if announced is not None and not concat:
            if size not in (None, announced.byte_size):
                message = f"{announced.byte_size} bytes were announced for this address."
                raise InvalidInput("Upload-Length", message)
            return announced
        await self._state.blobs.check_room(size or 0)
        async with self._state.db.write() as session:
            return await uploads.create(
                session,
                owner_id,
                filename=headers.filename(pairs),
                byte_size=size,
                concat=concat,
                client_metadata=request.headers.get("upload-metadata", ""),
            )

    async def _concatenate(self, request: Request, owner_id: str, announced: Upload | None, concat: str) -> Upload:
        parts, pairs, limit = headers.parts_of(concat), headers.metadata(request), self._state.intake.max_upload_bytes
        async with self._state.db.write() as session:
            upload = announced or await uploads.create(
                session,
                owner_id,
                filename=headers.filename(pairs),
                byte_size=None,
                client_metadata=request.headers.get("upload-metadata", ""),
            )
            return await uploads.concatenate(session, owner_id, upload.id, parts, concat=concat, limit=limit)

    async def _head(self, request: Request) -> Response:
        owner_id = await self._owner(request)
        upload = await self._found(owner_id, request.path_params["id"])
        if upload.id in self._writers:
            await self._stop_writer(upload.id)
            upload = await self._found(owner_id, upload.id)
        return Response(None, 200, {**headers.described(upload), **await self._told(upload)})

    async def _patch(self, request: Request) -> Response:
        offset, size = headers.number(request, "Upload-Offset"), headers.number(request, "Upload-Length")
        content_type = request.headers.get("content-type")
        if content_type not in (None, headers.OFFSET_STREAM):
            raise InvalidInput("Content-Type", f"It must be {headers.OFFSET_STREAM}.")
        if offset is None or content_type is None:
            missing = "Upload-Offset" if offset is None else "Content-Type"
            raise HttpProblem(403, ErrorCode.INVALID_INPUT, f"{missing} is missing.", {"field": missing})
        owner_id, upload_id = await self._owner(request), request.path_params["id"]
        upload = await self._found(owner_id, upload_id)
        if upload.concat.startswith(headers.FINAL):
            raise HttpProblem(403, ErrorCode.FORBIDDEN, "An upload that was put together takes no bytes.")
        upload = await self._write(request, owner_id, upload_id, offset=offset, size=size)
        return Response(None, 204, {"Upload-Offset": str(upload.received), **await self._told(upload)})

    async def _delete(self, request: Request) -> Response:
        owner_id = await self._owner(request)
        upload = await self._found(owner_id, request.path_params["id"])
        await self._stop_writer(upload.id)
        async with self._state.db.write() as session:
            await uploads.terminate(session, owner_id, upload.id)
        return Response(None, 204)

    # ------------------------------------------------------------ bytes

    async def _write(
        self, request: Request, owner_id: str, upload_id: str, *, offset: int, size: int | None = None
    ) -> Upload:
        """Append the body of a request, which ends whatever request is at it."""
        checksum, max_bytes = headers.checksum(request), self._state.intake.max_upload_bytes
        coming = int(request.headers.get("content-length") or 0)
        await self._stop_writer(upload_id)
        async with self._state.db.write() as session:
            upload = await uploads.claim(session, owner_id, upload_id, offset=offset, byte_size=size, limit=max_bytes)
        limit = upload.byte_size if upload.length_known else max_bytes
        if offset + coming > limit:
            message = "More bytes arrive than belong to this upload."
            raise LimitExceeded(message, limit=limit, actual=offset + coming, unit="bytes")
        await self._state.blobs.check_room(coming)
        writer = self._writers[upload_id] = _Writer()
        try:
            chunks = writer.chunks(request)
            await receive(self._state.db, self._state.blobs, upload, chunks, limit=limit, checksum=checksum)
        finally:
            writer.ended.set()
            if self._writers.get(upload_id) is writer:
                del self._writers[upload_id]
        return upload

    async def _stop_writer(self, upload_id: str) -> None:
        if (writer := self._writers.get(upload_id)) is not None:
            await writer.stop()

    async def _told(self, upload: Upload) -> dict[str, str]:
        """Return what an answer tells of an upload: until when it must be complete, or what it has become."""
        if not upload.is_whole or upload.concat == headers.PARTIAL:
            return headers.expiry(upload)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                state, worker = self._state, self._state.worker
                media_id = await completed(
                    state.db, state.blobs, upload, max_duration=worker.max_duration, keep_ms=worker.keep_audio_ms
                )
        except TimeoutError:
            return {}
        return {"Media-Id": media_id}

    # ------------------------------------------------------------ whose it is

    async def _owner(self, request: Request) -> str:
        """Return whose the upload is: by a signed address, else by a token. Raises HttpProblem and Forbidden."""
        if "signature" in request.query_params:
            return self._state.signer.owner_of(request)
        viewer = await self._authenticate(request.headers)
        if viewer is None:
            message = "Send a token as Authorization: Bearer, or use a signed address."
            raise HttpProblem(401, ErrorCode.UNAUTHENTICATED, message, headers={"WWW-Authenticate": "Bearer"})
        if not viewer.scopes & {SCOPE, "admin"}:
            raise Forbidden(SCOPE)
        return viewer.owner_id

    async def _found(self, owner_id: str, upload_id: str) -> Upload:
        """Return an upload that goes on. Raises NotFound, and HttpProblem when it is over."""
        async with self._state.db.read() as session:
            upload = await uploads.find(session, owner_id, upload_id)
        if upload.expires_at < now() and upload.media_id is None:
            raise HttpProblem(410, ErrorCode.NOT_FOUND, "The time of this upload is over; begin a new one.")
        if (problem := upload.problem) is not None:
            raise HttpProblem(problem.code.status, problem.code, problem.message, {"remedy": problem.remedy})
        return upload

    def _location(self, upload: Upload) -> str:
        server = self._state.server
        base = server.public_url or public_base.get() or server.resolved_public_url
        path = f"/uploads/{upload.id}"
        return base.rstrip("/") + self._state.signer.sign(path, upload.owner_id, upload.expires_at)


class _Writer:
    """A request that sends bytes, which the next one can end."""

    def __init__(self) -> None:
        self._stopped = False
        self._waiting: asyncio.Task[Any] | None = None  # for bytes, and for nothing else
        self.ended = asyncio.Event()

    async def stop(self) -> None:
        """Let it keep what it has and end; one that takes too long is fenced off by the row."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()
        try:
            await asyncio.wait_for(self.ended.wait(), STOP_SECONDS)
        except TimeoutError:
            return

    async def chunks(self, request: Request) -> AsyncIterator[bytes]:
        """Yield what the client sends. Raises Stopped, and ClientDisconnect."""
        stream = request.stream()
        while not self._stopped:
            self._waiting = asyncio.current_task()
            try:
                chunk = await anext(stream, None)
            except asyncio.CancelledError:
                if not self._stopped or self._waiting is None or self._waiting.uncancel():
                    raise
                break
            finally:
                self._waiting = None
            if chunk is None:
                return
            yield chunk
        raise Stopped


def _problem(request: Request, problem: HttpProblem) -> Response:
    return problem.response(request.scope["correlation_id"])
