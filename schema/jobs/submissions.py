"""Asking for a transcript: createJob."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import strawberry
from strawberry.scalars import JSON
from strawberry.utils.str_converters import to_camel_case

from db import jobs, media, models, uploads
from db.domain.errors import Conflict, InvalidInput, NotFound
from db.domain.values import Options
from db.jobs import NewJob
from db.queue import workers
from schema.account.usage import check_audio
from schema.base import validation
from schema.base.bounds import at_most
from schema.base.context import Context, Info
from schema.base.enums import ChannelMode, TranscriptionTask
from schema.base.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    LimitExceededError,
    NotFoundError,
    QueueFullError,
    UnsupportedMediaError,
)
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.base.scalars import Upload, UploadedFile
from schema.jobs import hallucination_rules, tracks
from schema.jobs.hallucination_rules import HallucinationRulesInput
from schema.jobs.types import Job
from tasks.media.completion import completed
from tasks.media.ingestion import ingest
from tasks.telemetry import metrics


def _optional(description: str, default: Any = None, **options: Any) -> Any:
    return strawberry.field(default=default, description=description, **options)


@strawberry.input(one_of=True, description="The source of a recording: exactly one.")
class MediaSource:
    """One of the ways in."""

    media_id: strawberry.ID | None = _optional("A recording that is here already.", strawberry.UNSET)
    upload_id: strawberry.ID | None = _optional(
        "An upload whose bytes are all here: nothing has to be read out of the upload's own answer.", strawberry.UNSET
    )
    file: Upload | None = _optional("A small file, as part of a GraphQL multipart request.", strawberry.UNSET)


@strawberry.input(description="The recording, and what to make of it.")
class CreateJobInput:
    """The input of `createJob`."""

    source: MediaSource = field("The recording.")
    model: str | None = _optional("The Whisper model; the server's default when left out.")
    language: str | None = _optional("The language spoken, such as `de` or `en-US`; detected when left out.")
    task: TranscriptionTask | None = _optional("Transcribe or translate.", TranscriptionTask.TRANSCRIBE)
    align: bool | None = _optional("Find each word's time.", default=True)
    diarize: bool | None = _optional("Tell the speakers apart.", default=True)
    num_speakers: int | None = _optional("The exact number of speakers, when that is known.")
    min_speakers: int | None = _optional("The least number of speakers.")
    max_speakers: int | None = _optional("The greatest number of speakers.")
    prompt: str | None = _optional("Text that tells Whisper of names and style, at most 2000 characters.")
    hotwords: list[str] | None = _optional(
        "Words to listen for: at most 200 of at most 100 characters.", metadata=at_most(validation.HOTWORDS)
    )
    rules: HallucinationRulesInput | None = _optional(
        "Filters against text that nobody spoke; all of them when left out."
    )
    beam_size: int | None = _optional("Readings that Whisper weighs against each other, 1 to 10.", default=5)
    chunk_seconds: float | None = _optional(
        "The most speech that Whisper hears at once, 5 to 30 seconds.", default=20.0
    )
    speech_threshold: float | None = _optional(
        "The probability from which on a sound is taken for speech, 0.1 to 0.9: lower hears softer speech.", default=0.5
    )
    suppress_numerals: bool | None = _optional("Write numbers in words.", default=False)
    languages: list[str] | None = _optional(
        "Of a recording in several languages: only these are considered, each part in its own.",
        metadata=at_most(validation.LANGUAGES),
    )
    track: int | None = _optional("One of several audio tracks, from 0; the first that has sound when left out.")
    channels: ChannelMode | None = _optional(
        "SEPARATE makes a speaker of each channel, as in telephony.", ChannelMode.MIX
    )
    priority: int | None = _optional("Higher goes first among the owner's own jobs, -10..10.", default=0)
    tags: list[str] | None = _optional(
        "The client's own labels: at most 50 of at most 100 characters.", metadata=at_most(validation.TAGS)
    )
    metadata: JSON | None = _optional("The client's own, given back as it is: at most 16 KiB of JSON.")
    webhook_url: str | None = _optional(
        "An address that is told when the job starts and ends, signed with the secret of `rotateJobWebhookSecret`."
    )
    idempotency_key: str | None = _optional(
        "The same key and input give the same job; the same key with another input is a ConflictError."
    )


@strawberry.type(description="The job was accepted: it is stored and will be done.")
class CreateJobPayload:
    """The result of `createJob`."""

    job: Job = field("The job.")
    reused: bool = field("True when this is the job of an earlier request with the same idempotency key.")


CreateJobResult = Annotated[
    CreateJobPayload
    | InvalidInputError
    | UnsupportedMediaError
    | LimitExceededError
    | QueueFullError
    | ConflictError
    | NotFoundError
    | ForbiddenError,
    strawberry.union("CreateJobResult", description="The result of `createJob`."),
]


async def create_job(
    info: Info, data: Annotated[CreateJobInput, arg("The recording, and what to make of it.", name="input")]
) -> CreateJobPayload:
    """Accept a job; the row is committed before the answer."""
    context = info.context
    wanted = await checked(context, data)
    async with recording(context, data.source) as found:
        tracks.check(wanted.options, found.row)
        await check_audio(context, found.row.duration_ms)
        job, reused = await accept(context, wanted, found)
    return CreateJobPayload(job=job, reused=reused)  # type: ignore[arg-type]  # a row stands for the type


@dataclass
class Recording:
    """The recording of a request. `identity` tells it from others: its id, or a file's SHA-256."""

    row: models.Media
    identity: str
    used: bool = False


