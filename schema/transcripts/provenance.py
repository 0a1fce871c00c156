"""The provenance of a transcript: exactly what made it."""

from typing import Any, NamedTuple

import msgspec
import strawberry

from db import models
from db.domain.values import Provenance as Facts
from schema.base.enums import Stage
from schema.base.fields import field, link


class SoftwareView(NamedTuple):
    """SoftwareVersion at run time."""

    name: str
    version: str


class SecondsView(NamedTuple):
    """StageSeconds at run time."""

    stage: Stage
    seconds: float


@strawberry.type(description="A package and its version.")
class SoftwareVersion:
    """SoftwareView in the graph."""

    name: str = field("The package's name.")
    version: str = field("Its version.")


@strawberry.type(description="The time that a stage took.")
class StageSeconds:
    """SecondsView in the graph."""

    stage: Stage = field("The stage.")
    seconds: float = field("Its time, in seconds.")


def _software(parent: strawberry.Parent[Facts]) -> list[SoftwareView]:
    return [SoftwareView(name, version) for name, version in sorted(parent.software.items())]


def _stage_seconds(parent: strawberry.Parent[Facts]) -> list[SecondsView]:
    return [SecondsView(stage, parent.stage_seconds[stage]) for stage in Stage if stage in parent.stage_seconds]


@strawberry.type(description="The origin of a transcript: models, options, machine; as far as it is known yet.")
class Provenance:
    """db.domain.values.Provenance in the graph."""

    asr_model: str = field("The Whisper model with its revision; until the transcript is complete, what was asked for.")
    align_model: str | None = field("The aligner, if words were aligned.")
    diarization_model: str | None = field("The diarization pipeline, if speakers were told apart.")
    device: str = field("The device, such as `cpu` or `cuda`; empty until the transcript is complete.")
    compute_type: str = field("The type of numbers, such as `int8`; empty until the transcript is complete.")
    options: Any = field(
        "The options when it was made; null until the transcript is complete.",
        graphql_type=link("JobOptions", "schema.jobs.types") | None,
    )
    software: list[SoftwareVersion] = field("The packages that took part, by name.", _software)
    stage_seconds: list[StageSeconds] = field("The seconds that each stage took, in order.", _stage_seconds)
    trace_id: str | None = field("The trace that shows it, when tracing is on.")


def of(transcript: models.Transcript, job: models.Job) -> Facts:
    """Return the recorded facts, with the seconds of stages that were done again since."""
    told = {report.stage.value: report.seconds for report in job.stages if report.seconds is not None}
    if transcript.provenance is None:
        return Facts(asr_model=job.options.model, device="", compute_type="", stage_seconds=told)
    return msgspec.structs.replace(transcript.provenance, stage_seconds=transcript.provenance.stage_seconds | told)
