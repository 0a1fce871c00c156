"""The transcript as far as it is known, handed from stage to stage."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from queue import SimpleQueue

from msgspec.structs import replace

from db.values import Options, QualityFlag, Segment, TranscriptionTask
from tasks.pipeline.rules import SPEECH_SHARE
from tasks.pipeline.types import Chunk, Resume


class Draft:
    """Language and segments. One thread may add windows while another takes them as they come."""

    def __init__(self, options: Options, resume: Resume) -> None:
        self.options = options
        self.language = resume.language
        self.segments = list(resume.segments)
        self.speech: list[tuple[float, float]] = []  # where the voice detector heard somebody in this attempt
        self._listened: tuple[float, float] | None = None  # from where to where it listened
        self._windows: SimpleQueue[tuple[Segment, ...] | None] = SimpleQueue()
        if self.segments:
            self._windows.put(tuple(self.segments))

    @property
    def written(self) -> str:
        """The language of the text: a translation is English, whatever was spoken."""
        return "en" if self.options.task is TranscriptionTask.TRANSLATE else self.language or ""

    def add(self, segments: tuple[Segment, ...], chunk: Chunk) -> None:
        """Segments that were just recognised in a chunk."""
        self.segments += segments
        self.speech += chunk.speech
        self._listened = (self._listened[0] if self._listened else chunk.start, chunk.end)
        self._windows.put(segments)

    def complete(self) -> None:
        """No more segments will come."""
        self._windows.put(None)

    def windows(self) -> Iterator[tuple[Segment, ...]]:
        """Segments as they come, until all are there."""
        yield from iter(self._windows.get, None)

    def heard(self, segment: Segment) -> Segment:
        """The segment, flagged when the voice detector heard nobody during it."""
        known = self._listened and self._listened[0] <= segment.start and segment.end <= self._listened[1]
        if not self.options.rules.silence or not known:
            return segment
        first = bisect_left(self.speech, segment.start, key=lambda stretch: stretch[1])
        near = takewhile(lambda stretch: stretch[0] < segment.end, islice(self.speech, first, None))
        speech = sum(min(end, segment.end) - max(start, segment.start) for start, end in near)
        flags: tuple[QualityFlag, ...] = tuple(flag for flag in segment.flags if flag is not QualityFlag.NO_SPEECH)
        if not speech or speech < SPEECH_SHARE * (segment.end - segment.start):
            flags = (*flags, QualityFlag.NO_SPEECH)
        return replace(segment, flags=flags)

    def revise(self, segments: Iterable[Segment]) -> None:
        """Put these in the place of all there were."""
        self.segments = list(segments)
