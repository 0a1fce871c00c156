"""Jobs that are cancelled or deleted, and workers that are asked to stop: at any moment."""

import asyncio
import os
import signal
from pathlib import Path

import psutil

from db.domain.values import ErrorCode, JobState, Stage
from tests.fixtures.workers import Crew, reached, until

LONG = 540.0


async def test_a_job_is_canceled_at_the_next_boundary_and_its_engine_stays(crew: Crew) -> None:
    worker = await crew.start()
    engine = worker.child.pid
    job = await crew.submit("pace:transcribe:0.1", seconds=LONG)
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    await crew.cancel(job)
    assert (await crew.ends(job)).state is JobState.CANCELED
    assert len(crew.calls(job, "transcribe")) < 18
    assert worker.child.pid == engine


async def test_a_job_whose_engine_hangs_is_canceled_by_ending_the_engine(crew: Crew) -> None:
    await crew.start()
    job = await crew.submit("hang:transcribe")
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    await crew.cancel(job)
    assert (await crew.ends(job)).state is JobState.CANCELED
    assert (await crew.ends(await crew.submit())).state is JobState.SUCCEEDED  # with a new engine


async def test_a_canceled_job_whose_worker_dies_is_canceled_and_not_run_again(crew: Crew, tmp_path: Path) -> None:
    worker = await crew.start()
    job = await crew.submit(f"hold:transcribe:{tmp_path / 'never'}")
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    await crew.freeze(worker, job)  # it cannot hear of it
    await crew.cancel(job)
    worker.kill()
    await crew.start()
    ended = await crew.ends(job)
    assert (ended.state, ended.attempt) == (JobState.CANCELED, 1)


async def test_deleting_a_running_job_stops_its_engine(crew: Crew, tmp_path: Path) -> None:
    worker = await crew.start()
    job = await crew.submit(f"hold:transcribe:{tmp_path / 'never'}")
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    await crew.delete(job)
    assert (await crew.ends(await crew.submit())).state is JobState.SUCCEEDED
    assert worker.said("job.lease_lost")


async def test_a_stage_that_tells_nothing_for_its_budget_is_stopped(crew: Crew) -> None:
    await crew.start(STAGE_TIMEOUTS='{"TRANSCRIBE": 0.5}', MAX_ATTEMPTS="1")
    job = await crew.ends(await crew.submit("hang:transcribe"))
    assert job.state is JobState.FAILED
    assert [problem.code for problem in job.problems] == [ErrorCode.TIMED_OUT]


async def test_a_worker_that_is_asked_to_stop_finishes_its_window_and_hands_the_job_back_uncharged(crew: Crew) -> None:
    first = await crew.start()
    job = await crew.submit("pace:transcribe:0.1", seconds=LONG)
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    first.signal(signal.SIGTERM)
    waiting = await crew.reaches(job, lambda row: row.state is JobState.QUEUED)
    assert first.process.wait(20) == 0
    assert (waiting.attempt, waiting.crashes, waiting.windows) == (0, 0, 1)
    await crew.start()
    ended = await crew.ends(job)
    assert (ended.state, ended.attempt, ended.problems) == (JobState.SUCCEEDED, 1, [])
    assert sorted(crew.calls(job, "transcribe")) == [30.0 * i for i in range(18)]


async def test_a_worker_that_is_asked_twice_hands_the_job_back_at_once(crew: Crew) -> None:
    worker = await crew.start(DRAIN_SECONDS="1000")
    job = await crew.submit("hang:transcribe")
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    worker.signal(signal.SIGTERM)
    await crew.reaches(job, lambda _: worker.said("worker.draining"))
    worker.signal(signal.SIGTERM)
    waiting = await crew.reaches(job, lambda row: row.state is JobState.QUEUED)
    assert worker.process.wait(20) == 0
    assert (waiting.attempt, waiting.crashes) == (0, 0)


async def test_an_idle_worker_stops_and_leaves_no_folder_behind(crew: Crew) -> None:
    worker = await crew.start()
    await crew.ends(await crew.submit())
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(20) == 0
    assert not list((crew.home / "scratch").iterdir())


async def test_an_idle_worker_gives_the_models_memory_back_and_says_so(crew: Crew) -> None:
    worker = await crew.start(UNLOAD_SECONDS="0.2")
    await crew.ends(await crew.submit())
    await until(lambda: not psutil.Process(worker.process.pid).children())
    await reached(crew.facts, lambda facts: bool(facts.models) and not any(model.loaded for model in facts.models))
    assert (await crew.ends(await crew.submit())).state is JobState.SUCCEEDED


async def test_a_worker_whose_model_is_missing_does_not_start_and_says_why(crew: Crew) -> None:
    worker = crew.launch(MODEL="none")
    assert await asyncio.to_thread(worker.process.wait, 60) == os.EX_CONFIG, worker.log.read_text()
    lines = [line for line in worker.log.read_text().splitlines() if '"level":"error"' in line]
    assert len(lines) == 1, lines
    [line] = lines
    assert '"code":"MODEL_UNAVAILABLE"' in line
    assert '"remedy":"Ask for another."' in line
    assert [problem.code for problem in (await crew.facts()).problems] == [ErrorCode.MODEL_UNAVAILABLE]


async def test_what_a_killed_worker_left_on_the_disk_goes_when_the_next_one_starts(crew: Crew, tmp_path: Path) -> None:
    first = await crew.start()
    job = await crew.submit(f"hold:transcribe:{tmp_path / 'never'}")
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    [left] = (crew.home / "scratch").iterdir()
    first.kill()
    await crew.start()
    assert not left.exists()
