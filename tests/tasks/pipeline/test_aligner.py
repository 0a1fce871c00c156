"""The offline aligner on text that it cannot spell and stretches that it cannot fit: every word keeps its place."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from db.domain.values import Options, QualityFlag, Segment, Word, WordTiming
from tasks.pipeline.alignment.align import align, ordered
from tasks.pipeline.builder import TranscriptBuilder
from tasks.pipeline.recording import SAMPLE, SAMPLE_RATE, Recording
from tasks.pipeline.stages import Stages
from tasks.pipeline.types import Resume, SpeechEngine
from tasks.pipeline.whisperx.attention import fused
from tasks.pipeline.whisperx.phonemes import WEIGHTS, opened
from tests.tasks.pipeline.recordings import REAL_MODELS, call

pytestmark = REAL_MODELS
ALIGNED, INTERPOLATED, ESTIMATED = WordTiming.ALIGNED, WordTiming.INTERPOLATED, WordTiming.ESTIMATED


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("call") / "samples"
    (call() * 32767).astype(SAMPLE).tofile(path)
    return Recording(path)


def aligned(engine: SpeechEngine, recording: Recording, *texts: tuple[float, float, str]) -> list[Segment]:
    """Texts with their start and end, aligned; each is a chunk of its own."""
    segments = tuple(
        Segment(
            key=f"000{index:03d}00",
            start=start,
            end=end,
            text=text,
            words=tuple(Word(word, start, end) for word in text.split()),
        )
        for index, (start, end, text) in enumerate(texts)
    )
    builder = TranscriptBuilder(Options(model="base"), Resume(language="en", segments=segments))
    builder.complete()
    found, _ = align(recording, engine, builder, Stages(lambda _: None, Resume()))
    assert [segment.text for segment in found] == [text for _, _, text in texts]
    assert [word.text for segment in found for word in segment.words] == [w for _, _, t in texts for w in t.split()]
    assert ordered((word for segment in found for word in segment.words), recording.seconds)
    return found


def timings(segments: Sequence[Segment]) -> list[WordTiming]:
    return [word.timing for segment in segments for word in segment.words]


def test_a_segment_of_400_samples_and_shorter_ones_keep_their_words(engine: SpeechEngine, recording: Recording) -> None:
    edge = 400 / SAMPLE_RATE
    found = aligned(
        engine, recording, (7.0, 7.0 + edge, "Hello."), (8.0, 8.0 + edge, "one two three four five"), (9.0, 9.0, "no")
    )
    assert timings(found)[1:] == [ESTIMATED] * 6
    assert all(QualityFlag.UNALIGNED in segment.flags for segment in found[1:])
    for segment, start in zip(found, (7.0, 8.0, 9.0), strict=True):
        assert start <= segment.start <= segment.end <= start + edge + 0.001


@pytest.mark.parametrize("word", ["Hello", "a", "supercalifragilistic" * 40, "1984" * 100, "…"])
def test_a_word_of_thirty_seconds_has_one_place(engine: SpeechEngine, recording: Recording, word: str) -> None:
    [segment] = aligned(engine, recording, (0.0, 30.0, word))
    assert len(segment.words) == 1


def test_what_cannot_be_spelled_lies_between_the_words_around_it(engine: SpeechEngine, recording: Recording) -> None:
    pronounced = ["42", "1,000.50", "%", "$5"]  # each has words of its own that are said for it
    odd = ["—", "Привет", "東京", "é", "🙂", "♪♪", "'", "’"]
    text = " Hello ".join(["", *pronounced, *odd, ""]).strip()
    [segment] = aligned(engine, recording, (6.7, 28.6, text))
    found = {word.text: word.timing for word in segment.words}
    assert {found[word] for word in ("Hello", *pronounced)} == {ALIGNED}
    assert {found[word] for word in odd} == {INTERPOLATED}
    starts = [word.start or 0.0 for word in segment.words]
    assert len(set(starts)) > 0.8 * len(starts)


def test_one_letter_words_are_aligned(engine: SpeechEngine, recording: Recording) -> None:
    [segment] = aligned(engine, recording, (6.7, 28.6, "I am a b c I a U R 2 O K"))
    assert timings([segment]).count(ALIGNED) >= 10


def test_a_text_that_is_too_long_for_its_stretch_is_estimated_word_by_word(
    engine: SpeechEngine, recording: Recording
) -> None:
    [segment] = aligned(engine, recording, (7.0, 8.0, "considerably more words than anybody says " * 20))
    assert set(timings([segment])) == {ESTIMATED}
    assert len({word.start for word in segment.words}) > 100


def test_stretches_beyond_the_recording_end_with_it(engine: SpeechEngine, recording: Recording) -> None:
    late = recording.seconds
    found = aligned(engine, recording, (late - 0.01, late + 5.0, "Good bye."), (late, late + 9.0, "Good bye again."))
    assert found[-1].end <= late


def test_silence_and_noise_lose_no_word(engine: SpeechEngine, tmp_path: Path) -> None:
    path = tmp_path / "samples"
    loud = np.random.default_rng(0).normal(scale=8000, size=5 * SAMPLE_RATE).clip(-32768, 32767)
    np.concatenate([np.zeros(5 * SAMPLE_RATE), loud]).astype(SAMPLE).tofile(path)
    aligned(
        engine, Recording(path), (0.0, 5.0, "Nothing at all is said here."), (5.0, 10.0, "Nor here, but 100 % loud.")
    )


@pytest.mark.parametrize("seconds", [0.025, 1.0, 29.9])
def test_the_aligner_with_its_attention_fused_hears_what_the_model_as_it_came_hears(seconds: float) -> None:
    waveform = call()[: round(seconds * SAMPLE_RATE)].clip(-1, 1)[None]
    feed = {"waveform": waveform, "waveform_lengths": np.array([waveform.shape[1]], np.int64)}
    ours, theirs = (
        np.exp(opened(model, 1).run(["log_probs"], feed)[0]) for model in (fused(WEIGHTS), WEIGHTS.read_bytes())
    )
    assert np.abs(ours - theirs).max() < 0.01
