"""SEPARATE: each channel of the recording is recognised by itself, and is a speaker.

Channels follow each other: the windows of the second are numbered on behind those of the first, so checkpoints and
resuming are what they are for one. Sentences are put in order of time by whoever reads them; those that overlap stay
as they are.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from msgspec.structs import replace

from db.domain.values import Problem, QualityFlag, Segment, SpeakerLabel, Stage
from tasks.decoding.samples import channel_file
from tasks.pipeline.alignment.align import align
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.recognition import detect
from tasks.pipeline.recognition.detect import DetectedSpeech
from tasks.pipeline.recognition.transcribe import NOTHING_SAID, transcribe
from tasks.pipeline.recording import Recording
from tasks.pipeline.stages import Stages
from tasks.pipeline.types import SegmentsRevised, SpeakersFound, SpeechEngine, Work, scratch_file

OVERLAP_SECONDS = 0.25  # of two channels at once: both sentences are flagged


class Channel:
    """One channel: its sound, its speech, and its part of the transcript."""

    def __init__(self, number: int, recording: Recording, engine: SpeechEngine, work: Work, first: int) -> None:
        self.number = number
        self.speech = DetectedSpeech(recording, engine, work.options)
        pieces = detect.vad_chunks(self.speech, recording.seconds, work.options)
        last = max((window for window, _, _ in detect.windows(pieces, detect.WINDOW_SECONDS)), default=-1)
        self.after = first + last + 1
        own = tuple(one for one in work.resume.segments if first <= int(one.key[:3]) < self.after)
        language = next((one.language for one in own if one.language), work.resume.language if own else None)
        self.resume = replace(work.resume, segments=own, language=language)
        self.builder = TranscriptBuilder(work.options, self.resume, first_window=first, speaker=number)


class Channels:
    """The channels of a recording, opened when the first stage asks: where somebody speaks must be known of all."""

    def __init__(self, work: Work, engine: SpeechEngine, stages: Stages) -> None:
        self._work, self._engine, self._stages = work, engine, stages
        self._opened: list[Channel] = []

    @property
    def files(self) -> Iterator[Recording]:
        """The channels' sound, as decoding left it."""
        samples = scratch_file(self._work, "samples")
        number = 0
        while channel_file(samples, number).exists():
            yield Recording(channel_file(samples, number))
            number += 1

    @property
    def languages(self) -> Collection[str]:
        """The languages that are spoken."""
        return dict.fromkeys(language for channel in self._opened for language in channel.builder.languages)

    @property
    def segments(self) -> list[Segment]:
        """Every channel's sentences."""
        return [segment for channel in self._opened for segment in channel.builder.segments]

    def transcribe(self) -> Problem | None:
        """Recognise each; returns a problem when nobody speaks in any, or where words are missing."""
        self._stages.tell(SpeakersFound(speakers=self._speakers()))

        def one(channel: Channel) -> Problem | None:
            return transcribe(channel.speech, self._engine, channel.builder, channel.resume, self._stages.tell)

        return _together(self._each(one), len(self._opened))

    def align(self) -> Problem | None:
        """Find the times of each channel's words."""

        def one(channel: Channel) -> Problem | None:
            recording, builder = channel.speech.recording, channel.builder
            if not self._stages.begun(Stage.TRANSCRIBE):
                for chunk in detect.vad_chunks(channel.speech, recording.seconds, builder.options):
                    builder.add_speech(chunk)
            builder.complete()
            return builder.revise(*align(recording, self._engine, builder, self._stages))

        found = self._each(one)
        return next((problem for problem in found if problem), None)

    def finish(self) -> None:
        """Tell how long each speaker speaks, and which sentences overlap those of others."""
        changed = tuple(overlapping(self.segments))
        if changed:
            self._stages.tell(SegmentsRevised(stage=Stage.TRANSCRIBE, segments=changed))
        self._stages.tell(SpeakersFound(speakers=self._speakers()))

    def _each(self, work: Callable[[Channel], Problem | None]) -> list[Problem | None]:
        """Do this for every channel; its progress is a part of the stage's."""
        recordings = list(self.files)
        found: list[Problem | None] = []
        for number, recording in enumerate(recordings):
            if number == len(self._opened):
                first = self._opened[-1].after if self._opened else 0
                self._opened.append(Channel(number, recording, self._engine, self._work, first))
            with self._stages.part(number, len(recordings)):
                found.append(work(self._opened[number]))
        return found

    def _speakers(self) -> tuple[SpeakerLabel, ...]:
        said = {channel.number: channel.builder.segments for channel in self._opened}
        return tuple(
            SpeakerLabel(
                index=number,
                label=f"CHANNEL_{number:02d}",
                seconds=round(sum(segment.end - segment.start for segment in said.get(number, ())), 3),
                word_count=sum(len(segment.words) for segment in said.get(number, ())),
            )
            for number, _ in enumerate(self.files)
        )


def _together(problems: Sequence[Problem | None], channels: int) -> Problem | None:
    """Return what is to be told of all channels: that one is silent only where all are."""
    if all(problem is NOTHING_SAID for problem in problems):
        return NOTHING_SAID
    told = [(n, problem) for n, problem in enumerate(problems) if problem is not None and problem is not NOTHING_SAID]
    if not told:
        return None
    message = " ".join(f"Channel {number} of {channels}: {problem.message}" for number, problem in told)
    return replace(told[0][1], message=message)


def overlapping(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Return the sentences that become flagged because another channel speaks at the same time, or no longer are."""
    ordered = sorted(segments, key=lambda segment: segment.start)
    flagged: set[str] = set()
    latest: list[Segment] = []
    for segment in ordered:
        latest = [one for one in latest if one.end > segment.start]
        for other in latest:
            if other.speaker != segment.speaker and min(other.end, segment.end) - segment.start >= OVERLAP_SECONDS:
                flagged |= {other.key, segment.key}
        latest.append(segment)
    for segment in ordered:
        without = tuple(flag for flag in segment.flags if flag is not QualityFlag.OVERLAP)
        wanted = (*without, QualityFlag.OVERLAP) if segment.key in flagged else without
        if set(wanted) != set(segment.flags):
            yield replace(segment, flags=wanted)
