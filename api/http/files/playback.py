"""Recordings played back: the address that `Media.playbackUrl` gave, with byte ranges so that players can seek."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.http.files.conditional import Validators
from api.http.state import AppState
from db import media
from db.domain.errors import NotFound

CONTENT_TYPES = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "amr": "audio/amr",
    "flac": "audio/flac",
    "matroska,webm": "video/webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "video/mp4",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
}
"""By FFmpeg's name of the container, as probed; players look at the content of anything else."""


class Playback:
    """`GET /media/{id}`."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def get(self, request: Request) -> Response:
        """Return the recording, or a part of it (RFC 9110, 14.2; of several ranges at once, all is sent)."""
        media_id: str = request.path_params["id"]
        owner_id = self._state.signer.owner_of(request)
        async with self._state.db.read() as session:
            found = (await media.many(session, owner_id, [media_id])).get(media_id)
        if found is None or found.blob_key is None:
            raise NotFound("recording", media_id)
        validators = Validators(found.sha256, found.created_at)
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=3600",
            # Whatever the bytes are, they are no page of ours.
            "Content-Security-Policy": "sandbox; frame-ancestors 'none'",
            **validators.headers(),
        }
        if validators.known_to(request):
            return Response(None, 304, headers)
        content_type = CONTENT_TYPES.get(found.container, "application/octet-stream")
        part = validators.part_for(request, found.byte_size)
        if part is None:
            headers["Content-Length"] = str(found.byte_size)
            return StreamingResponse(self._state.blobs.read(found.blob_key), 200, headers, content_type)
        start, end = part
        if start >= end:
            return Response(None, 416, {**headers, "Content-Range": f"bytes */{found.byte_size}"})
        headers |= {
            "Content-Length": str(end - start),
            "Content-Range": f"bytes {start}-{end - 1}/{found.byte_size}",
        }
        return StreamingResponse(self._state.blobs.read(found.blob_key, part), 206, headers, content_type)
