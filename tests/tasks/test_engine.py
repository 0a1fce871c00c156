"""The engine's process, as its worker drives it: one work's words are never taken for another's."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from db.domain.values import Options, Provenance
from tasks.pipeline.types import Completed, Failed, StageStarted, WindowTranscribed, Work
from tasks.speech.child import Child, Reply, Stop, Stopped, Task
from tasks.speech.process import EngineLost, EngineProcess, EngineUnable
from tests.fixtures.engine import FakeEngine
from tests.fixtures.servers import FAKE_ENGINE
from tests.fixtures.workers import silence


@pytest.fixture
async def engine() -> AsyncIterator[EngineProcess]:
    started = EngineProcess(FAKE_ENGINE, "fake")
    await started.start()
    yield started
    await started.end()


def task(tmp_path: Path, name: str, prompt: str = "", seconds: float = 30.0) -> Task:
    source = silence(tmp_path / f"{seconds:g}.wav", seconds)
    scratch = tmp_path / name
    scratch.mkdir()
    options = Options(model="fake", prompt=prompt or None)
    return Task(Work(source=str(source), scratch=str(scratch), options=options, max_seconds=3600), {"job_id": name})


async def heard(engine: EngineProcess, work: Task) -> list[Reply]:
    return [reply async for reply in engine.run(work)]


async def test_a_stop_that_comes_with_the_last_word_leaves_nothing_for_the_next_work(
    engine: EngineProcess, tmp_path: Path
) -> None:
    async for reply in engine.run(task(tmp_path, "a", "pace:diarize:0.2")):
        if isinstance(reply, WindowTranscribed):
            await engine.stop(patient=True)  # heard at the next stage's end, or, for the last stage, never
            break
    second = await heard(engine, task(tmp_path, "b"))
    assert isinstance(second[-1], Completed)
    assert sum(isinstance(reply, Stopped) for reply in second) == 0
    third = await heard(engine, task(tmp_path, "c"))
    assert isinstance(third[0], StageStarted)


async def test_work_that_is_dropped_half_way_says_nothing_into_the_next(engine: EngineProcess, tmp_path: Path) -> None:
    async for reply in engine.run(task(tmp_path, "a", seconds=300.0)):
        if isinstance(reply, WindowTranscribed):
            break
    told = await heard(engine, task(tmp_path, "b"))
    assert isinstance(told[0], StageStarted)
    assert isinstance(told[-1], Completed)
    assert sum(isinstance(reply, WindowTranscribed) for reply in told) == 1


async def test_a_patient_stop_waits_for_the_end_of_the_window_and_a_plain_one_does_not(
    engine: EngineProcess, tmp_path: Path
) -> None:
    counts = []
    for patient in (True, False):
        told: list[Reply] = []
        async for reply in engine.run(task(tmp_path, f"{patient}", "pace:transcribe:0.1", seconds=540.0)):
            told.append(reply)
            if isinstance(reply, WindowTranscribed) and len([r for r in told if isinstance(r, WindowTranscribed)]) == 1:
                await engine.stop(patient=patient)
        assert isinstance(told[-1], Stopped)
        counts.append(sum(isinstance(reply, WindowTranscribed) for reply in told))
    assert counts[0] == 8
    assert counts[1] <= 3


async def test_an_engine_that_dies_says_with_what_status(engine: EngineProcess, tmp_path: Path) -> None:
    with pytest.raises(EngineLost) as lost:
        await heard(engine, task(tmp_path, "a", "crash:transcribe"))
    assert lost.value.status == -9
    assert isinstance((await heard(engine, task(tmp_path, "b")))[-1], Completed)


async def test_the_inputs_fault_is_its_last_word(engine: EngineProcess, tmp_path: Path) -> None:
    work = task(tmp_path, "a")
    Path(work.work.source).write_bytes(b"no recording")  # noqa: ASYNC240  a dozen bytes
    told = await heard(engine, work)
    assert isinstance(told[-1], Failed)
    assert not told[-1].problem.retryable


def test_nothing_is_said_after_the_last_word_although_a_stop_came_with_it() -> None:
    said = io.BytesIO()
    child = Child(FakeEngine(), "fake", io.BytesIO(), said)
    child._stop = Stop()
    child._emit(Completed(provenance=Provenance(asr_model="fake")))
    assert said.getvalue().count(b"\n") == 1


async def test_the_engine_does_not_run_ahead_of_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    monkeypatch.setenv("GRAPHOPHONE_FAKE_LOG", str(calls))
    engine = EngineProcess(FAKE_ENGINE, "fake")
    stored = 0
    async for reply in engine.run(task(tmp_path, "a", seconds=540.0)):
        if isinstance(reply, WindowTranscribed):
            stored += 1
            await asyncio.sleep(0.05)  # a slow database; an engine that does not wait is done long before
            assert calls.read_text().count("transcribe") == stored
    await engine.end()
    assert stored == 18


async def test_without_work_the_engine_goes_and_comes_back_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    monkeypatch.setenv("GRAPHOPHONE_FAKE_LOG", str(calls))
    engine = EngineProcess(FAKE_ENGINE, "fake", idle_seconds=0.1)
    pids = []
    for name in ("a", "b"):
        told = await heard(engine, task(tmp_path, name, "pace:transcribe:0.3"))  # idle is only who has no work
        assert isinstance(told[-1], Completed)
        pids.append(engine.pid)
        assert [model.loaded for model in engine.facts.models] == [True]
        await gone(engine)
        assert [(model.name, model.loaded) for model in engine.facts.models] == [("fake", False)]
    assert len(set(pids)) == 2
    assert [line.split()[1] for line in calls.read_text().splitlines()].count("preload") == 2


async def test_an_engine_that_nobody_uses_goes_too(tmp_path: Path) -> None:
    engine = EngineProcess(FAKE_ENGINE, "fake", idle_seconds=0.1)
    await engine.start()
    await gone(engine)


async def test_work_that_comes_while_the_engine_goes_is_done_by_the_next(tmp_path: Path) -> None:
    engine = EngineProcess(FAKE_ENGINE, "fake", idle_seconds=0.1)
    await engine.start()
    first = engine.pid
    while engine._unloading is None:
        await asyncio.sleep(0)
    assert isinstance((await heard(engine, task(tmp_path, "a")))[-1], Completed)
    assert engine.pid != first
    await engine.end()


async def test_a_cold_engine_loads_nothing_before_there_is_work(tmp_path: Path) -> None:
    engine = EngineProcess(FAKE_ENGINE, "fake", preload=False)
    await engine.start()
    assert [(model.name, model.loaded) for model in engine.facts.models] == [("fake", False)]
    await heard(engine, task(tmp_path, "a"))
    assert [(model.name, model.loaded) for model in engine.facts.models] == [("fake", True)]
    await engine.end()


async def test_it_is_told_when_a_job_has_changed_what_is_loaded(engine: EngineProcess, tmp_path: Path) -> None:
    work = task(tmp_path, "a")
    other = replace(work, work=replace(work.work, options=Options(model="other")))
    engine.changed.clear()
    await heard(engine, other)
    assert engine.changed.is_set()
    assert [(m.name, m.loaded, m.default) for m in engine.facts.models] == [
        ("fake", False, True),
        ("other", True, False),
    ]


@pytest.mark.parametrize("preload", [True, False])
async def test_a_missing_model_is_one_clear_error_at_the_start(preload: bool) -> None:
    engine = EngineProcess(FAKE_ENGINE, "none", preload=preload)
    with pytest.raises(EngineUnable) as unable:
        await engine.start()
    problem = unable.value.problem
    assert (problem.code, problem.remedy, problem.retryable) == ("MODEL_UNAVAILABLE", "Ask for another.", False)
    assert engine.facts.problems == (problem,)


async def test_a_model_that_does_not_fit_is_one_clear_error_at_the_start() -> None:
    with pytest.raises(EngineUnable) as unable:
        await EngineProcess(FAKE_ENGINE, "huge").start()
    assert unable.value.problem.code == "OUT_OF_MEMORY"
    assert unable.value.problem.retryable  # the memory may be another's now


async def test_a_model_that_was_taken_away_while_the_engine_was_gone_fails_the_job_with_a_remedy(
    tmp_path: Path,
) -> None:
    model = tmp_path / "model"
    model.touch()
    engine = EngineProcess(FAKE_ENGINE, str(model), idle_seconds=0.1)
    await engine.start()
    await gone(engine)
    model.unlink()
    [told] = await heard(engine, task(tmp_path, "a"))
    assert isinstance(told, Failed)
    assert (told.problem.code, told.problem.remedy) == ("MODEL_UNAVAILABLE", "Ask for another.")
    model.touch()
    assert isinstance((await heard(engine, task(tmp_path, "b")))[-1], Completed)
    assert engine.facts.problems == ()
    await engine.end()


async def gone(engine: EngineProcess) -> None:
    """Returns once its process has ended."""
    while engine.pid is not None:
        engine.changed.clear()
        await engine.changed.wait()
