"""The transcript as far as it is known, handed from stage to stage."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from queue import SimpleQueue

from msgspec.structs import replace

from db.domain.values import Options, Problem, QualityFlag, Segment, TranscriptionTask, Word
from tasks.pipeline.recognition.hallucination import SPEECH_SHARE
from tasks.pipeline.types import Chunk, Resume


class TranscriptBuilder:
    """Language and segments. One thread may add windows while another takes them as they come."""

    def __init__(self, options: Options, resume: Resume, *, first_window: int = 0, speaker: int | None = None) -> None:
        self.options = options
        self.first_window = first_window  # the number of its first one in the whole job
        self.speaker = speaker  # of all that is said here, where that is known before
        self.language = resume.language
        self.segments = list(resume.segments)
        self.speech: list[tuple[float, float]] = []  # where the voice detector heard somebody in this attempt
        self._listened: tuple[float, float] | None = None  # from where to where it listened
        self._spans: list[tuple[float, float]] = []  # of each chunk, from its first speech to its last
        self._windows: SimpleQueue[tuple[Segment, ...] | None] = SimpleQueue()
        self._stored = tuple(self.segments)  # by an earlier attempt; handed on as soon as their speech is known again

    @property
    def written(self) -> str:
        """The language of the text, as far as there is one."""
        return self.written_in(None)

    def written_in(self, spoken: str | None) -> str:
        """Return the language of a text where this one is spoken: a translation is English, whatever that is."""
        return "en" if self.options.task is TranscriptionTask.TRANSLATE else spoken or self.language or ""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that are spoken, the recording's first."""
        spoken = (self.language, *(segment.language for segment in self.segments))
        return tuple(dict.fromkeys(one for one in spoken if one))

    def add(self, segments: tuple[Segment, ...], chunk: Chunk) -> None:
        """Add segments that were just recognised in a chunk."""
        self.add_speech(chunk)
        self.segments += segments
        self._hand_on(segments)

    def complete(self) -> None:
        """No more segments will come."""
        self._hand_on()
        self._windows.put(None)

    def add_speech(self, chunk: Chunk) -> None:
        """Take over what the voice activity detector found in a chunk."""
        self.speech += chunk.speech
        self._spans.append((round(chunk.stretches[0][0], 3), round(chunk.stretches[-1][1], 3)))
        self._listened = (self._listened[0] if self._listened else chunk.start, chunk.end)

    def _hand_on(self, *new: tuple[Segment, ...]) -> None:
        for window in ((self._stored,) if self._stored else ()) + new:
            self._windows.put(window)
        self._stored = ()

    def windows(self) -> Iterator[tuple[Segment, ...]]:
        """Yield segments as they come, until all are there."""
        yield from iter(self._windows.get, None)

    def trim_pause(self, word: Word) -> Word:
        """Return the word without the pause after it: an aligner gives a word all the silence up to the next."""
        start, end = word.start, word.end
        if start is None or end is None:
            return word
        at = bisect_right(self.speech, start, key=lambda stretch: stretch[0]) - 1
        if at < 0 or not start < self.speech[at][1] < end:
            return word
        later = 0.0
        for since, until in islice(self.speech, at + 1, None):
            if since >= end:
                break
            later += min(until, end) - since
        paused = self.speech[at][1]
        return replace(word, end=round(paused, 3)) if paused - start >= later else word

    def span(self, start: float, end: float) -> tuple[float, float]:
        """Return the span in which words of this stretch can be: in the speech of the chunk around it, if one is known.

        So words that are aligned again, when their times are exact and no estimates, are looked for in the same place.
        """
        at = bisect_right(self._spans, start + 0.001, key=lambda span: span[0]) - 1
        return self._spans[at] if at >= 0 and end <= self._spans[at][1] + 0.001 else (start, end)

    def flag_silence(self, segment: Segment) -> Segment:
        """Return the segment, flagged when the voice detector heard nobody during it."""
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

    def revise(self, segments: Iterable[Segment], problem: Problem | None = None) -> Problem | None:
        """Put these in the place of all there were; returns what should be told of them all the same."""
        self.segments = list(segments)
        return problem
