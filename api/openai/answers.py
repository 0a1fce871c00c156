"""A finished transcript in each of the shapes that OpenAI's clients ask for."""

import math
import zlib
from collections.abc import Iterator
from typing import Any

from api.openai.wanted import Wanted
from db.domain.values import Segment, TranscriptionTask
from schema.execution.encoding import encode
from tasks.documents.document import Document
from tasks.documents.layout.languages import LANGUAGES
from tasks.documents.registry import FORMATS

NOBODY = "UNKNOWN"
"""The speaker where nobody was told apart; the field may not be missing."""


def answer(document: Document, wanted: Wanted) -> tuple[bytes, str]:
    """Return the body and its type."""
    match wanted.format:
        case "text":
            return f"{text(document)}\n".encode(), "text/plain; charset=utf-8"
        case "srt" | "vtt":
            format_ = FORMATS[wanted.format.upper()]
            written = format_.render(document, format_.chosen({"speaker_labels": False, "timestamps": False}))
            return written.data, "text/plain; charset=utf-8" if wanted.format == "srt" else format_.media_type
        case "verbose_json":
            return encode(_verbose(document, wanted)), "application/json"
        case "diarized_json":
            segments = list(speaker_segments(document))
            facts = {"task": "transcribe", "duration": document.duration_seconds, "text": text(document)}
            return encode({**facts, "segments": segments, **usage(document)}), "application/json"
        case _:
            return encode({"text": text(document), **usage(document)}), "application/json"


def text(document: Document) -> str:
    """Return the whole text as one line."""
    return " ".join(segment.text.strip() for segment in document.segments)


def usage(document: Document) -> dict[str, Any]:
    """Return what was transcribed, in OpenAI's measure."""
    return {"usage": {"type": "duration", "seconds": math.ceil(document.duration_seconds)}}


def speaker_segments(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the segments with their speakers."""
    for number, segment in enumerate(document.segments):
        yield {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03d}",
            "start": segment.start,
            "end": segment.end,
            "speaker": document.speaker(segment.speaker) or NOBODY,
            "text": segment.text,
        }


def _verbose(document: Document, wanted: Wanted) -> dict[str, Any]:
    translated = wanted.task is TranscriptionTask.TRANSLATE
    language = "en" if translated else document.language or ""
    found: dict[str, Any] = {
        "task": "translate" if translated else "transcribe",
        "language": LANGUAGES.get(language, language).lower(),
        "duration": document.duration_seconds,
        "text": text(document),
    }
    if wanted.segments:
        found["segments"] = [_segment(number, segment) for number, segment in enumerate(document.segments)]
    if wanted.words:
        found["words"] = [word for segment in document.segments for word in _words(segment)]
    return {**found, **usage(document)}


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """Return a segment; of what Whisper's own output has beside these, nothing is kept."""
    encoded = segment.text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": math.log(segment.confidence) if segment.confidence else 0.0,
        "compression_ratio": len(encoded) / len(zlib.compress(encoded)),
        "no_speech_prob": 0.0,
    }


def _words(segment: Segment) -> Iterator[dict[str, Any]]:
    """Yield the words; one whose time is not known stands where the one before ends."""
    at = segment.start
    for word in segment.words:
        start = at if word.start is None else word.start
        at = start if word.end is None else word.end
        yield {"word": word.text, "start": start, "end": at}
