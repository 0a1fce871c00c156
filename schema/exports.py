"""Documents made of a transcript."""

import hashlib
from typing import Annotated, Any

import msgspec
import strawberry

from db import exports, models
from db.domain.clock import now
from db.domain.errors import InvalidInput, NotFound
from schema.base import validation
from schema.base.context import Info
from schema.base.enums import ExportFormat, ExportState, JobState, PaperSize
from schema.base.errors import ForbiddenError, InvalidInputError, LimitExceededError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import Node, StandIn, known
from schema.base.scalars import BigInt, Instant
from schema.jobs.types import Problem
from schema.transcripts.captions import CaptionOptions, layout
from schema.transcripts.types import Transcript
from tasks.documents.guard import file_name
from tasks.documents.registry import FORMATS

DOWNLOAD_MS = 3_600_000
"""The milliseconds for which a link to a document holds."""

Parent = strawberry.Parent[models.Export]
_STATES = {
    JobState.QUEUED: ExportState.PENDING,
    JobState.RUNNING: ExportState.PENDING,
    JobState.SUCCEEDED: ExportState.READY,
}


def _state(parent: Parent) -> ExportState:
    if parent.expires_at is not None and parent.expires_at <= now():
        return ExportState.EXPIRED
    return _STATES.get(parent.state, ExportState.FAILED)


async def _transcript(parent: Parent, info: Info) -> models.Transcript | None:
    return await info.context.load.transcript.load(parent.transcript_id)


def _format(parent: Parent) -> ExportFormat:
    return ExportFormat(parent.format)


def _download_url(parent: Parent, info: Info) -> str | None:
    if _state(parent) is not ExportState.READY or parent.expires_at is None:
        return None
    until = min(now() + DOWNLOAD_MS, parent.expires_at)
    return info.context.signed_url(f"/exports/{parent.id}/{parent.filename}", until)


@strawberry.type(description="A document made of a transcript.")
class Export(StandIn, Node):
    """db.models.Export in the graph."""

    stands_for = models.Export

    transcript: Transcript = field(
        "The transcript that it is made of; the first one's of a bundle.", _transcript, scope="transcripts:read"
    )
    revision: int = field("The revision of the transcript.")
    format: ExportFormat = field("The kind of document.", _format)
    state: ExportState = field("The state.", _state)
    problem: Problem | None = field("The reason for which it could not be made.")
    filename: str = field("The name to save it under.")
    content_type: str = field("Its media type.")
    byte_size: BigInt | None = field("Its size in bytes, once it is ready.")
    sha256: str | None = field("SHA-256 of its bytes, hexadecimal, once it is ready.")
    page_count: int | None = field("The number of its pages, once it is ready; only of a PDF.")
    download_url: str | None = field("A signed link that holds for an hour; null unless it is ready.", _download_url)
    created_at: Instant = field("The instant at which it was asked for.")
    expires_at: Instant | None = field("The instant until which it is kept, once it is ready; it can be made again.")


async def export(info: Info, id_: Annotated[strawberry.ID, arg("The export's id.", name="id")]) -> models.Export | None:
    """One export, or None."""
    return await info.context.load.export.load(id_) if known(id_, "exp") else None


@strawberry.input(description="The document to make, and the transcript to make it of.")
class CreateExportInput:
    """The input of `createExport`."""

    transcript_id: strawberry.ID = field("The transcript.")
    format: ExportFormat = field("The kind of document.")
    revision: int | None = strawberry.field(default=None, description="The revision; the newest when left out.")
    captions: CaptionOptions | None = strawberry.field(
        default=None, description="The layout of the captions of SRT, VTT, ASS and TTML."
    )
    speaker_labels: bool | None = strawberry.field(default=True, description="Name the speakers.")
    timestamps: bool | None = strawberry.field(
        default=True, description="Texts say when each paragraph begins; VTT and ASS when each word is spoken."
    )
    paper_size: PaperSize | None = strawberry.field(default=PaperSize.A4, description="The size of pages: DOCX, PDF.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="Without one, transcript + revision + format + options is the key."
    )


@strawberry.type(description="The document was asked for, or is there already.")
class CreateExportPayload:
    """The result of `createExport`."""

    export: Export = field("The export.")
    reused: bool = field("True when an earlier request had asked for the same.")


CreateExportResult = Annotated[
    CreateExportPayload | InvalidInputError | LimitExceededError | NotFoundError | ForbiddenError,
    strawberry.union("CreateExportResult", description="The result of `createExport`."),
]


async def create_export(
    info: Info, data: Annotated[CreateExportInput, arg("The document and the transcript.", name="input")]
) -> CreateExportPayload:
    """Ask the io worker for a document."""
    context = info.context
    id_ = data.transcript_id
    transcript = await context.load.transcript.load(id_) if known(id_, "trn") else None
    if transcript is None:
        raise NotFound("transcript", id_)
    revision = transcript.revision if data.revision is None else data.revision
    validation.between("input.revision", revision, 1, transcript.revision)
    format_ = FORMATS[data.format]
    options = chosen_options(data.captions, data.speaker_labels, data.timestamps, data.paper_size)
    request = msgspec.json.encode(format_.chosen(options)).decode()
    if data.idempotency_key is None:
        same = f"{id_} {revision} {transcript.updated_at} {format_.name} {request}"
        key = "auto:" + hashlib.sha256(same.encode()).hexdigest()
    else:
        key = "key:" + validation.text("input.idempotencyKey", data.idempotency_key, validation.KEY_CHARS)
    async with context.db.write() as session:
        row, reused = await exports.create(
            session, context.owner_id, transcript_id=id_, revision=revision, format_=data.format, request=request,
            idempotency_key=key, filename=file_name(transcript.title, format_.extension),
            content_type=format_.media_type, correlation_id=context.correlation_id,
        )  # fmt: skip
    if (row.transcript_id, row.revision, row.format, row.request) != (id_, revision, data.format, request):
        raise InvalidInput("input.idempotencyKey", "This key was used for another document.")
    return CreateExportPayload(export=row, reused=reused)  # type: ignore[arg-type]  # a row stands for the type


@strawberry.type(description="The export is gone.")
class DeleteExportPayload:
    """The result of `deleteExport`."""

    deleted_id: strawberry.ID = field("The id that it had.")


DeleteExportResult = Annotated[
    DeleteExportPayload | NotFoundError | ForbiddenError,
    strawberry.union("DeleteExportResult", description="The result of `deleteExport`."),
]


async def delete_export(
    info: Info, id_: Annotated[strawberry.ID, arg("The export's id.", name="id")]
) -> DeleteExportPayload:
    """Delete an export in any state, with its file."""
    context = info.context
    async with context.db.write() as session:
        await exports.remove(session, context.owner_id, id_ if known(id_, "exp") else "")
    return DeleteExportPayload(deleted_id=id_)


def chosen_options(
    captions: CaptionOptions | None,
    speaker_labels: bool | None,
    timestamps: bool | None,
    paper_size: PaperSize | None = None,
) -> dict[str, Any]:
    """Return the options of all formats; a null is the default. Raises InvalidInput."""
    return {
        "captions": layout("input.captions", captions),
        "speaker_labels": speaker_labels is not False,
        "timestamps": timestamps is not False,
        "paper_size": paper_size or PaperSize.A4,
    }
