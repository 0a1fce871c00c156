"""Comma-separated values (RFC 4180) for spreadsheets, a row a segment."""

import csv
import io

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import cell
from tasks.documents.options import SpeakerOptions


def write(document: Document, options: SpeakerOptions) -> bytes:
    """Return the table with a byte order mark, without which Excel reads UTF-8 as the system's own character set.

    Times are seconds, confidence is 0..1. A text that a spreadsheet would take for a formula gets an apostrophe.
    """
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(["start", "end", *["speaker"] * options.speaker_labels, "text", "confidence", "flags"])
    for segment in document.segments:
        speaker = [cell(document.speaker(segment.speaker) or "")] * options.speaker_labels
        confidence = "" if segment.confidence is None else f"{segment.confidence:.3f}"
        flags = " ".join(segment.flags)
        times = (f"{segment.start:.3f}", f"{segment.end:.3f}")
        table.writerow([*times, *speaker, cell(segment.text), confidence, flags])
    return ("\ufeff" + out.getvalue()).encode()


FORMAT = Format(
    name="CSV",
    description="Comma-separated values for spreadsheets, a row a segment, times in seconds.",
    media_type="text/csv; charset=utf-8; header=present",
    extension="csv",
    options=SpeakerOptions,
    write=write,
)
