"""Transcripts: what workers write and what everybody reads; corrections are `edits`, the past is `revisions`."""

from db.transcripts.reading import (
    as_segment,
    get,
    job_id,
    many,
    segment_id,
    segment_rows,
    speaker_id,
    speakers,
    transcript_id,
)
from db.transcripts.writing import append, complete, renumber, revise, set_language, set_speakers, stored, trim

__all__ = [
    "append",
    "as_segment",
    "complete",
    "get",
    "job_id",
    "many",
    "renumber",
    "revise",
    "segment_id",
    "segment_rows",
    "set_language",
    "set_speakers",
    "speaker_id",
    "speakers",
    "stored",
    "transcript_id",
    "trim",
]
