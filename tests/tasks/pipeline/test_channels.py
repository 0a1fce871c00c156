"""Channels that are speakers, over the fake engine: each by itself, resumed where it was, and told in order."""

import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from db.domain.tracks import ChannelMode
from db.domain.values import Options, QualityFlag, Segment, Stage
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.types import (
    Chunk,
    Completed,
    Hypothesis,
    Progressed,
    Resume,
    SpeakersFound,
    StageFinished,
    StageSkipped,
    Update,
    WindowTranscribed,
)
from tests.fixtures.engine import FakeEngine
from tests.tasks.pipeline.test_stages import of, told, transcript, work

SECONDS = 300


class Listening(FakeEngine):
    """Hears somebody in a channel while it is loud, and says how loud."""

    def detect_speech(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
        for start in range(0, int(recording.seconds), 10):
            if np.abs(recording.read(start, start + 10)).max() > 0.01:
                yield float(start), start + 9.0

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        for chunk in chunks:
            self._behave("transcribe", chunk.start, options)
            loud = round(float(np.abs(recording.read(chunk.start, chunk.end)).max()), 1)
            yield Hypothesis(chunk=chunk, text=f"As loud as {loud}.", avg_logprob=-0.1, no_speech_prob=0.01)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes: the left talks all the time, the right in the second half."""
    path = tmp_path_factory.mktemp("two") / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, SAMPLE_RATE, 0, "NONE", ""))
        tone = np.sin(np.arange(SECONDS * SAMPLE_RATE) * 0.3)
        right = np.where(np.arange(tone.size) < tone.size // 2, 0, tone * 0.6)
        file.writeframes((np.stack([tone * 0.3, right], axis=1) * 32767).astype("<i2").tobytes())
    return path


def test_each_channel_is_a_speaker_of_what_is_said_in_it(two: Path, tmp_path: Path) -> None:
    updates = told(work(two, tmp_path, channels=ChannelMode.SEPARATE), Listening())
    segments = transcript(updates)
    assert {(segment.speaker, segment.text) for segment in segments} == {(0, "As loud as 0.3."), (1, "As loud as 0.6.")}
    assert {word.speaker == segment.speaker for segment in segments for word in segment.words} == {True}
    assert min(segment.start for segment in segments if segment.speaker == 1) >= SECONDS / 2
    speakers = of(updates, SpeakersFound)[-1].speakers
    assert [speaker.label for speaker in speakers] == ["CHANNEL_00", "CHANNEL_01"]
    assert [speaker.word_count for speaker in speakers] == [
        sum(len(segment.words) for segment in segments if segment.speaker == number) for number in (0, 1)
    ]
    assert Stage.DIARIZE in [update.stage for update in of(updates, StageSkipped)]
    [completed] = of(updates, Completed)
    assert completed.provenance.options
    assert completed.provenance.options.channels is ChannelMode.SEPARATE


def test_what_is_said_at_once_is_kept_and_flagged(two: Path, tmp_path: Path) -> None:
    segments = transcript(told(work(two, tmp_path, channels=ChannelMode.SEPARATE), Listening()))
    half = SECONDS / 2
    assert {QualityFlag.OVERLAP in segment.flags for segment in segments if segment.start >= half} == {True}
    assert {QualityFlag.OVERLAP in segment.flags for segment in segments if segment.end < half - 1} == {False}


def test_progress_goes_through_all_channels_and_never_back(two: Path, tmp_path: Path) -> None:
    updates = told(work(two, tmp_path, channels=ChannelMode.SEPARATE), Listening())
    for stage in (Stage.TRANSCRIBE, Stage.ALIGN):
        fractions = [update.fraction for update in of(updates, Progressed) if update.stage is stage]
        assert fractions == sorted(fractions)
        assert fractions[-1] > 0.9
        assert [fraction for fraction in fractions if fraction <= 0.5]


def stored(updates: list[Update], windows: int) -> tuple[Segment, ...]:
    return tuple(s for u in of(updates, WindowTranscribed) for s in u.segments if int(s.key[:3]) < windows)


def test_finished_windows_of_every_channel_are_not_done_again(two: Path, tmp_path: Path) -> None:
    before = told(work(two, tmp_path, channels=ChannelMode.SEPARATE), Listening())
    whole = transcript(before)
    last = of(before, WindowTranscribed)[-1].window
    assert last >= 3
    for windows in range(last + 1):
        known = stored(before, windows)
        resume = Resume(stages=(Stage.DECODE,), windows=windows, language="en", segments=known)
        again = told(work(two, tmp_path, resume, channels=ChannelMode.SEPARATE), Listening())
        new = {segment.key for update in of(again, WindowTranscribed) for segment in update.segments}
        assert not new & {segment.key for segment in known}
        assert transcript(again, known) == whole


def test_words_are_aligned_again_where_all_was_recognised(two: Path, tmp_path: Path) -> None:
    before = told(work(two, tmp_path, channels=ChannelMode.SEPARATE), Listening())
    whole = transcript(before)
    done = Resume(stages=(Stage.DECODE, Stage.TRANSCRIBE), windows=99, language="en", segments=tuple(whole))
    again = told(work(two, tmp_path, done, channels=ChannelMode.SEPARATE), Listening())
    assert not of(again, WindowTranscribed)
    assert transcript(again, tuple(whole)) == whole


def test_a_channel_in_which_nobody_speaks_is_no_problem_unless_all_are(two: Path, tmp_path: Path) -> None:
    class Deaf(Listening):
        def detect_speech(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
            yield from ()

    path = tmp_path / "left"
    with wave.open(str(two)) as source, wave.open(str(path), "wb") as file:
        file.setparams(source.getparams())
        file.writeframes(source.readframes(SAMPLE_RATE * 20))
    for engine, silent in ((Listening(), False), (Deaf(), True)):
        updates = told(work(path, tmp_path, channels=ChannelMode.SEPARATE), engine)
        problem = next(u.problem for u in of(updates, StageFinished) if u.stage is Stage.TRANSCRIBE)
        assert (problem is not None) == silent
        assert isinstance(updates[-1], Completed)
