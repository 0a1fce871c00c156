"""TextGrid, for Praat: for each speaker a tier of segments and one of words."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import unique
from tasks.documents.layout.timing import timed_words
from tasks.documents.options import Options

Interval = tuple[float, float, str]


def write(document: Document, _options: Options) -> bytes:
    """Return the long text format. Praat wants tiers whose intervals cover the whole time, one after the other."""
    tiers = list(_tiers(document))
    spans = [interval for _, intervals in tiers for interval in intervals]
    end = max([document.duration_seconds, 0.001, *(interval[1] for interval in spans)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end:.3f} "]
    lines += ["tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]
    for number, (name, intervals) in enumerate(tiers, 1):
        rows = list(_covered(intervals, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{_quoted(name)}" ']
        lines += ["        xmin = 0 ", f"        xmax = {end:.3f} ", f"        intervals: size = {len(rows)} "]
        for place, (first, last, text) in enumerate(rows, 1):
            lines.append(
                f"        intervals [{place}]:\n            xmin = {first:.3f} \n            xmax = {last:.3f} \n"
                f'            text = "{_quoted(text)}" '
            )
    return ("\n".join(lines) + "\n").encode()


def _tiers(document: Document) -> Iterator[tuple[str, list[Interval]]]:
    speakers = sorted({-1 if s.speaker is None else s.speaker for s in document.segments}) or [-1]
    names = unique([document.speaker(index) or "speech" for index in speakers])
    for index, name in zip(speakers, names, strict=True):
        mine = [s for s in document.segments if (-1 if s.speaker is None else s.speaker) == index]
        yield name, [(segment.start, segment.end, segment.text) for segment in mine]
        yield (
            f"{name} - words",
            [(word.start, word.end, word.text) for segment in mine for word in timed_words(segment)],
        )


def _covered(intervals: Sequence[Interval], end: float) -> Iterator[Interval]:
    """Yield the intervals without overlaps, in whole milliseconds, with empty ones between them."""
    at = 0.0
    rounded = sorted((max(0.0, round(first, 3)), round(last, 3), text) for first, last, text in intervals)
    for (first, last, text), (after, _, _) in pairwise([*rounded, (round(end, 3), 0.0, "")]):
        begin, until = max(first, at), min(last, after)
        if until <= begin:
            continue
        if begin > at:
            yield at, begin, ""
        yield begin, until, text
        at = until
    if at < round(end, 3) or not intervals:
        yield at, end, ""


def _quoted(text: str) -> str:
    return text.replace('"', '""')


FORMAT = Format(
    name="TEXTGRID",
    description="TextGrid, for Praat: for each speaker a tier of segments and one of words.",
    media_type="text/plain; charset=utf-8",
    extension="TextGrid",
    options=Options,
    write=write,
)
