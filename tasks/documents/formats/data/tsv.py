"""Tab-separated values as whisper writes them, times in whole milliseconds, with the speaker as a last column."""

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import cell
from tasks.documents.options import SpeakerOptions


def write(document: Document, options: SpeakerOptions) -> bytes:
    """Return a row a segment. The guard leaves no tab and no line break in a text, so nothing needs quotes."""
    rows = ["start\tend\ttext" + "\tspeaker" * options.speaker_labels]
    for segment in document.segments:
        row = [str(round(segment.start * 1000)), str(round(segment.end * 1000)), cell(segment.text)]
        row += [cell(document.speaker(segment.speaker) or "")] * options.speaker_labels
        rows.append("\t".join(row))
    return ("\n".join(rows) + "\n").encode()


FORMAT = Format(
    name="TSV",
    description="Tab-separated values as whisper writes them, times in milliseconds; the speaker is the last column.",
    media_type="text/tab-separated-values; charset=utf-8",
    extension="tsv",
    options=SpeakerOptions,
    write=write,
)
