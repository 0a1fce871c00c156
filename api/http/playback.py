"""Recordings played back: the address that `Media.playbackUrl` gave, with byte ranges so that players can seek."""

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.http.problems import HttpProblem, problem_of
from api.http.state import AppState
from db import media
from db.domain.errors import NotFound

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)

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
        """The recording, or a part of it (RFC 9110, 14.2; of several ranges at once, all is sent)."""
        media_id: str = request.path_params["id"]
        try:
            owner_id = self._state.signer.owner_of(request)
        except HttpProblem as problem:
            return problem.response(request.scope["correlation_id"])
        async with self._state.db.read() as session:
            found = (await media.many(session, owner_id, [media_id])).get(media_id)
        if found is None or found.blob_key is None:
            return problem_of(NotFound("recording", media_id)).response(request.scope["correlation_id"])
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=3600",
            "Content-Security-Policy": "sandbox",  # whatever the bytes are, they are no page of ours
            "ETag": f'"{found.sha256}"',
            "X-Content-Type-Options": "nosniff",
        }
        content_type = CONTENT_TYPES.get(found.container, "application/octet-stream")
        part = _part(request.headers.get("range"), found.byte_size)
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


def _part(header: str | None, size: int) -> tuple[int, int] | None:
    """The asked bytes, from (included) to (excluded); empty when there are none, None when all are to be sent."""
    asked = _RANGE.fullmatch(header or "")
    if asked is None or asked.groups() == ("", ""):
        return None
    first, last = asked.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)
