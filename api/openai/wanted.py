"""The request of a form: the options of a job, and the shape of the answer."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from api.openai.form import Form
from db.domain.errors import InvalidInput
from db.domain.values import TranscriptionTask
from schema.base import validation
from schema.jobs.submissions import CreateJobInput, MediaSource
from tasks.documents.layout.languages import LANGUAGES

FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
STREAMED = ("json", "text", "diarized_json")
"""Formats whose text can be sent piece by piece."""
TIMED = ("srt", "vtt", "diarized_json")
"""Formats that are better for knowing each word's time."""
UNSUPPORTED = {
    "known_speaker_names": "Speakers are told apart, but not recognised: rename them in the transcript.",
    "known_speaker_references": "Speakers are told apart, but not recognised: rename them in the transcript.",
}
_CODES = {name.lower(): code for code, name in LANGUAGES.items()}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The shape of the answer."""

    format: str
    stream: bool
    words: bool
    segments: bool
    task: TranscriptionTask


def shape_of(form: Form, task: TranscriptionTask) -> Wanted:
    """Return what is to be answered. Raises InvalidInput."""
    for name, message in UNSUPPORTED.items():
        if form.last(name):
            raise InvalidInput(name, message)
    _check_temperature(form.last("temperature"))
    allowed = FORMATS if task is TranscriptionTask.TRANSCRIBE else FORMATS[:-1]
    format_ = form.choice("response_format", allowed)
    stream = form.choice("stream", ("false", "true", "0", "1", "False", "True")) in {"true", "1", "True"}
    if stream and format_ not in STREAMED:
        raise InvalidInput("stream", f"A stream has the response_format {', '.join(STREAMED)}.")
    granularities = {value.strip() for value in form.fields.get("timestamp_granularities", ())}
    if granularities - {"word", "segment"}:
        raise InvalidInput("timestamp_granularities", "One of word, segment.")
    return Wanted(
        format=format_,
        stream=stream,
        words="word" in granularities and format_ == "verbose_json",
        segments="segment" in granularities or not granularities,
        task=task,
    )


def input_of(form: Form, wanted: Wanted, model: str | None) -> CreateJobInput:
    """Return the same as the input of `createJob`."""
    prompt = form.last("prompt")
    return CreateJobInput(
        source=MediaSource(file=form.file),  # type: ignore[arg-type]  # the value of the scalar
        model=model,
        language=_language(form.last("language")),
        task=wanted.task,
        align=wanted.words or wanted.format in TIMED,
        diarize=wanted.format == "diarized_json",
        prompt=prompt and _printable(prompt)[-validation.PROMPT_CHARS :],  # of a long one Whisper hears the end
    )


def model_of(form: Form, known: Collection[str]) -> str | None:
    """Return the model that is meant: programs send OpenAI's names, and those stand for the default."""
    name = form.last("model")
    return name if name in known else None


def _language(value: str | None) -> str | None:
    """Return a code also for a name, `german`."""
    return value and _CODES.get(value.lower(), value)


def _printable(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", " ", text)


def _check_temperature(value: str | None) -> None:
    """Refuse what is no temperature; the pipeline begins at 0 and raises it by itself where the text is doubtful."""
    try:
        within = 0 <= float(value or 0) <= 1
    except ValueError:
        within = False
    if not within:
        raise InvalidInput("temperature", "A number between 0 and 1.")
