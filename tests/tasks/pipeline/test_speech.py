"""The real engine with the offline pack on real speech: pyannote.audio's own sample call of thirty seconds."""

import fcntl
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import jiwer
import msgspec
import numpy as np
import pytest
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from db.domain.values import Options, Segment, WordTiming
from tasks import pipeline
from tasks.models.pack import verify
from tasks.pipeline.alignment.align import ordered
from tasks.pipeline.engine import open_engine
from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import (
    Completed,
    SegmentsRevised,
    SpeakersFound,
    Update,
    WindowTranscribed,
    Work,
)
from tests.tasks.pipeline.recordings import MODELS, REAL_MODELS

pytestmark = REAL_MODELS
COLLAR = 0.25


@pytest.fixture(scope="module")
def sample() -> Path:
    spec = find_spec("pyannote.audio")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "sample" / "sample.wav"


@pytest.fixture(scope="module")
def updates(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Update]:
    """What was told of the sample call; the processes share one run, since loading the models is what takes long."""
    shared = tmp_path_factory.getbasetemp().parent / "sample.json"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            assert not verify(MODELS), f"the offline pack is not in {MODELS}: python -m tasks.models.pack {MODELS}"
            scratch = tmp_path_factory.mktemp("scratch")
            told: list[Update] = []
            work = Work(source=str(sample), scratch=str(scratch), options=Options(model="base"), max_seconds=60)
            pipeline.run(work, open_engine(SpeechSettings(models=MODELS)), told.append)
            shared.write_bytes(msgspec.json.encode(told))
    return msgspec.json.decode(shared.read_bytes(), type=list[Update])


@pytest.fixture
def segments(updates: list[Update]) -> list[Segment]:
    found: dict[str, Segment] = {}
    for update in updates:
        if isinstance(update, WindowTranscribed | SegmentsRevised):
            found |= {segment.key: segment for segment in update.segments}
    return [found[key] for key in sorted(found)]


def spoken(sample: Path) -> Iterator[tuple[float, float, str]]:
    for line in sample.with_suffix(".rttm").read_text().splitlines():
        fields = line.split()
        yield float(fields[3]), float(fields[3]) + float(fields[4]), fields[7]


def test_the_words_of_the_sample_call_are_understood(sample: Path, segments: list[Segment]) -> None:
    truth = " ".join(line.split(maxsplit=5)[5] for line in sample.with_suffix(".stm").read_text().splitlines())
    plain = EnglishTextNormalizer({})  # type: ignore[no-untyped-call]  # Whisper's own, by which its word error rates are given
    assert jiwer.wer(plain(truth), plain(" ".join(segment.text for segment in segments))) <= 0.20


def test_every_word_has_a_time_inside_the_file_and_most_are_aligned(segments: list[Segment]) -> None:
    words = [word for segment in segments for word in segment.words]
    assert ordered(words, 30.0)
    assert sum(word.timing is WordTiming.ALIGNED for word in words) >= 0.95 * len(words)


def test_two_speakers_are_told_apart_as_a_person_did(
    sample: Path, updates: list[Update], segments: list[Segment]
) -> None:
    found = next(update for update in updates if isinstance(update, SpeakersFound))
    assert [speaker.label for speaker in found.speakers] == ["SPEAKER_00", "SPEAKER_01"]
    truth = list(spoken(sample))
    names = sorted({name for _, _, name in truth})
    frames = np.arange(0, 30, 0.01)
    near = np.zeros(frames.size, np.bool_)
    said = np.zeros((frames.size, 2), np.bool_)
    heard = np.zeros((frames.size, 2), np.bool_)
    for start, end, name in truth:
        near |= (abs(frames - start) < COLLAR) | (abs(frames - end) < COLLAR)
        said[:, names.index(name)] |= (frames >= start) & (frames < end)
    for segment in segments:
        for word in segment.words:
            assert word.speaker is not None
            assert word.start is not None
            assert word.end is not None
            heard[:, word.speaker] |= (frames >= word.start) & (frames < word.end)
    both = heard.any(axis=1) & said.any(axis=1) & ~near
    wrong = [(both & ~(said & heard[:, order]).any(axis=1)).sum() / both.sum() for order in ([0, 1], [1, 0])]
    assert min(wrong) <= 0.05


def test_it_is_told_exactly_what_made_the_transcript(updates: list[Update]) -> None:
    last = updates[-1]
    assert isinstance(last, Completed)
    assert last.provenance.asr_model.startswith("base@sha256:905e5bf8")
    assert last.provenance.align_model
    assert last.provenance.diarization_model
    assert {"whisperx", "pyannote.audio", "torch"} <= set(last.provenance.software)
