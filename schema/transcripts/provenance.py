"""What exactly made a transcript."""

from typing import Any

import msgspec
import strawberry
from strawberry.scalars import JSON

from db import models
from db.domain.values import Provenance as Facts
from schema.base.fields import field, link


@strawberry.type(description="What exactly made this transcript; until it is complete, what is known so far.")
class Provenance:
    """db.domain.values.Provenance in the graph."""

    asr_model: str = field("The Whisper model with its revision; until the transcript is complete, what was asked for.")
    align_model: str | None = field("The aligner, if words were aligned.")
    diarization_model: str | None = field("The diarization pipeline, if speakers were told apart.")
    device: str = field("What it ran on, such as `cpu` or `cuda`; empty until the transcript is complete.")
    compute_type: str = field("How numbers were kept, such as `int8`; empty until the transcript is complete.")
    options: Any = field(
        "What was asked when it was made; null until the transcript is complete.",
        graphql_type=link("JobOptions", "schema.jobs.types") | None,
    )
    software: JSON = field("Version by package.")
    stage_seconds: JSON = field("Seconds by stage.")
    trace_id: str | None = field("The trace that shows it, when tracing is on.")


def of(transcript: models.Transcript, job: models.Job) -> Facts:
    """The recorded facts, with the seconds of stages that were done again since."""
    told = {report.stage.value: report.seconds for report in job.stages if report.seconds is not None}
    if transcript.provenance is None:
        return Facts(asr_model=job.options.model, device="", compute_type="", stage_seconds=told)
    return msgspec.structs.replace(transcript.provenance, stage_seconds=transcript.provenance.stage_seconds | told)