@asynccontextmanager
async def recording(context: Context, source: MediaSource) -> AsyncIterator[Recording]:
    """Return the recording; one that came with the request is only kept when it was used."""
    if not isinstance(source.file, UploadedFile):
        row = await _known_recording(context, await _uploaded(context, source) or source.media_id or "")
        yield Recording(row, row.id)
        return
    filename = validation.filename("input.source.file", source.file.filename)
    settings = context.settings
    row = await ingest(
        context.db, context.blobs, context.owner_id, filename=filename, chunks=source.file.chunks(),
        max_bytes=settings.intake.max_upload_bytes, max_duration=settings.worker.max_duration,
        keep_ms=settings.worker.keep_audio_ms,
    )  # fmt: skip
    found = Recording(row, row.sha256)
    try:
        yield found
    finally:
        if not found.used:
            async with context.db.write() as session:
                unwanted = await media.remove(session, context.owner_id, row.id)
            for key in unwanted:
                await context.blobs.delete(key)


async def _uploaded(context: Context, source: MediaSource) -> str | None:
    """Return the id of the recording that an upload has become. Raises NotFound, and Conflict while it has not."""
    if not source.upload_id:
        return None
    async with context.db.read() as session:
        found = await uploads.get(session, context.owner_id, source.upload_id if known(source.upload_id, "upl") else "")
    if found.is_whole and found.concat != uploads.PARTIAL:
        worker = context.settings.worker
        return await completed(
            context.db, context.blobs, found, max_duration=worker.max_duration, keep_ms=worker.keep_audio_ms
        )
    if found.media_id is None:
        facts = {"uploadId": found.id, "offset": found.received, "byteSize": found.byte_size}
        raise Conflict("The upload is not complete yet; send the rest of its bytes first.", facts)
    return found.media_id


async def _known_recording(context: Context, id_: str) -> models.Media:
    row = await context.load.media.load(id_) if known(id_, "med") else None
    if row is None:
        raise NotFound("recording", id_)
    if row.blob_key is None:
        raise Conflict("The recording's audio is no longer kept.", {"mediaId": id_})
    return row


