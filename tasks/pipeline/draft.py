"""The transcript as far as it is known, handed from stage to stage."""

from collections.abc import Iterable, Iterator
from queue import SimpleQueue

from db.values import Options, Segment, TranscriptionTask
from tasks.pipeline.types import Resume


class Draft:
    """Language and segments. One thread may add windows while another takes them as they come."""

    def __init__(self, options: Options, resume: Resume) -> None:
        self.options = options
        self.language = resume.language
        self.segments = list(resume.segments)
        self._windows: SimpleQueue[tuple[Segment, ...] | None] = SimpleQueue()
        if self.segments:
            self._windows.put(tuple(self.segments))

    @property
    def written(self) -> str:
        """The language of the text: a translation is English, whatever was spoken."""
        return "en" if self.options.task is TranscriptionTask.TRANSLATE else self.language or ""

    def add(self, segments: tuple[Segment, ...]) -> None:
        """Segments that were just recognised."""
        self.segments += segments
        self._windows.put(segments)

    def complete(self) -> None:
        """No more segments will come."""
        self._windows.put(None)

    def windows(self) -> Iterator[tuple[Segment, ...]]:
        """Segments as they come, until all are there."""
        yield from iter(self._windows.get, None)

    def revise(self, segments: Iterable[Segment]) -> None:
        """Put these in the place of all there were."""
        self.segments = list(segments)
