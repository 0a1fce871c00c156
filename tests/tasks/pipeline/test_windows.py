"""What is recognised window by window, or in two attempts, is what one run would have given, with the real models."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from db.domain.values import Options, Rules, Segment, Stage
from tasks import pipeline
from tasks.pipeline.recognition import detect
from tasks.pipeline.types import (
    Completed,
    LanguageDetected,
    Resume,
    SegmentsRevised,
    SpeechEngine,
    StageFinished,
    Update,
    WindowTranscribed,
    Work,
)
from tests.tasks.pipeline.recordings import REAL_MODELS, call, repeat, written

pytestmark = REAL_MODELS
SECONDS = 55.0
OPTIONS = Options(model="base", rules=Rules(temperatures=(0.0,)))  # at a higher one, each attempt draws another text


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return repeat(written(folder, call()), folder / "long.flac", SECONDS)


class Attempts:
    """One job's attempts, and what a store would know after them."""

    def __init__(self, source: Path, engine: SpeechEngine, scratch: Path) -> None:
        self.source, self.engine, self.scratch = source, engine, scratch
        self.options = OPTIONS
        self.stored: dict[str, Segment] = {}
        self.told: list[Update] = []

    def run(self, stop: Callable[[Update], bool] = lambda _: False) -> list[Segment]:
        def emit(update: Update) -> None:
            self.told.append(update)
            if isinstance(update, WindowTranscribed | SegmentsRevised):
                self.stored |= {segment.key: segment for segment in update.segments}
            if isinstance(update, SegmentsRevised):
                for key in update.removed:
                    del self.stored[key]
            if stop(update):
                raise Stopped

        work = Work(
            source=str(self.source),
            scratch=str(self.scratch),
            options=self.options,
            max_seconds=600,
            resume=self._resume(),
        )
        try:
            pipeline.run(work, self.engine, emit, parallel=False)
        except Stopped:
            return []
        assert isinstance(self.told[-1], Completed)
        return [self.stored[key] for key in sorted(self.stored)]

    def _resume(self) -> Resume:
        windows = max((update.window for update in self.told if isinstance(update, WindowTranscribed)), default=0)
        return Resume(
            stages=tuple(update.stage for update in self.told if isinstance(update, StageFinished)),
            windows=windows,
            language=next((update.language for update in self.told if isinstance(update, LanguageDetected)), None),
            segments=tuple(self.stored[key] for key in sorted(self.stored) if int(key[:3]) < windows),
        )


@pytest.fixture(scope="module")
def whole(source: Path, engine: SpeechEngine, tmp_path_factory: pytest.TempPathFactory) -> Attempts:
    """One run in one window."""
    attempts = Attempts(source, engine, tmp_path_factory.mktemp("whole"))
    attempts.run()
    assert max(update.window for update in attempts.told if isinstance(update, WindowTranscribed)) == 1
    return attempts


@pytest.fixture
def attempts(whole: Attempts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attempts:
    """A job in short windows. The embeddings are those of the whole run: they know nothing of windows."""
    monkeypatch.setattr(detect, "WINDOW_SECONDS", 20.0)
    shutil.copy(whole.scratch / "embeddings", tmp_path)
    return Attempts(whole.source, whole.engine, tmp_path)


def unnamed(segments: list[Segment]) -> list[Segment]:
    """Without the keys, which tell the window."""
    return [replace(segment, key="") for segment in segments]


def test_a_recording_in_windows_is_told_as_in_one_run(whole: Attempts, attempts: Attempts) -> None:
    found = attempts.run()
    assert max(update.window for update in attempts.told if isinstance(update, WindowTranscribed)) > 1
    assert unnamed(found) == unnamed([whole.stored[key] for key in sorted(whole.stored)])


class Counted:
    """A recogniser, and how many pieces it was given at once."""

    def __init__(self, model: Any) -> None:
        self.model, self.sizes = model, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(self, encoded: Any, prompts: list[list[int]], **how: Any) -> Any:
        self.sizes.append(len(prompts))
        return self.model.generate(encoded, prompts, **how)


def test_batches_do_not_end_with_windows(attempts: Attempts, monkeypatch: pytest.MonkeyPatch) -> None:
    whisper = attempts.engine._whispers["base"].model  # type: ignore[attr-defined]
    counted = Counted(whisper.model)
    monkeypatch.setattr(whisper, "model", counted)
    attempts.options = replace(OPTIONS, chunk_seconds=8.0)
    monkeypatch.setattr(detect, "WINDOW_SECONDS", 0.0)  # one piece a window
    attempts.run()
    windows = max(update.window for update in attempts.told if isinstance(update, WindowTranscribed))
    assert windows == sum(counted.sizes)
    assert counted.sizes == [1, 2, 4, 3]


@pytest.mark.parametrize(
    "stop",
    [
        lambda update: isinstance(update, WindowTranscribed) and update.window == 1,
        lambda update: isinstance(update, SegmentsRevised) and update.stage is Stage.ALIGN,
    ],
    ids=["after-a-window", "while-aligning"],
)
def test_a_second_attempt_tells_what_an_uninterrupted_one_would(
    whole: Attempts, attempts: Attempts, stop: Callable[[Update], bool]
) -> None:
    assert not attempts.run(stop)
    assert unnamed(attempts.run()) == unnamed([whole.stored[key] for key in sorted(whole.stored)])
