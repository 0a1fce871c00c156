"""Nothing said is lost: with the real models, speech that Whisper left out is heard again, or told of."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from db.domain.values import Options, QualityFlag, Rules, Segment
from tasks import pipeline
from tasks.pipeline.recording import SAMPLE_RATE, Recording, Waveform
from tasks.pipeline.types import Chunk, Hypothesis, SpeechEngine, StageFinished, Token, Update, WindowTranscribed, Work
from tests.fixtures.engine import FakeEngine
from tests.tasks.pipeline.recordings import REAL_MODELS, call, written

pytestmark = REAL_MODELS
ONCE = Rules(temperatures=(0.0,))


def told(engine: SpeechEngine, folder: Path, waveform: Waveform, **options: object) -> list[Update]:
    wanted = Options(model="base", language="en", align=False, diarize=False, rules=ONCE, **options)  # type: ignore[arg-type]  # the cases' own options
    updates: list[Update] = []
    work = Work(source=str(written(folder, waveform)), scratch=str(folder), options=wanted, max_seconds=600)
    pipeline.run(work, engine, updates.append)
    return updates


def transcript(updates: list[Update]) -> list[Segment]:
    return [segment for update in updates if isinstance(update, WindowTranscribed) for segment in update.segments]


def problems(updates: list[Update]) -> str:
    return " ".join(
        update.problem.message for update in updates if isinstance(update, StageFinished) and update.problem
    )


def test_a_soft_speaker_beside_a_loud_one_is_heard(engine: SpeechEngine, tmp_path: Path) -> None:
    soft, loud = call()[int(11.2 * SAMPLE_RATE) : 18 * SAMPLE_RATE] * 0.03, call()[int(21.7 * SAMPLE_RATE) :]
    segments = transcript(told(engine, tmp_path, np.concatenate([soft, np.zeros(8_000, np.float32), loud])))
    said = " ".join(segment.text for segment in segments if segment.start < soft.size / SAMPLE_RATE).lower()
    assert {"diane", "jersey", "originally", "chicago"} <= {word.strip(".,") for word in said.split()}


class Forgetful(FakeEngine):
    """Hears two stretches of ten seconds in each chunk, and never writes down the second."""

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        for chunk in chunks:
            if chunk.speech[0][0] >= 10.0:
                yield Hypothesis(chunk=chunk, text="", avg_logprob=-2.0, no_speech_prob=0.9)
                continue
            words = tuple(Token(f" word{second}", second, second + 1.0, 0.9) for second in range(10))
            yield Hypothesis(chunk=chunk, text="".join(word.text for word in words), tokens=words, avg_logprob=-0.1)


def test_speech_that_has_no_words_even_when_heard_again_is_told_of_with_its_place(tmp_path: Path) -> None:
    updates = told(Forgetful(), tmp_path, np.zeros(20 * SAMPLE_RATE, np.float32))
    [segment] = transcript(updates)
    assert segment.flags == (QualityFlag.MISSING_TEXT,)
    assert "9.5 seconds of detected speech have no words" in problems(updates)
    assert "0:10.5 to 0:20.0" in problems(updates)


class Verbose(FakeEngine):
    """Writes a hundred and fifty sentences in ten seconds, each long enough to have been said."""

    def transcribe(
        self, recording: Recording, chunks: Iterable[Chunk], language: str, options: Options
    ) -> Iterator[Hypothesis]:
        for chunk in chunks:
            yield Hypothesis(chunk=chunk, text="Ok. " * 150, avg_logprob=-0.1)


def test_no_sentence_of_a_chunk_is_dropped_however_many_there_are(tmp_path: Path) -> None:
    segments = transcript(told(Verbose(), tmp_path, np.zeros(20 * SAMPLE_RATE, np.float32)))
    assert len(segments) == 150
    assert [segment.key for segment in segments] == sorted(segment.key for segment in segments)
