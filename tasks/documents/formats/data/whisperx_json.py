"""JSON as the whisperx command writes it (whisperx 3, `--output_format json`), for the tools that read that."""

from typing import Any

import msgspec

from db.domain.values import Segment
from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.options import SpeakerOptions


def write(document: Document, options: SpeakerOptions) -> bytes:
    """Return `segments`, `word_segments` and `language`; words without a time have neither `start` nor `end`."""
    segments = [_segment(document, segment, labels=options.speaker_labels) for segment in document.segments]
    words = [word for segment in segments for word in segment["words"]]
    return msgspec.json.encode({"segments": segments, "word_segments": words, "language": document.language})


def _segment(document: Document, segment: Segment, *, labels: bool) -> dict[str, Any]:
    words = []
    for word in segment.words:
        facts = {"word": word.text, "start": word.start, "end": word.end, "score": word.confidence}
        facts["speaker"] = document.speaker(word.speaker) if labels else None
        words.append({name: value for name, value in facts.items() if value is not None})
    speaker = {"speaker": document.speaker(segment.speaker)} if labels else {}
    found = {"start": segment.start, "end": segment.end, "text": segment.text, "words": words} | speaker
    return {name: value for name, value in found.items() if value is not None}


FORMAT = Format(
    name="WHISPERX_JSON",
    description="JSON as the whisperx command writes it.",
    media_type="application/json",
    extension="whisperx.json",
    options=SpeakerOptions,
    write=write,
)
