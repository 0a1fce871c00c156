"""Recordings, and the uploads that become them."""

from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Any

import strawberry

from db import listing, media, models, uploads
from db.domain.clock import now
from db.domain.errors import InvalidInput, LimitExceeded, NotFound
from db.uploads.tables import Upload
from schema.base import connections, validation
from schema.base.connections import Connection, ConnectionView, Listing
from schema.base.context import Info
from schema.base.errors import ConflictError, ForbiddenError, InvalidInputError, LimitExceededError, NotFoundError
from schema.base.fields import arg, field, link
from schema.base.nodes import Node, StandIn, known
from schema.base.scalars import BigInt, Instant

MAX_BUCKETS = 20_000

PLAYBACK_MS = 3_600_000
"""The milliseconds for which a link to a recording holds."""


def _duration(parent: strawberry.Parent[models.Media]) -> float:
    return parent.duration_ms / 1000


def _playback_url(parent: strawberry.Parent[models.Media], info: Info) -> str | None:
    if parent.blob_key is None:
        return None
    return info.context.signed_url(f"/media/{parent.id}", now() + PLAYBACK_MS)


async def _peaks(
    parent: strawberry.Parent[models.Media],
    info: Info,
    buckets: Annotated[int, arg("The number of values, 1..20000.")] = 1000,
) -> list[float]:
    validation.between("buckets", buckets, 1, MAX_BUCKETS)
    key = await info.context.load.peaks.load(parent.id)
    if key is None:
        return []
    try:
        bars = b"".join([chunk async for chunk in info.context.blobs.read(key)])
    except FileNotFoundError:  # deleted just now
        return []
    edges = [len(bars) * bucket // buckets for bucket in range(buckets + 1)]
    return [max(bars[start : max(end, start + 1)], default=0) / 255 for start, end in pairwise(edges)]


_JOBS = Listing(
    lambda owner_id, id_, _: listing.jobs(owner_id, listing.JobFilter(media_id=id_)),
    attrgetter("media_id"),
    listing.by_creation(models.Job, descending=True),
)


async def _jobs(
    parent: strawberry.Parent[models.Media],
    info: Info,
    first: Annotated[int | None, arg("The number of entries from the start, at most 100.")] = 20,
    after: Annotated[str | None, arg("Only what lies behind this cursor.")] = None,
) -> ConnectionView:
    window = connections.window(_JOBS.order, first=first, after=after)
    return await connections.paginate_each(info.context, parent.id, _JOBS, window)


@strawberry.type(description="One audio track of a recording.")
class AudioTrack:
    """db.domain.values.AudioTrack in the graph."""

    index: int = field("Its number, from 0, for `CreateJobInput.track`.")
    codec: str = field("Its codec as probed.")
    channels: int = field("Number of channels.")
    language: str | None = field("The language that the file says it is in, as it says so.")
    title: str | None = field("The name that the file gives it.")
    default: bool = field("True when the file marks it as the one to play.")
    silent: bool | None = field(
        "True when there is no sound in its first minute; null where nobody listened: it is the only one, say."
    )


@strawberry.type(description="A recording. Kept until its retention ends; the transcript can outlive it.")
class Media(StandIn, Node):
    """db.models.Media in the graph."""

    stands_for = models.Media

    filename: str = field("Its name at the client, without folders.")
    byte_size: BigInt = field("Size in bytes.")
    sha256: str = field("SHA-256 of the bytes, hexadecimal.")
    container: str | None = field("Container format as probed, never as claimed.")
    codec: str | None = field("Audio codec as probed.")
    duration_seconds: float = field("Length in seconds.", _duration)
    channels: int = field("Number of audio channels.")
    sample_rate: int = field("Samples a second.")
    has_video: bool = field("True when there is a moving picture; a cover is none.")
    tracks: list[AudioTrack] = field("Its audio tracks; none are known of recordings taken in by earlier versions.")
    created_at: Instant = field("The instant at which it was taken in.")
    expires_at: Instant | None = field("The instant at which its retention ends; null: it is kept.")
    playback_url: str | None = field(
        "A signed link that holds for an hour and supports HTTP Range; null once the audio is gone.", _playback_url
    )

    peaks: list[float] = field(
        "The waveform: how loud each of so many equal stretches is at its loudest, 0..1; empty until it was decoded.",
        _peaks,
    )
    jobs: Any = field(
        "The jobs that were made of it, newest first.", _jobs, graphql_type=link("Job", "schema.jobs.types", Connection)
    )


def _url(parent: strawberry.Parent[Upload], info: Info) -> str:
    return info.context.signed_url(f"/uploads/{parent.id}", parent.expires_at)


async def _media(parent: strawberry.Parent[Upload], info: Info) -> models.Media | None:
    return None if parent.media_id is None else await info.context.load.media.load(parent.media_id)


@strawberry.type(description="Bytes on their way in. Becomes a recording when all are there and can be read as one.")
class UploadSession:
    """db.uploads.tables.Upload in the graph."""

    id: strawberry.ID = field("Opaque and stable.")
    url: str = field(
        "The address to PUT the bytes to, or to send them to by tus 1.0; signed, holds until `expiresAt`.", _url
    )
    byte_size: BigInt = field("The number of bytes that were announced.")
    received: BigInt = field("The number of bytes that are there.", name="offset")
    expires_at: Instant = field("The instant by which the upload must be complete.")
    media: Media | None = field("The recording, once the upload is complete.", _media)


@strawberry.input(description="The bytes to come.")
class CreateUploadInput:
    """The input of `createUpload`."""

    filename: str = field("The file's name; folders are dropped. It never decides what the file is taken for.")
    byte_size: BigInt = field("Its size in bytes.")
    sha256: str | None = strawberry.field(
        default=None, description="SHA-256 of the bytes, hexadecimal; checked when they are there."
    )


@strawberry.type(description="The upload was announced.")
class CreateUploadPayload:
    """The result of `createUpload`."""

    upload: UploadSession = field("The upload, with the address for its bytes.")


CreateUploadResult = Annotated[
    CreateUploadPayload | InvalidInputError | LimitExceededError,
    strawberry.union("CreateUploadResult", description="The result of `createUpload`."),
]


async def create_upload(
    info: Info, data: Annotated[CreateUploadInput, arg("The bytes to come.", name="input")]
) -> CreateUploadPayload:
    """Announce bytes; they then go to the upload's URL."""
    context = info.context
    filename = validation.filename("input.filename", data.filename)
    if data.byte_size == 0:
        raise InvalidInput("input.byteSize", "The file is empty; there is nothing in it to transcribe.")
    size = validation.between("input.byteSize", data.byte_size, 1, 2**53 - 1)
    limit = context.settings.intake.max_upload_bytes
    if size > limit:
        raise LimitExceeded("The file is too large.", limit=limit, actual=size, unit="bytes")
    sha256 = None if data.sha256 is None else validation.sha256("input.sha256", data.sha256)
    await context.blobs.check_room(size)
    async with context.db.write() as session:
        upload = await uploads.create(session, context.owner_id, filename=filename, byte_size=size, sha256=sha256)
    return CreateUploadPayload(upload=upload)  # type: ignore[arg-type]  # a row stands for the type


async def recording(
    info: Info, id_: Annotated[strawberry.ID, arg("The recording's id.", name="id")]
) -> models.Media | None:
    """Find one recording, or None."""
    return await info.context.load.media.load(id_) if known(id_, "med") else None


@strawberry.type(description="The recording's bytes are gone; what was made of it stays.")
class DeleteMediaPayload:
    """The result of `deleteMedia`."""

    media: Media = field("The recording, without its audio.")


DeleteMediaResult = Annotated[
    DeleteMediaPayload | NotFoundError | ConflictError | ForbiddenError,
    strawberry.union("DeleteMediaResult", description="The result of `deleteMedia`."),
]


async def delete_media(
    info: Info, id_: Annotated[strawberry.ID, arg("The recording's id.", name="id")]
) -> DeleteMediaPayload:
    """Delete a recording's bytes. Raises NotFound, and Conflict while a job still needs them."""
    context = info.context
    async with context.db.write() as session:
        row = await media.erase(session, context.owner_id, id_ if known(id_, "med") else "")
    return DeleteMediaPayload(media=row)  # type: ignore[arg-type]  # a row stands for the type


async def upload(info: Info, id_: Annotated[strawberry.ID, arg("The upload's id.", name="id")]) -> Upload | None:
    """One upload, or None, also when its time is over."""
    if not known(id_, "upl"):
        return None
    try:
        async with info.context.db.read() as session:
            return await uploads.get(session, info.context.owner_id, id_)
    except NotFound:
        return None