async def accept(context: Context, wanted: NewJob, found: Recording) -> tuple[models.Job, bool]:
    """Store the job; return it, and whether it is that of an earlier request. Raises Conflict and QueueFull."""
    described = [found.identity, wanted.options, wanted.priority, wanted.tags, wanted.metadata]
    described += [] if wanted.webhook_url is None else [wanted.webhook_url]
    digest = hashlib.sha256(msgspec.json.encode(described, order="deterministic")).hexdigest()
    new = msgspec.structs.replace(wanted, media_id=found.row.id, input_hash=digest)
    job, reused = await jobs.create(context.db, context.owner_id, new, context.queue_limits)
    found.used = job.media_id == found.row.id
    if not reused:
        metrics.add("graphophone.jobs.accepted", task=job.options.task)
    return job, reused


async def checked(context: Context, data: CreateJobInput) -> NewJob:
    """Everything but the recording, checked. Raises InvalidInput."""
    key, told, checks = data.idempotency_key, data.webhook_url, validation.Checks()
    new = NewJob(
        media_id="",
        options=_options(context, data, checks),
        priority=checks(validation.between, "input.priority", data.priority or 0, -10, 10),
        tags=checks(validation.texts, "input.tags", data.tags or (), validation.TAG_CHARS),
        metadata=checks(validation.metadata, "input.metadata", data.metadata),
        webhook_url=None if told is None else checks(validation.address, "input.webhookUrl", told),
        idempotency_key=None
        if key is None
        else checks(validation.text, "input.idempotencyKey", key, validation.KEY_CHARS),
        correlation_id=context.correlation_id,
    )
    checks.done()
    await _check_model(context, new.options.model)
    return new


def _options(context: Context, data: CreateJobInput, checks: validation.Checks) -> Options:
    diarize = data.diarize is not False
    bounds = (data.num_speakers, data.min_speakers, data.max_speakers)
    separate = data.channels is ChannelMode.SEPARATE
    checks(validation.speakers, "input", *bounds, diarize=diarize, separate=separate)
    model, prompt, chars = data.model, data.prompt, validation.PROMPT_CHARS
    return Options(
        model=context.settings.worker.model if model is None else checks(validation.model, "input.model", model),
        language=None if data.language is None else checks(validation.language, "input.language", data.language),
        task=data.task or TranscriptionTask.TRANSCRIBE,
        align=data.align is not False,
        diarize=diarize and not separate,
        num_speakers=data.num_speakers,
        min_speakers=data.min_speakers,
        max_speakers=data.max_speakers,
        prompt=None if prompt is None else checks(validation.text, "input.prompt", prompt, chars, lines=True),
        hotwords=checks(validation.texts, "input.hotwords", data.hotwords or (), validation.HOTWORD_CHARS),
        rules=hallucination_rules.chosen(data.rules),
        track=None if data.track is None else checks(validation.between, "input.track", data.track, 0, tracks.MOST),
        channels=data.channels or ChannelMode.MIX,
        languages=checks(validation.languages, "input", data.language, data.languages),
        **_recognition(data, checks),
    )


def _recognition(data: CreateJobInput, checks: validation.Checks) -> dict[str, Any]:
    """Return what is told of the recogniser and the voice activity detector; a null is the default."""
    bounds = {"beam_size": (1, 10), "chunk_seconds": (5, 30), "speech_threshold": (0.1, 0.9)}
    given = {name: value for name in bounds if (value := getattr(data, name)) is not None}
    for name, value in given.items():
        checks(_bounded, f"input.{to_camel_case(name)}", value, *bounds[name])
    return {**given, "suppress_numerals": bool(data.suppress_numerals)}


def _bounded(path: str, value: float, least: float, most: float) -> float:
    return validation.between(path, value, least, most)


async def _check_model(context: Context, name: str) -> None:
    """Workers that are up have the last word on what can be run; with none up, the job waits for one."""
    if name == context.settings.worker.model:
        return
    async with context.db.read() as session:
        facts = [worker.facts for worker in await workers.online(session)]
    known_names = sorted({model.name for fact in facts for model in fact.models})
    if known_names and name not in known_names and not any(fact.any_model for fact in facts):
        raise InvalidInput("input.model", f"No worker has this model; there is {', '.join(known_names)}.")
