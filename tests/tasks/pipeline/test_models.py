"""The real engine's models: found, whole, and in as little memory as there is; one job's options are not the next's."""

import os
import shutil
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from huggingface_hub import constants, file_download
from huggingface_hub.utils._http import reset_sessions

from db.domain.values import Options, Problem, Rules, TranscriptionTask
from tasks import pipeline
from tasks.pipeline.engine import open_engine
from tasks.pipeline.recording import SAMPLE_RATE, Recording
from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import (
    Chunk,
    Completed,
    LanguageDetected,
    ModelUnavailable,
    SpeakersFound,
    StageFailed,
    Update,
    WindowTranscribed,
    Work,
)
from tasks.speech.child import Ready
from tests.fixtures.hub import Hub
from tests.tasks.pipeline.recordings import MODELS, REAL_MODELS

pytestmark = REAL_MODELS
SECONDS = 12
WhisperXEngine = Any  # its module is imported only by `open_engine`, which prepares the environment for it
PLAIN = Rules(temperatures=(0.0,))  # nothing is drawn by chance


def engine_of(**settings: Any) -> WhisperXEngine:
    return open_engine(SpeechSettings(**{"models": MODELS, **settings}))


@pytest.fixture(scope="module")
def engine() -> WhisperXEngine:
    return engine_of()


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of pyannote.audio's sample call."""
    spec = find_spec("pyannote.audio")
    assert spec
    assert spec.origin
    file = tmp_path_factory.mktemp("speech") / "speech.wav"
    with wave.open(str(Path(spec.origin).parent / "sample" / "sample.wav")) as whole, wave.open(str(file), "wb") as cut:
        cut.setparams(whole.getparams())
        cut.writeframes(whole.readframes(SECONDS * whole.getframerate()))
    return file


@pytest.fixture
def samples(speech: Path, tmp_path: Path) -> Recording:
    with wave.open(str(speech)) as opened:
        assert opened.getframerate() == SAMPLE_RATE
        heard = np.frombuffer(opened.readframes(opened.getnframes()), np.int16)
    heard.tofile(tmp_path / "samples")
    return Recording(tmp_path / "samples")


def run(engine: WhisperXEngine, speech: Path, scratch: Path, options: Options) -> list[Update]:
    scratch.mkdir()
    told: list[Update] = []
    pipeline.run(Work(source=str(speech), scratch=str(scratch), options=options, max_seconds=60), engine, told.append)
    return told


# ---------------------------------------------------------------- memory


def asr() -> Any:
    """The module with Whisper, after `open_engine`."""
    return sys.modules["tasks.pipeline.whisperx.asr"]


class Cramped:
    """A CTranslate2 model on a device where only so much fits."""

    def __init__(self, model: Any, fits: Callable[[int], bool], error: Exception) -> None:
        self.model, self.fits, self.error = model, fits, error
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def generate(self, encoded: Any, prompts: list[list[int]], **how: Any) -> Any:
        self.sizes.append(len(prompts))
        if not self.fits(len(prompts)):
            raise self.error
        return self.model.generate(encoded, prompts, **how)


CTRANSLATE2 = RuntimeError("CUDA failed with error out of memory")
TORCH = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def cramped(
    engine: WhisperXEngine, fits: Callable[[str, int], bool], error: Exception, *kinds: str, workers: int = 1
) -> tuple[Any, list[Cramped]]:
    """tiny.en in an engine of its own memory, in each of these types of numbers until one fits."""
    made: list[Cramped] = []

    def load(kind: str) -> Any:
        loaded = asr().WhisperModel(str(MODELS / "tiny.en"), device="cpu", compute_type=kind, num_workers=workers)
        loaded.model = Cramped(loaded.model, lambda size: fits(kind, size), error)
        made.append(loaded.model)
        return loaded

    whisper = asr().Whisper(load, "tiny.en", compute_types=kinds, batch_size=8, workers=workers)
    engine._whispers = {"tiny.en": whisper}
    return whisper, made


def texts(engine: WhisperXEngine, samples: Recording) -> list[str]:
    chunks = [Chunk(second, second + 2.0, ()) for second in range(0, SECONDS - 2, 1)]
    options = Options(model="tiny.en", rules=PLAIN)
    return [hypothesis.text for hypothesis in engine.transcribe(samples, chunks, "en", options)]


