"""Other languages than English, with the real models: recognised, understood, translated, and honest about times."""

import re
from pathlib import Path

import jiwer
import numpy as np
import pytest

from db.domain.values import ErrorCode, Options, Rules, Segment, Stage, TranscriptionTask, WordTiming
from tasks import pipeline
from tasks.pipeline.alignment.align import ordered
from tasks.pipeline.recording import SAMPLE_RATE, Recording, Waveform
from tasks.pipeline.types import (
    Completed,
    LanguageDetected,
    ModelUnavailable,
    SegmentsRevised,
    SpeechEngine,
    StageFinished,
    Update,
    WindowTranscribed,
    Work,
)
from tests.tasks.pipeline.recordings import REAL_MODELS, call, written
from tests.tasks.pipeline.voice import SPOKEN, say

pytestmark = REAL_MODELS


def told(engine: SpeechEngine, folder: Path, waveform: Waveform, **options: object) -> list[Update]:
    once = Rules(temperatures=(0.0,))  # what is drawn at a higher temperature is another text each time
    wanted = Options(model="base", diarize=False, rules=once, **options)  # type: ignore[arg-type]  # the cases' own options
    updates: list[Update] = []
    work = Work(source=str(written(folder, waveform)), scratch=str(folder), options=wanted, max_seconds=600)
    pipeline.run(work, engine, updates.append)
    return updates


def transcript(updates: list[Update]) -> list[Segment]:
    found: dict[str, Segment] = {}
    for update in updates:
        if isinstance(update, WindowTranscribed | SegmentsRevised):
            found |= {segment.key: segment for segment in update.segments}
    return [found[key] for key in sorted(found)]


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("language", sorted(SPOKEN))
def test_a_language_without_an_aligner_is_recognised_and_understood_and_timed_by_attention(
    engine: SpeechEngine, tmp_path: Path, language: str
) -> None:
    waveform = say(language, SPOKEN[language])
    updates = told(engine, tmp_path, waveform)
    [found] = [update for update in updates if isinstance(update, LanguageDetected)]
    assert found.language == language
    assert 0.8 < found.confidence <= 1
    segments = transcript(updates)
    text = " ".join(segment.text for segment in segments)
    assert jiwer.wer(plain(" ".join(SPOKEN[language])), plain(text)) <= 0.25

    words = [word for segment in segments for word in segment.words]
    assert [word.text for word in words] == text.split()
    assert ordered(words, waveform.size / SAMPLE_RATE)
    assert {word.timing for word in words} == {WordTiming.ATTENDED}
    assert all(word.confidence is not None for word in words)
    begun = np.cumsum([0.0, *(say(language, [sentence]).size / SAMPLE_RATE for sentence in SPOKEN[language])])[:-1]
    for sentence, moment in zip(SPOKEN[language], begun, strict=True):  # Whisper may join them with commas
        first = plain(sentence).split()[0]
        assert min(abs((word.start or 0.0) - moment) for word in words if plain(word.text) == first) < 0.4
    [told_of] = [update.problem for update in updates if isinstance(update, StageFinished) and update.problem]
    assert (told_of.stage, told_of.code) == (Stage.ALIGN, ErrorCode.MODEL_UNAVAILABLE)
    assert f"“{language}”" in told_of.message
    assert "GRAPHOPHONE_HUB" in (told_of.remedy or "")
    assert isinstance(updates[-1], Completed)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", {"weather", "mother", "berlin", "father", "children", "house", "garden"}),
        ("es", {"spain", "mother", "madrid", "father", "barcelona", "house", "thank"}),
    ],
)
def test_a_translation_is_english_and_tells_what_was_spoken(
    engine: SpeechEngine, tmp_path: Path, language: str, expected: set[str]
) -> None:
    updates = told(engine, tmp_path, say(language, SPOKEN[language]), task=TranscriptionTask.TRANSLATE)
    assert [update.language for update in updates if isinstance(update, LanguageDetected)] == [language]
    words = [word for segment in transcript(updates) for word in segment.words]
    said = set(plain(" ".join(word.text for word in words)).split())
    assert len(said & expected) >= 0.7 * len(expected), said
    assert {word.timing for word in words} == {WordTiming.ATTENDED}


@pytest.mark.parametrize(("first", "times"), [("silence", 1), ("english", 2), ("english", 11)])
def test_the_language_is_listened_for_in_several_places_not_in_the_first_thirty_seconds(
    engine: SpeechEngine, tmp_path: Path, first: str, times: int
) -> None:
    class Enough(Exception):
        pass

    found: list[LanguageDetected] = []

    def emit(update: Update) -> None:
        if isinstance(update, LanguageDetected):
            found.append(update)
            raise Enough

    before = call() if first == "english" else np.zeros(30 * SAMPLE_RATE, np.float32)
    spanish = say("es", SPOKEN["es"])
    source = written(tmp_path, np.concatenate([before, *[spanish] * times]))
    work = Work(source=str(source), scratch=str(tmp_path), options=Options(model="base"), max_seconds=600)
    with pytest.raises(Enough):
        pipeline.run(work, engine, emit)
    assert found[0].language == "es"
    assert 0.5 < found[0].confidence < (0.9 if first == "english" else 1)


@pytest.mark.parametrize(("language", "remedy"), [("fr", "GRAPHOPHONE_HUB"), ("pl", "GRAPHOPHONE_HUB"), ("sw", "")])
def test_a_language_without_an_aligner_is_named_with_what_can_be_done(
    engine: SpeechEngine, tmp_path: Path, language: str, remedy: str
) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        engine.align(Recording(written(tmp_path, np.zeros(SAMPLE_RATE, np.float32))), [], language)
    assert f"“{language}”" in caught.value.message
    assert "attention" in f"{caught.value.message} {caught.value.remedy}"
    assert remedy in caught.value.remedy
