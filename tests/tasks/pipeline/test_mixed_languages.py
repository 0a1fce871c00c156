"""More than one language in a recording: over an engine that knows what is spoken where, and with the real models."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from db.domain.values import Options, Rules, Segment, Stage, TranscriptionTask
from tasks import pipeline
from tasks.pipeline.recording import SAMPLE_RATE, Recording, Waveform
from tasks.pipeline.types import (
    AlignmentSpan,
    Chunk,
    Completed,
    Hypothesis,
    LanguageDetected,
    SpeechEngine,
    StageFinished,
    Update,
    WordSpan,
    Work,
)
from tests.fixtures.engine import FakeEngine
from tests.tasks.pipeline.recordings import call, written
from tests.tasks.pipeline.test_stages import of, told, transcript
from tests.tasks.pipeline.voice import SPOKEN, say

SECONDS = 120
TURNS = ((0, "en"), (30, "es"), (48, "en"), (80, "fr"), (110, "en"))
"""Who speaks what from when on; the chunks of the fake engine begin every twenty seconds."""


def spoken(start: float, end: float, turns: Sequence[tuple[int, str]]) -> dict[str, float]:
    """How much of a stretch is in each language, the most first."""
    ends = [*(begin for begin, _ in turns[1:]), SECONDS]
    shares: dict[str, float] = {}
    for (begin, language), finish in zip(turns, ends, strict=True):
        share = max(0.0, min(end, finish) - max(start, begin)) / (end - start)
        shares[language] = shares.get(language, 0.0) + share
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


class Polyglot(FakeEngine):
    """Hears the languages of turns, and writes which one it was told."""

    def __init__(self, turns: Sequence[tuple[int, str]] = TURNS) -> None:
        self.turns = turns
        self.places = 0
        self.aligned: list[tuple[str, tuple[str, ...]]] = []

    def detect_speech(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
        for start in range(0, int(recording.seconds), 2):
            yield float(start), start + 1.9

    def detect_language(self, recording: Recording, chunk: Chunk, options: Options) -> dict[str, float]:
        return spoken(chunk.start, chunk.end, self.turns)

    def detect_languages(
        self, recording: Recording, places: Sequence[tuple[float, float]], options: Options
    ) -> list[dict[str, float]]:
        self.places += len(places)
        return [spoken(start, end, self.turns) for start, end in places]

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        for chunk in chunks:
            text = f"In {chunk.language or language}."
            yield Hypothesis(chunk=chunk, text=text, avg_logprob=-0.1, no_speech_prob=0.01)

    def align(
        self, recording: Recording, spans: Sequence[AlignmentSpan], language: str
    ) -> Iterator[Sequence[WordSpan | None]]:
        self.aligned += [(language, span.words) for span in spans]
        yield from super().align(recording, spans, language)


def run(tmp_path: Path, engine: FakeEngine, **options: object) -> list[Update]:
    samples = np.random.default_rng(1).normal(0, 0.1, SECONDS * SAMPLE_RATE).astype(np.float32)
    source = written(tmp_path, samples)
    wanted = {"model": "fake", "diarize": False, **options}
    return told(
        Work(source=str(source), scratch=str(tmp_path), options=Options(**wanted), max_seconds=600),  # type: ignore[arg-type]  # the cases' own options
        engine,
    )


def turns_of(segments: Sequence[Segment]) -> list[tuple[float, str | None]]:
    groups = groupby(segments, key=lambda segment: segment.language)
    return [(next(group).start, language) for language, group in groups]


def test_each_part_is_recognised_and_aligned_in_its_own_language(tmp_path: Path) -> None:
    engine = Polyglot()
    updates = run(tmp_path, engine)
    segments = transcript(updates)
    assert [language for _, language in turns_of(segments)] == [language for _, language in TURNS]
    assert all(abs(start - begin) <= 2.5 for (start, _), (begin, _) in zip(turns_of(segments), TURNS, strict=True))
    assert {segment.text == f"In {segment.language}." for segment in segments} == {True}
    assert {language for language, _ in engine.aligned} == {"en", "es", "fr"}
    assert all(words == ("In", f"{language}.") * (len(words) // 2) for language, words in engine.aligned)
    assert [update.language for update in of(updates, LanguageDetected)] == ["en"]
    assert isinstance(updates[-1], Completed)


def test_a_recording_in_one_language_is_cut_and_heard_as_ever(tmp_path: Path) -> None:
    engine = Polyglot([(0, "en")])
    segments = transcript(run(tmp_path, engine))
    assert engine.places == 0
    forced = transcript(run(tmp_path, Polyglot([(0, "en")]), language="en"))
    assert [(segment.key, segment.start, segment.text) for segment in segments] == [
        (segment.key, segment.start, segment.text) for segment in forced
    ]


def test_a_moment_that_sounds_foreign_changes_nothing(tmp_path: Path) -> None:
    turns = [(0, "en"), (53, "es"), (54, "en"), (90, "la"), (95, "en")]
    assert {segment.language for segment in transcript(run(tmp_path, Polyglot(turns)))} == {"en"}


def test_a_language_that_is_given_is_the_only_one(tmp_path: Path) -> None:
    engine = Polyglot()
    assert {segment.text for segment in transcript(run(tmp_path, engine, language="en"))} == {"In en."}
    assert engine.places == 0


def test_only_languages_that_are_allowed_are_found(tmp_path: Path) -> None:
    segments = transcript(run(tmp_path, Polyglot(), languages=("es", "en")))
    assert {segment.language for segment in segments} == {"en", "es"}
    assert {segment.language for segment in transcript(run(tmp_path, Polyglot(), languages=("es",)))} == {"es"}


def test_a_translation_tells_no_language_of_its_parts(tmp_path: Path) -> None:
    segments = transcript(run(tmp_path, Polyglot(), task=TranscriptionTask.TRANSLATE))
    assert {segment.language for segment in segments} == {None}


@pytest.mark.parametrize(("language", "told_of"), [("es", True), ("en", False)])
def test_a_language_that_the_model_does_not_know_is_a_problem(tmp_path: Path, language: str, *, told_of: bool) -> None:
    updates = run(tmp_path, Polyglot([(0, language)]), model="english")
    problem = next(update.problem for update in of(updates, StageFinished) if update.stage is Stage.TRANSCRIBE)
    assert (problem is not None) == told_of
    if problem is not None:
        assert "“es”" in problem.message
        assert "multilingual" in (problem.remedy or "")


def heard(engine: SpeechEngine, folder: Path, waveform: Waveform, model: str) -> list[Update]:
    updates: list[Update] = []
    wanted = Options(model=model, diarize=False, align=False, rules=Rules(temperatures=(0.0,)))
    source = str(written(folder, waveform))
    pipeline.run(Work(source=source, scratch=str(folder), options=wanted, max_seconds=600), engine, updates.append)
    return updates


@pytest.mark.filterwarnings("ignore")  # as of torch and pyannote
def test_real_spanish_between_english_is_written_down_and_not_translated(engine: SpeechEngine, tmp_path: Path) -> None:
    pause = np.zeros(SAMPLE_RATE // 2, np.float32)
    english = call()[7 * SAMPLE_RATE : 20 * SAMPLE_RATE]
    segments = transcript(heard(engine, tmp_path, np.concatenate([english, pause, say("es", SPOKEN["es"])]), "base"))
    assert [language for _, language in turns_of(segments)] == ["en", "es"]
    said = " ".join(segment.text for segment in segments if segment.language == "es").lower()
    assert {"españa", "madrid", "casa", "gracias"} <= {word.strip(".,") for word in said.split()}


@pytest.mark.filterwarnings("ignore")  # as of torch and pyannote
def test_an_english_model_says_that_what_it_hears_is_not_english(engine: SpeechEngine, tmp_path: Path) -> None:
    updates = heard(engine, tmp_path, say("es", SPOKEN["es"]), "tiny.en")
    problem = next(update.problem for update in of(updates, StageFinished) if update.stage is Stage.TRANSCRIBE)
    assert problem
    assert "“es”" in problem.message