@pytest.mark.parametrize("error", [CTRANSLATE2, TORCH, MemoryError()], ids=["ctranslate2", "torch", "processor"])
def test_after_an_out_of_memory_smaller_batches_say_the_same(
    engine: WhisperXEngine, samples: Recording, error: Exception
) -> None:
    _, [roomy] = cramped(engine, lambda *_: True, error, "int8")
    expected = texts(engine, samples)
    assert roomy.sizes == [1, 2, 4, 3]
    whisper, [small] = cramped(engine, lambda _, size: size <= 2, error, "int8")
    assert texts(engine, samples) == expected
    queued = [size for size in small.sizes if size == 3]  # what waited behind the batch that was too large
    assert small.sizes == [1, 2, 4, *queued, 2, 2, 2, 1]  # once too many, and never again
    assert len(queued) <= 1
    assert whisper.batch_size == 2


def test_when_a_single_piece_does_not_fit_smaller_numbers_are_used(engine: WhisperXEngine, samples: Recording) -> None:
    cramped(engine, lambda *_: True, TORCH, "int8")
    expected = texts(engine, samples)
    whisper, made = cramped(engine, lambda kind, _: kind != "float32", TORCH, "float32", "int8")
    assert texts(engine, samples) == expected
    large, small = made
    assert large.sizes in ([1], [1, 2])  # with what waited behind it
    assert small.sizes == [1, 2, 4, 3]
    assert whisper.compute_type == "int8_float32"
    assert engine.provenance(Options(model="tiny.en"), ["en"]).compute_type == "int8_float32"


def test_batches_side_by_side_say_the_same_in_the_same_order(engine: WhisperXEngine, samples: Recording) -> None:
    cramped(engine, lambda *_: True, TORCH, "int8")
    expected = texts(engine, samples)
    second_is_done = threading.Event()

    def late(_: str, size: int) -> bool:
        """The first batch, of one piece, waits for the third, of four, which is begun when the second is done."""
        if size == 4:
            second_is_done.set()
        return size > 1 or second_is_done.wait(60)

    cramped(engine, late, TORCH, "int8", workers=2)
    assert texts(engine, samples) == expected


def test_where_there_is_memory_for_one_batch_only_they_go_one_after_the_other(
    engine: WhisperXEngine, samples: Recording
) -> None:
    cramped(engine, lambda *_: True, TORCH, "int8")
    expected = texts(engine, samples)
    whisper, _ = cramped(engine, lambda *_: engine._whispers["tiny.en"].workers == 1, TORCH, "int8", workers=2)
    assert texts(engine, samples) == expected
    assert whisper.workers == 1


@pytest.mark.parametrize(
    ("threads", "pieces", "side_by_side", "in_each"),
    [(1, 8, 1, 8), (2, 8, 2, 4), (16, 8, 4, 2), (16, 3, 3, 1), (16, 1, 1, 1)],
)
def test_batches_side_by_side_share_the_threads_and_the_pieces_that_are_decoded_at_once(
    threads: int, pieces: int, side_by_side: int, in_each: int
) -> None:
    whisper = engine_of(device="cpu", threads=threads, batch_size=pieces)._whisper("tiny.en")
    assert (whisper.workers, whisper.batch_size) == (side_by_side, in_each)
    assert whisper.model.model.num_workers == side_by_side


def test_a_model_that_does_not_fit_when_it_is_loaded_is_loaded_in_smaller_numbers(engine: WhisperXEngine) -> None:
    def load(kind: str) -> Any:
        if kind == "float32":
            raise CTRANSLATE2
        return asr().WhisperModel(str(MODELS / "tiny.en"), device="cpu", compute_type=kind)

    assert asr().Whisper(load, "", compute_types=("float32", "int8"), batch_size=8).compute_type == "int8_float32"
    with pytest.raises(MemoryError):
        asr().Whisper(load, "", compute_types=("float32",), batch_size=8)


def test_when_nothing_fits_it_is_an_out_of_memory_and_the_next_job_begins_anew(
    engine: WhisperXEngine, samples: Recording
) -> None:
    cramped(engine, lambda *_: False, TORCH, "int8")
    with pytest.raises(MemoryError):
        texts(engine, samples)
    assert len(texts(engine, samples)) == 10


def test_another_fault_is_not_taken_for_an_out_of_memory(engine: WhisperXEngine, samples: Recording) -> None:
    cramped(engine, lambda *_: False, RuntimeError("CUDA failed with error no kernel image"), "float32", "int8")
    with pytest.raises(RuntimeError, match="no kernel image"):
        texts(engine, samples)
    engine._whispers.clear()


