"""Many transcripts as one ZIP."""

import hashlib
from collections.abc import Sequence
from typing import Annotated

import msgspec
import strawberry

from db import exports, models
from db.domain.errors import InvalidInput, NotFound
from schema.base.bounds import at_most
from schema.base.context import Info
from schema.base.enums import ExportFormat
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.exports import CreateExportPayload, chosen_options
from schema.transcripts.captions import CaptionOptions
from tasks.documents.registry import FORMATS

MOST_TRANSCRIPTS = 100


@strawberry.input(description="The documents that make a ZIP.")
class CreateExportBundleInput:
    """The input of createExportBundle."""

    transcript_ids: list[strawberry.ID] = field(
        "The transcripts, 1..100, each at its newest revision.", metadata=at_most(MOST_TRANSCRIPTS)
    )
    format: ExportFormat = field("The kind of documents.")
    captions: CaptionOptions | None = strawberry.field(
        default=None, description="The layout of the captions of SRT, VTT, ASS and TTML."
    )
    speaker_labels: bool | None = strawberry.field(default=True, description="Say who speaks.")
    timestamps: bool | None = strawberry.field(
        default=True, description="Texts say when each paragraph begins; VTT and ASS when each word is spoken."
    )


async def create_export_bundle(
    info: Info, data: Annotated[CreateExportBundleInput, arg("The documents.", name="input")]
) -> CreateExportPayload:
    """Ask the io worker for a ZIP; the same transcripts, revisions, format and options give the same one."""
    context = info.context
    found = await _transcripts(info, list(dict.fromkeys(data.transcript_ids)))
    format_ = FORMATS[data.format]
    options = chosen_options(data.captions, data.speaker_labels, data.timestamps)
    request = msgspec.json.encode(format_.chosen(options)).decode()
    parts = [(transcript.id, transcript.revision) for transcript in found]
    same = f"{[(*part, row.updated_at) for part, row in zip(parts, found, strict=True)]} {format_.name} {request}"
    async with context.db.write() as session:
        row, reused = await exports.create(
            session, context.owner_id, transcript_id=parts[0][0], revision=parts[0][1], format_=data.format,
            request=request, idempotency_key="bundle:" + hashlib.sha256(same.encode()).hexdigest(),
            filename="transcripts.zip", content_type="application/zip", correlation_id=context.correlation_id,
            bundle=parts,
        )  # fmt: skip
    return CreateExportPayload(export=row, reused=reused)  # type: ignore[arg-type]  # a row stands for the type


async def _transcripts(info: Info, ids: Sequence[str]) -> list[models.Transcript]:
    """Return the transcripts. Raises InvalidInput and NotFound."""
    if not ids:
        raise InvalidInput("input.transcriptIds", "At least one.")
    found = await info.context.load.transcript.load_many([id_ for id_ in ids if known(id_, "trn")])
    rows = {row.id: row for row in found if row is not None}
    missing = next((id_ for id_ in ids if id_ not in rows), None)
    if missing is not None:
        raise NotFound("transcript", missing)
    return [rows[id_] for id_ in ids]
