"""The closed sets of `db.domain.values` as enums of the graph, each value with its sentence."""

from enum import StrEnum

import strawberry

from db.domain.tracks import ChannelMode
from db.domain.values import ErrorCode, JobState, QualityFlag, Stage, StageState, TranscriptionTask, WordTiming
from tasks.documents.options import PaperSize
from tasks.documents.registry import FORMATS

__all__ = [
    "ChannelMode",
    "ErrorCode",
    "ExportFormat",
    "ExportState",
    "JobOrder",
    "JobState",
    "PaperSize",
    "QualityFlag",
    "Stage",
    "StageState",
    "TranscriptionTask",
    "WordTiming",
    "describe",
]

ExportFormat = StrEnum("ExportFormat", {name: name for name in FORMATS})  # type: ignore[misc]  # one list, kept by `tasks.documents.registry`


class ExportState(StrEnum):
    """The state of an export."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class JobOrder(StrEnum):
    """The order of a list of jobs."""

    CREATED_AT_DESC = "CREATED_AT_DESC"
    CREATED_AT_ASC = "CREATED_AT_ASC"
    FINISHED_AT_DESC = "FINISHED_AT_DESC"


def describe(kind: type[StrEnum], description: str, values: dict[str, str]) -> None:
    """Make a closed set an enum of the graph, each value with its sentence."""
    definition = strawberry.enum(kind, description=description).__strawberry_definition__  # type: ignore[attr-defined]  # set by the call
    for value in definition.values:
        value.description = values[value.name]


describe(
    JobState,
    "The state of a job.",
    {
        "QUEUED": "Accepted; waits for a worker.",
        "RUNNING": "A worker is at it.",
        "SUCCEEDED": "Everything that was asked for is there.",
        "PARTIAL": "A transcript is there, but an optional stage (alignment, diarization) failed: see `problems`.",
        "FAILED": "No complete transcript could be made: see `problems`.",
        "CANCELED": "Stopped at the client's request.",
    },
)
describe(
    Stage,
    "A stage of a job, in order.",
    {
        "FETCH": "Fetches the recording; only when the source is a URL.",
        "DECODE": "Decodes the recording to 16 kHz mono.",
        "LOAD": "Loads the models that are not in memory yet.",
        "TRANSCRIBE": "Voice activity, language detection and Whisper.",
        "ALIGN": "Finds each word's time (forced alignment).",
        "DIARIZE": "Tells who speaks when.",
        "PERSIST": "Completes the stored transcript.",
    },
)
describe(
    StageState,
    "The state of one stage of a job.",
    {
        "PENDING": "Has not begun.",
        "RUNNING": "Is being worked on.",
        "DONE": "Done.",
        "SKIPPED": "Switched off by the options, or nothing to do.",
        "FAILED": "Could not be done: see its `problem`.",
    },
)
describe(
    TranscriptionTask,
    "The task for Whisper.",
    {"TRANSCRIBE": "Write down what is said, in its language.", "TRANSLATE": "Write it down in English."},
)
describe(
    ChannelMode,
    "The treatment of a recording's channels.",
    {
        "MIX": "Mixed to one; those of opposite phase do not cancel.",
        "SEPARATE": "Each is a speaker of its own, recognised by itself; nothing is diarized.",
    },
)
describe(
    QualityFlag,
    "A reason to look at a segment again.",
    {
        "LOW_CONFIDENCE": "The recogniser was not sure of the text.",
        "REPETITION": "Whisper looped: the same words over and over.",
        "NO_SPEECH": "Text stands where the voice detector heard nobody.",
        "UNALIGNED": "The aligner could not place the words.",
        "MISSING_TEXT": "Speech was detected in it or right behind it in which nothing was recognised.",
        "OVERLAP": "More than one speaker talks at once.",
    },
)
describe(
    WordTiming,
    "The source of a word's times.",
    {
        "ALIGNED": "From the CTC aligner.",
        "INTERPOLATED": "Between aligned neighbours (symbols, say).",
        "ATTENDED": "By Whisper's own attention: no aligner for the language, or alignment was switched off or failed.",
        "ESTIMATED": "Spread over the segment.",
    },
)
describe(
    ExportState,
    "The state of an export.",
    {
        "PENDING": "Waits for a worker or is being rendered.",
        "READY": "Can be downloaded.",
        "FAILED": "Could not be rendered: see its `problem`.",
        "EXPIRED": "No longer kept; ask for it again.",
    },
)
describe(
    JobOrder,
    "The order of a list of jobs.",
    {
        "CREATED_AT_DESC": "The newest first.",
        "CREATED_AT_ASC": "The oldest first.",
        "FINISHED_AT_DESC": "Those that ended last first; those that have not ended come last.",
    },
)
describe(
    ExportFormat,
    "The kind of document to render.",
    {name: format_.description for name, format_ in FORMATS.items()},
)
describe(
    PaperSize,
    "The size of a document's pages.",
    {"A4": "210 by 297 mm (ISO 216).", "LETTER": "8.5 by 11 inches (ANSI)."},
)
describe(
    ErrorCode,
    "Every code that an error or a problem can carry; branch on these, never on messages.",
    {code.name: code.sentence for code in ErrorCode},
)