# ---------------------------------------------------------------- what is there


def pack_with(tmp_path: Path, damaged: str) -> Path:
    """A copy of the offline pack in which one byte of one file is another."""
    models = tmp_path / "models"
    shutil.copytree(MODELS, models, copy_function=lambda source, to: Path(to).symlink_to(Path(source).resolve()))
    content = bytearray((models / damaged).read_bytes())
    content[len(content) // 2] ^= 1
    (models / damaged).unlink()
    (models / damaged).write_bytes(content)
    return models


def test_a_damaged_model_is_told_by_its_file_and_not_offered(tmp_path: Path) -> None:
    damaged = engine_of(models=pack_with(tmp_path, "tiny.en/model.bin"))  # CTranslate2 would load it
    damaged.check("base")
    with pytest.raises(ModelUnavailable, match=r"tiny\.en/model\.bin: damaged") as told:
        damaged.check("tiny.en")
    assert "make models" in told.value.remedy
    assert [model.name for model in damaged.facts("base").models] == ["base"]


def test_a_damaged_embedding_model_is_told_in_the_facts_and_leave_a_transcript(tmp_path: Path, speech: Path) -> None:
    damaged = engine_of(models=pack_with(tmp_path, "diarization/campplus.onnx"))
    diarization = damaged.facts("tiny.en").diarization
    assert diarization is not None
    assert not diarization.available
    assert "diarization/campplus.onnx: damaged" in (diarization.reason or "")
    told = run(damaged, speech, tmp_path / "scratch", Options(model="tiny.en", language="en"))
    assert isinstance(told[-1], Completed)
    [failed] = [update for update in told if isinstance(update, StageFailed)]
    assert (failed.problem.code, failed.problem.remedy) == ("MODEL_UNAVAILABLE", "Run `make models`.")
    assert any(isinstance(update, WindowTranscribed) and update.segments for update in told)


@pytest.mark.parametrize("name", ["nonsense", "../models/base", "/etc", "", ".", "a/b/c"])
def test_a_client_cannot_name_a_folder(engine: WhisperXEngine, name: str) -> None:
    with pytest.raises(ModelUnavailable, match="There is no recognition model"):
        engine.sources.find(name)


def test_an_operator_can_name_a_folder(tmp_path: Path) -> None:
    own = tmp_path / "anywhere"
    own.symlink_to((MODELS / "tiny.en").resolve())
    engine = engine_of()
    engine.check(str(own))
    assert engine.sources.find(str(own)).folder == own
    assert str(own) in [model.name for model in engine.facts(str(own)).models if model.default]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(ModelUnavailable, match="GRAPHOPHONE_DEVICE is cuda"):
        engine_of(device="cuda")


def test_a_type_of_numbers_that_the_device_does_not_know_is_one_clear_error() -> None:
    with pytest.raises(ModelUnavailable, match="GRAPHOPHONE_COMPUTE_TYPE is int3") as told:
        engine_of(compute_type="int3", device="cpu")
    assert "int8" in told.value.remedy


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that torch can use")
def test_on_a_gpu_the_words_are_those_of_the_processor(speech: Path, tmp_path: Path) -> None:
    told = [
        run(engine_of(device=device, compute_type="float32"), speech, tmp_path / device, Options(model="base"))
        for device in ("cpu", "cuda")
    ]
    assert said(told[0]) == said(told[1])
    last = told[1][-1]
    assert isinstance(last, Completed)
    assert last.provenance.device == "cuda"


def test_the_engines_process_says_nothing_but_its_own_lines() -> None:
    command = [sys.executable, "-m", "tasks.speech.child", "tasks.pipeline.engine:open_engine", "tiny.en"]
    child = subprocess.Popen(
        command,
        env=os.environ | {"GRAPHOPHONE_MODELS": str(MODELS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    first = child.stdout.readline()
    _, errors = child.communicate()
    ready = msgspec.json.decode(first, type=Ready)
    assert [model.name for model in ready.facts.models if model.loaded] == ["tiny.en"]
    foreign = [line for line in errors.splitlines() if not line.startswith('{"')]
    assert not foreign


# ---------------------------------------------------------------- the hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and the client library told of it: it reads HF_ENDPOINT only when it is imported."""
    hub = Hub()
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(
        file_download, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    reset_sessions()
    yield hub
    hub.close()
    reset_sessions()


def test_a_model_of_the_hub_is_fetched_by_name_and_kept_for_when_the_hub_is_away(
    hub: Hub, tmp_path: Path, samples: Recording
) -> None:
    hub.offer("acme/whisper", {file.name: file.read_bytes() for file in (MODELS / "tiny.en").iterdir()})
    online = engine_of(models=tmp_path, hub=True)
    online.check("acme/whisper")
    options = Options(model="acme/whisper", rules=PLAIN)
    [hypothesis] = online.transcribe(samples, [Chunk(8.0, 11.0, ())], "en", options)
    assert hypothesis.text
    assert online.provenance(options, ["en"]).asr_model == f"acme/whisper@{hub.commit}"
    fetched = sum("model.bin" in path and method == "GET" for method, path in hub.asked)
    hub.close()
    for again in (engine_of(models=tmp_path, hub=True), engine_of(models=tmp_path)):
        assert again.sources.find("acme/whisper").exact == f"acme/whisper@{hub.commit}"
    assert fetched == 1


def test_the_token_goes_to_the_hub_and_without_it_a_licence_is_what_is_asked_for(
    hub: Hub, tmp_path: Path, speech: Path
) -> None:
    hub.offer("acme/speakers", {"config.yaml": b"{}"}, token="hf_secret")
    engine = engine_of(models=tmp_path / "models", hub=True, diarization="acme/speakers")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny.en").symlink_to((MODELS / "tiny.en").resolve())
    told = run(engine, speech, tmp_path / "scratch", Options(model="tiny.en", language="en", align=False))
    problem = failed(told)
    assert "licence" in problem.message
    assert "https://hf.co/acme/speakers" in (problem.remedy or "")
    assert "HF_TOKEN" in (problem.remedy or "")
    assert said(told)
    feature = engine.facts("tiny.en").diarization
    assert feature is not None
    assert "HF_TOKEN" in (feature.reason or "")
    with pytest.raises(ModelUnavailable, match="acme/speakers"):  # a pipeline it is not, but it was fetched
        engine_of(models=tmp_path / "models", hub=True, diarization="acme/speakers", HF_TOKEN="hf_secret")._speakers()
    assert ("GET", "/acme/speakers/resolve/main/config.yaml") in hub.asked


def test_a_name_that_the_hub_does_not_know_is_said_with_a_remedy(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="The hub has no “acme/nothing”") as told:
        engine_of(models=tmp_path, hub=True).check("acme/nothing")
    assert "Check the name" in told.value.remedy


def test_a_hub_that_does_not_answer_is_not_waited_for(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.pipeline.whisperx.hub.PATIENCE", 0.3)
    hub.silent = True
    with pytest.raises(ModelUnavailable, match="could not be fetched from the hub") as told:
        engine_of(models=tmp_path, hub=True).check("acme/whisper")
    assert "HF_ENDPOINT" in told.value.remedy
    assert len(hub.asked) == 1


# ---------------------------------------------------------------- one job after another


def said(told: list[Update]) -> list[str]:
    return [segment.text for update in told if isinstance(update, WindowTranscribed) for segment in update.segments]


def failed(told: list[Update]) -> Problem:
    assert isinstance(told[-1], Completed), told[-1]
    [update] = [update for update in told if isinstance(update, StageFailed)]
    return update.problem


def facts(told: list[Update]) -> tuple[list[str], list[str], list[int]]:
    languages = [update.language for update in told if isinstance(update, LanguageDetected)]
    speakers = [len(update.speakers) for update in told if isinstance(update, SpeakersFound)]
    return said(told), languages, speakers


def test_no_option_of_a_job_is_left_for_the_next(engine: WhisperXEngine, speech: Path, tmp_path: Path) -> None:
    plain = Options(model="base", rules=PLAIN)
    before = facts(run(engine, speech, tmp_path / "a", plain))
    marked = Options(
        model="base",
        language="de",
        task=TranscriptionTask.TRANSLATE,
        prompt="SHOUTING, ALWAYS IN CAPITALS!",
        hotwords=("Graphophone", "Diane"),
        num_speakers=1,
        align=False,
        rules=Rules(temperatures=(0.0,), silence=False, repetition=False, log_prob=None, no_speech=None),
    )
    other = facts(run(engine, speech, tmp_path / "b", marked))
    after = facts(run(engine, speech, tmp_path / "c", plain))
    assert other[1:] == (["de"], [1])
    assert other[0] != before[0]
    assert after == before
    assert before[1:] == (["en"], [2])
