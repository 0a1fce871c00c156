"""The bytes of an upload, streamed into the store: a plain PUT to the address that `createUpload` gave."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http.problems import HttpProblem
from api.http.state import AppState
from db import uploads
from db.domain.errors import InvalidInput
from db.domain.values import ErrorCode
from tasks.media.ingestion import ingest


class Uploads:
    """`PUT /uploads/{id}`: 201 with the media's id; 200 when it was complete already; a problem otherwise."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def put(self, request: Request) -> Response:
        """Take the bytes in; what breaks off or is refused leaves nothing behind."""
        owner_id, upload_id = self._state.signer.owner_of(request), request.path_params["id"]
        if (encoding := request.headers.get("content-encoding", "identity").lower()) != "identity":
            message = f"The Content-Encoding {encoding[:40]!r} is not undone here: send the recording as it is."
            raise HttpProblem(415, ErrorCode.INVALID_INPUT, message, headers={"Accept-Encoding": "identity"})
        state = self._state
        async with state.db.read() as session:
            upload = await uploads.get(session, owner_id, upload_id)
        if upload.media_id is not None:  # the answer to an earlier try was lost
            return JSONResponse({"mediaId": upload.media_id})
        announced = request.headers.get("content-length")
        if announced is not None and announced != str(upload.byte_size):
            raise InvalidInput("byteSize", f"{upload.byte_size} bytes were announced, {announced} are being sent.")
        await state.blobs.check_room(upload.byte_size)
        taken = await ingest(
            state.db,
            state.blobs,
            owner_id,
            filename=upload.filename,
            chunks=_exactly(request.stream(), upload.byte_size),
            max_bytes=state.intake.max_upload_bytes,
            max_duration=state.worker.max_duration,
            keep_ms=state.worker.keep_audio_ms,
            sha256=upload.sha256,
            upload_id=upload.id,
        )
        return JSONResponse({"mediaId": taken.id}, 201)


async def _exactly(chunks: AsyncIterator[bytes], byte_size: int) -> AsyncIterator[bytes]:
    """Pass the bytes on, and object when there are more or fewer of them than announced."""
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > byte_size:
            break
        yield chunk
    if received != byte_size:
        more = "more" if received > byte_size else "fewer"
        raise InvalidInput("byteSize", f"{byte_size} bytes were announced, {more} arrived.")
