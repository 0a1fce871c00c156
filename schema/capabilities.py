"""The capabilities of this installation right now, as its workers report them."""

from collections.abc import Sequence

import msgspec
import strawberry

from db import jobs
from db.accounts.scopes import ADMIN
from db.domain.values import ErrorCode, FeatureFacts, ModelFacts, WorkerFacts
from db.domain.values import Problem as ProblemFacts
from db.queue import workers
from schema.base.context import Info
from schema.base.enums import ExportFormat
from schema.base.fields import field
from schema.base.scalars import BigInt
from schema.jobs.types import Problem

_NO_WORKER = FeatureFacts(available=False, reason="No speech worker is online.")
_UNTOLD = FeatureFacts(available=False, reason="The speech worker has not said yet; its models may still be loading.")


class CapabilitiesView(msgspec.Struct, frozen=True):
    """Capabilities at run time."""

    version: str
    models: Sequence[ModelFacts]
    alignment_languages: Sequence[str]
    diarization: FeatureFacts
    export_formats: Sequence[ExportFormat]
    audio_formats: Sequence[str]
    max_upload_bytes: int
    max_duration_seconds: float
    queue_depth: int
    workers_online: int
    problems: Sequence[ProblemFacts]


@strawberry.type(description="A speech model that can be asked for.")
class Model:
    """db.domain.values.ModelFacts in the graph."""

    name: str = field("The name to ask for it by.")
    languages: list[str] = field("The languages that it knows, as ISO 639-1 codes.")
    loaded: bool = field("True when a worker has it in memory, so that a job begins at once.")
    default: bool = field("True when it is used for jobs that name none.")


@strawberry.type(description="Something that may or may not be available here.")
class Feature:
    """db.domain.values.FeatureFacts in the graph."""

    available: bool = field("True when it works now.")
    reason: str | None = field("The reason for which it does not work, and what to do.")
    model: str | None = field("The model that does it.")


@strawberry.type(description="The abilities of this installation at this moment.")
class Capabilities:
    """CapabilitiesView in the graph."""

    version: str = field("The server's version.")
    models: list[Model] = field("Speech models of the workers that are online.")
    alignment_languages: list[str] = field("Languages whose words can be aligned, as ISO 639-1 codes.")
    diarization: Feature = field("Speaker diarization: telling the speakers apart.")
    export_formats: list[ExportFormat] = field("Documents that can be made.")
    audio_formats: list[str] = field("Formats that are read; any other is refused.")
    max_upload_bytes: BigInt = field("The largest file, in bytes.")
    max_duration_seconds: float = field("The longest recording, in seconds.")
    queue_depth: int = field("The number of waiting jobs, of all owners.")
    workers_online: int = field("The number of speech workers that are up.")
    problems: list[Problem] = field("Reasons why speech workers cannot work; for administrators, what is unsafe, too.")


async def capabilities(info: Info) -> CapabilitiesView:
    """Two statements, however many workers there are."""
    settings = info.context.settings
    async with info.context.db.read() as session:
        told = [worker.facts for worker in await workers.online(session) if worker.kind == "speech"]
        depth = await jobs.queue_depth(session)
    facts = [fact for fact in told if not fact.problems]
    return CapabilitiesView(
        settings.version,
        _models(facts),
        sorted({language for fact in facts for language in fact.alignment_languages}),
        _diarization(facts),
        list(ExportFormat),
        settings.audio_formats,
        settings.intake.max_upload_bytes,
        settings.worker.max_duration,
        depth,
        len(facts),
        [*dict.fromkeys(problem for fact in told for problem in fact.problems), *_warnings(info)],
    )


def _warnings(info: Info) -> list[ProblemFacts]:
    if ADMIN not in info.context.viewer.scopes:
        return []
    return [ProblemFacts(code=ErrorCode.FORBIDDEN, message=warning) for warning in info.context.settings.warnings]


def _models(facts: Sequence[WorkerFacts]) -> list[ModelFacts]:
    """Each once; loaded when any worker has it loaded."""
    found: dict[str, ModelFacts] = {}
    for model in (model for fact in facts for model in fact.models):
        same = found.get(model.name, model)
        found[model.name] = msgspec.structs.replace(
            model, loaded=model.loaded or same.loaded, default=model.default or same.default
        )
    return sorted(found.values(), key=lambda model: (not model.default, model.name))


def _diarization(facts: Sequence[WorkerFacts]) -> FeatureFacts:
    told = [fact.diarization for fact in facts if fact.diarization is not None]
    return next((feature for feature in told if feature.available), (told or [_UNTOLD if facts else _NO_WORKER])[0])
