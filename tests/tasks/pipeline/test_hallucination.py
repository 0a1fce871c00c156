"""Recordings that make Whisper write what nobody said, and the rule against each, on and off, with the real models."""

from pathlib import Path

import numpy as np
import pytest

from db.domain.values import Options, QualityFlag, Rules, Segment
from tasks import pipeline
from tasks.pipeline.recognition.hallucination import compression_ratio
from tasks.pipeline.recording import SAMPLE, SAMPLE_RATE, Recording, Waveform
from tasks.pipeline.types import Chunk, Hypothesis, SpeechEngine, StageFinished, Update, WindowTranscribed, Work
from tests.tasks.pipeline import recordings
from tests.tasks.pipeline.recordings import REAL_MODELS, written

pytestmark = REAL_MODELS
SECONDS = 10
OFF = Rules(
    voice_detector=False,
    temperatures=(0.0,),
    compression_ratio=None,
    log_prob=None,
    no_speech=None,
    repetition=False,
    silence=False,
)
ALWAYS = Rules(voice_detector=False)


@pytest.fixture(scope="module", name="call")
def sample_call() -> Waveform:
    return recordings.call()


def noise(level: float) -> Waveform:
    return np.random.default_rng(0).normal(scale=level, size=SECONDS * SAMPLE_RATE).astype(np.float32)


def melody() -> Waveform:
    """Two plucked notes a second, up and down a scale."""
    times = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    steps = [0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2, 0, 4, 7, 12, 7, 0]
    notes = [np.sin(2 * np.pi * 220 * 2 ** (step / 12) * times) * np.exp(-3 * times) for step in steps]
    return (np.concatenate(notes) * 0.4).astype(np.float32)


def transcribed(engine: SpeechEngine, folder: Path, waveform: Waveform, rules: Rules) -> tuple[list[Segment], str]:
    """The segments, and what was said of the recording."""
    told: list[Update] = []
    options = Options(model="base", language="en", align=False, diarize=False, rules=rules)
    path = written(folder, waveform)
    pipeline.run(Work(source=str(path), scratch=str(folder), options=options, max_seconds=60), engine, told.append)
    problems = [update.problem.message for update in told if isinstance(update, StageFinished) and update.problem]
    found = [segment for update in told if isinstance(update, WindowTranscribed) for segment in update.segments]
    return found, " ".join(problems)


def recognised(engine: SpeechEngine, folder: Path, waveform: Waveform, rules: Rules) -> Hypothesis:
    """What the recogniser makes of the whole recording."""
    path = folder / "samples"
    (np.clip(waveform, -1, 1) * 32767).astype(SAMPLE).tofile(path)
    chunk = Chunk(0.0, waveform.size / SAMPLE_RATE, ())
    [hypothesis] = engine.transcribe(Recording(path), [chunk], "en", Options(model="base", rules=rules))
    return hypothesis


def text(segments: list[Segment]) -> str:
    return " ".join(segment.text for segment in segments)


def test_whisper_is_not_asked_what_it_hears_in_silence_unless_the_voice_detector_is_switched_off(
    engine: SpeechEngine, tmp_path: Path
) -> None:
    silence = np.zeros(SECONDS * SAMPLE_RATE, np.float32)
    assert transcribed(engine, tmp_path, silence, Rules()) == ([], "No speech was found in the recording.")
    invented, problem = transcribed(engine, tmp_path, silence, OFF)
    assert text(invented)
    assert not problem


def test_what_whisper_makes_of_silence_is_flagged(engine: SpeechEngine, tmp_path: Path) -> None:
    silence = np.zeros(SECONDS * SAMPLE_RATE, np.float32)
    flagged, _ = transcribed(engine, tmp_path, silence, ALWAYS)
    assert {QualityFlag.NO_SPEECH} <= {flag for segment in flagged for flag in segment.flags}
    plain, _ = transcribed(engine, tmp_path, silence, Rules(voice_detector=False, silence=False))
    assert text(plain) == text(flagged)
    assert QualityFlag.NO_SPEECH not in {flag for segment in plain for flag in segment.flags}


@pytest.mark.parametrize("sound", [noise(0.1), melody()], ids=["noise", "music"])
def test_what_whisper_makes_of_noise_and_music_is_dropped(
    engine: SpeechEngine, tmp_path: Path, sound: Waveform
) -> None:
    assert transcribed(engine, tmp_path, sound, ALWAYS)[0] == []
    assert text(transcribed(engine, tmp_path, sound, Rules(voice_detector=False, no_speech=None, temperatures=(0,)))[0])


def test_a_phrase_that_is_said_over_and_over_is_flagged(engine: SpeechEngine, tmp_path: Path, call: Waveform) -> None:
    phrase = call[int(21.8 * SAMPLE_RATE) : int(22.6 * SAMPLE_RATE)]
    stuck = np.tile(phrase, 37)
    found, _ = transcribed(engine, tmp_path, stuck, Rules(temperatures=(0.0,)))
    assert QualityFlag.REPETITION in {flag for segment in found for flag in segment.flags}
    plain = transcribed(engine, tmp_path, stuck, OFF)[0]
    assert QualityFlag.REPETITION not in {flag for segment in plain for flag in segment.flags}


def test_a_text_that_repeats_itself_is_recognised_again(engine: SpeechEngine, tmp_path: Path, call: Waveform) -> None:
    backwards = call[::-1]
    limit = Rules().compression_ratio or 0.0
    looped, again = recognised(engine, tmp_path, backwards, OFF), recognised(engine, tmp_path, backwards, Rules())
    assert looped.temperature == 0
    assert compression_ratio(looped.text) > limit
    assert again.temperature > 0
    assert compression_ratio(again.text) <= limit
    assert recognised(engine, tmp_path, backwards, Rules(compression_ratio=None)).text == looped.text


def test_a_text_that_whisper_finds_unlikely_is_recognised_again(
    engine: SpeechEngine, tmp_path: Path, call: Waveform
) -> None:
    drowned = call[: 10 * SAMPLE_RATE] + noise(0.1)
    unsure = recognised(engine, tmp_path, drowned, OFF)
    assert (unsure.avg_logprob or 0.0) < (Rules().log_prob or 0.0)
    # The rule for no speech is off: it would drop the text, and recognising it again would be no use.
    # Samples are drawn: once in some tens of times none is likelier than the first text, which then stays.
    tries = [recognised(engine, tmp_path, drowned, Rules(no_speech=None))]
    while tries[-1].temperature == 0 and len(tries) < 4:
        tries.append(recognised(engine, tmp_path, drowned, Rules(no_speech=None)))
    assert tries[-1].temperature > 0
    assert (tries[-1].avg_logprob or 0.0) > (unsure.avg_logprob or 0.0)
    assert recognised(engine, tmp_path, drowned, Rules(no_speech=None, log_prob=None)).text == unsure.text
