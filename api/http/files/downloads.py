"""Rendered documents, streamed out: the address that `Export.downloadUrl` gave."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.http.files.conditional import Validators
from api.http.state import AppState
from db import exports
from db.domain.errors import NotFound


class Downloads:
    """`GET /exports/{id}/{filename}`."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def get(self, request: Request) -> Response:
        """Return the document as an attachment; its ETag is its SHA-256."""
        export_id: str = request.path_params["id"]
        owner_id = self._state.signer.owner_of(request)
        async with self._state.db.read() as session:
            export = await exports.get(session, owner_id, export_id)
        if export is None or export.blob_key is None:
            raise NotFound("export", export_id)
        validators = Validators(export.sha256, export.finished_at or export.created_at)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(export.filename)}",
            "Cache-Control": "private, no-cache",
            **validators.headers(),
        }
        if validators.known_to(request):
            return Response(None, 304, headers)
        headers["Content-Length"] = str(export.byte_size)
        return StreamingResponse(self._state.blobs.read(export.blob_key), 200, headers, export.content_type)
