"""The stages over a fake engine: what is told, in which order, and what happens when something goes wrong."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from db.domain.values import ErrorCode, Options, Segment, Stage, TranscriptionTask, WordTiming
from tasks import pipeline
from tasks.pipeline.alignment.align import ordered
from tasks.pipeline.recording import Recording
from tasks.pipeline.types import (
    CheckpointSaved,
    Completed,
    Failed,
    LanguageDetected,
    Progressed,
    Resume,
    SegmentsRevised,
    SpeakersFound,
    StageFailed,
    StageFinished,
    StageSkipped,
    StageStarted,
    Update,
    WindowTranscribed,
    Work,
)
from tests.fixtures.engine import FakeEngine
from tests.tasks.pipeline.recordings import write

U = TypeVar("U")
SECONDS = 600.0


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes."""
    path = tmp_path_factory.mktemp("recording") / "tone"
    return write(path, container="flac", codec="flac", seconds=SECONDS)


@pytest.fixture(autouse=True, params=[1, 1000], ids=["side-by-side", "in-turn"])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether stages run beside one another depends on the machine; here both ways are tried."""
    monkeypatch.setattr(pipeline, "CORES", request.param)


def work(recording: Path, scratch: Path, resume: Resume | None = None, **options: object) -> Work:
    return Work(
        source=str(recording),
        scratch=str(scratch),
        options=Options(model="fake", **options),  # type: ignore[arg-type]  # the cases' own options
        max_seconds=3600,
        resume=resume or Resume(),
    )


def told(work: Work, engine: FakeEngine | None = None) -> list[Update]:
    updates: list[Update] = []
    pipeline.run(work, engine or FakeEngine(), updates.append)
    return updates


def of(updates: list[Update], kind: type[U]) -> list[U]:
    return [update for update in updates if isinstance(update, kind)]


def transcript(updates: list[Update], known: tuple[Segment, ...] = ()) -> list[Segment]:
    """The segments as a store would have them."""
    segments = {segment.key: segment for segment in known}
    for update in updates:
        if isinstance(update, WindowTranscribed | SegmentsRevised):
            segments |= {segment.key: segment for segment in update.segments}
        if isinstance(update, SegmentsRevised):
            for key in update.removed:
                del segments[key]
    return [segments[key] for key in sorted(segments)]


def test_stages_come_in_order_and_the_work_ends_complete(recording: Path, tmp_path: Path) -> None:
    updates = told(work(recording, tmp_path))
    stages = [Stage.DECODE, Stage.LOAD, Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE]
    assert sorted(update.stage for update in of(updates, StageStarted)) == sorted(stages)
    assert [update.stage for update in of(updates, StageFinished)] == stages
    assert isinstance(updates[-1], Completed)
    assert set(updates[-1].provenance.stage_seconds) == set(stages)


def test_progress_never_goes_back_within_a_stage(recording: Path, tmp_path: Path) -> None:
    updates = of(told(work(recording, tmp_path)), Progressed)
    for stage in {update.stage for update in updates}:
        fractions = [update.fraction for update in updates if update.stage is stage]
        assert fractions == sorted(fractions)
        assert 0 <= fractions[0] <= fractions[-1] <= 1


def test_segments_are_sent_while_whisper_is_still_running(recording: Path, tmp_path: Path) -> None:
    updates = told(work(recording, tmp_path))
    finished = next(i for i, u in enumerate(updates) if isinstance(u, StageFinished) and u.stage is Stage.TRANSCRIBE)
    windows = [i for i, update in enumerate(updates) if isinstance(update, WindowTranscribed)]
    assert len(windows) > 10
    assert windows[-1] < finished
    counts = [update.window for update in of(updates, WindowTranscribed)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == 3


def test_every_word_has_a_place_in_the_recording_and_keys_sort_in_time(recording: Path, tmp_path: Path) -> None:
    segments = transcript(told(work(recording, tmp_path)))
    assert ordered((word for segment in segments for word in segment.words), SECONDS)
    assert all(a.start <= b.start for a, b in pairwise(segments))
    assert {word.timing for segment in segments for word in segment.words} == {WordTiming.ALIGNED}


def test_speakers_are_labelled_in_order_of_appearance(recording: Path, tmp_path: Path) -> None:
    updates = told(work(recording, tmp_path))
    labels = of(updates, SpeakersFound)[0].speakers
    assert [speaker.label for speaker in labels] == ["SPEAKER_00", "SPEAKER_01"]
    segments = transcript(updates)
    assert segments[0].speaker == 0
    assert sum(speaker.word_count for speaker in labels) == sum(len(segment.words) for segment in segments)


def test_finished_windows_and_stages_are_not_done_again(recording: Path, tmp_path: Path) -> None:
    before = told(work(recording, tmp_path))
    whole = transcript(before)
    stored = tuple(
        s for u in of(before, WindowTranscribed) if u.segments and u.segments[0].start < 240 for s in u.segments
    )
    resume = Resume(stages=(Stage.DECODE,), windows=1, language="en", segments=stored)
    updates = told(work(recording, tmp_path, resume))
    assert not any(update.stage is Stage.DECODE for update in of(updates, StageStarted))
    assert not of(updates, LanguageDetected)
    assert not {s.key for s in stored} & {s.key for u in of(updates, WindowTranscribed) for s in u.segments}
    assert transcript(updates, stored) == whole


def test_samples_that_were_lost_are_decoded_again(recording: Path, tmp_path: Path) -> None:
    updates = told(work(recording, tmp_path, Resume(stages=(Stage.DECODE,))))
    assert Stage.DECODE in [update.stage for update in of(updates, StageFinished)]
    assert isinstance(updates[-1], Completed)


def test_diarizing_again_listens_no_second_time_and_joins_what_it_split(recording: Path, tmp_path: Path) -> None:
    first = told(work(recording, tmp_path, num_speakers=3))
    assert "embeddings" in [update.name for update in of(first, CheckpointSaved)]
    segments = tuple(transcript(first))
    done = (Stage.DECODE, Stage.TRANSCRIBE, Stage.ALIGN)
    again = told(
        work(recording, tmp_path, Resume(stages=done, language="en", segments=segments), num_speakers=1),
        FakeEngine(),
    )
    assert "embeddings" not in [update.name for update in of(again, CheckpointSaved)]
    joined = transcript(again, segments)
    assert {segment.speaker for segment in joined} == {0}
    assert not [segment.key for segment in joined if "." in segment.key]
    assert " ".join(s.text for s in joined).split() == " ".join(s.text for s in segments).split()


@pytest.mark.parametrize("stage", [Stage.ALIGN, Stage.DIARIZE])
@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ("missing", ErrorCode.MODEL_UNAVAILABLE),
        ("oom", ErrorCode.OUT_OF_MEMORY),
        ("fault", ErrorCode.INTERNAL),
    ],
)
def test_an_optional_stage_that_fails_leaves_the_transcript_and_says_why(
    recording: Path, tmp_path: Path, stage: Stage, wish: str, code: ErrorCode
) -> None:
    updates = told(work(recording, tmp_path, prompt=f"{wish}:{stage.lower()}"))
    [failure] = of(updates, StageFailed)
    assert (failure.stage, failure.problem.code) == (stage, code)
    assert failure.problem.remedy
    assert isinstance(updates[-1], Completed)
    assert transcript(updates)


def test_a_missing_recognition_model_fails_the_work(recording: Path, tmp_path: Path) -> None:
    last = told(work(recording, tmp_path, prompt="missing:transcribe"))[-1]
    assert isinstance(last, Failed)
    assert last.problem.code is ErrorCode.MODEL_UNAVAILABLE
    assert last.problem.stage is Stage.TRANSCRIBE


def test_stages_that_are_switched_off_are_skipped(recording: Path, tmp_path: Path) -> None:
    updates = told(work(recording, tmp_path, align=False, diarize=False))
    assert [update.stage for update in of(updates, StageSkipped)] == [Stage.ALIGN, Stage.DIARIZE]
    words = [word for segment in transcript(updates) for word in segment.words]
    assert {word.timing for word in words} == {WordTiming.ESTIMATED}
    assert ordered(words, SECONDS)


def test_a_translation_is_not_aligned_with_what_is_heard(recording: Path, tmp_path: Path) -> None:
    updates = told(work(recording, tmp_path, task=TranscriptionTask.TRANSLATE, language="de"))
    assert [update.stage for update in of(updates, StageSkipped)] == [Stage.ALIGN]


def test_what_emit_raises_stops_the_work_in_every_stage(recording: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    for stage in (Stage.DECODE, Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE):
        updates: list[Update] = []

        def emit(update: Update, stage: Stage = stage, updates: list[Update] = updates) -> None:
            updates.append(update)
            if isinstance(update, Progressed) and update.stage is stage:
                raise Enough

        scratch = tmp_path / stage
        scratch.mkdir()
        with pytest.raises(Enough):
            pipeline.run(work(recording, scratch), FakeEngine(), emit)
        assert isinstance(updates[-1], Progressed)


def test_a_file_that_is_no_recording_fails_the_work(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("not a recording")
    last = told(work(path, tmp_path))[-1]
    assert isinstance(last, Failed)
    assert last.problem.code is ErrorCode.UNSUPPORTED_MEDIA
    assert not last.problem.retryable


def test_a_recording_without_speech_says_so_and_is_complete(recording: Path, tmp_path: Path) -> None:
    class Deaf(FakeEngine):
        def detect_speech(self, recording: Recording, options: Options) -> Iterator[tuple[float, float]]:
            yield from ()

    updates = told(work(recording, tmp_path), Deaf())
    problem = next(update.problem for update in of(updates, StageFinished) if update.stage is Stage.TRANSCRIBE)
    assert problem is not None
    assert "No speech" in problem.message
    assert [update.stage for update in of(updates, StageSkipped)] == [Stage.ALIGN, Stage.DIARIZE]
    assert isinstance(updates[-1], Completed)
