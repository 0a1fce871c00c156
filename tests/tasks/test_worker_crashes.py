"""Workers and engines that die: nothing is lost, nothing that was finished is done twice."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from db.domain.values import ErrorCode, JobState, Stage, StageState
from db.events import StateChanged
from db.models import Job
from tests.fixtures.workers import Crew

LONG = 540.0  # three windows of at most 240 seconds, in chunks of 30


def windows(count: int) -> Callable[[Job], bool]:
    return lambda job: job.windows >= count


async def test_a_job_runs_through_all_stages_to_its_end(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    assert job.state is JobState.SUCCEEDED, job.problems
    assert (job.attempt, job.worker, job.lease_until) == (1, None, None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_log_tells_a_job_s_story_under_its_id(crew: Crew) -> None:
    worker = await crew.start()
    job = await crew.ends(await crew.submit())
    await crew.reaches(job, lambda _: worker.said("job.finished"))
    lines = [json.loads(line) for line in worker.log.read_text().splitlines() if job.id in line]
    story = [line["event"] for line in lines if line.get("process") == "worker-speech"]
    assert story[0] == "job.claimed"
    assert set(story[1:-1]) == {"job.stage"}
    assert story[-1] == "job.finished"
    assert {line["correlation_id"] for line in lines} == {job.correlation_id}


async def test_the_job_of_a_killed_worker_is_finished_by_another_which_repeats_no_finished_window(
    crew: Crew, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    first = await crew.start()
    job = await crew.submit(f"hold:transcribe@300:{go_on}", seconds=LONG)
    await crew.reaches(job, windows(1))
    first.kill()
    go_on.touch()
    await crew.start()
    ended = await crew.ends(job)
    assert (ended.state, ended.crashes, ended.attempt) == (JobState.SUCCEEDED, 1, 2), ended.problems
    calls = crew.calls(job, "transcribe")
    assert sorted(set(calls)) == [30.0 * i for i in range(18)]
    assert {place for place in calls if calls.count(place) > 1} <= {240.0, 270.0, 300.0}
    states = [event.body.after for event in await crew.events(job) if isinstance(event.body, StateChanged)]
    assert states == [JobState.QUEUED, JobState.RUNNING, JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]


async def test_the_child_of_a_killed_worker_does_not_outlive_it(crew: Crew, tmp_path: Path) -> None:
    worker = await crew.start()
    job = await crew.submit(f"hold:transcribe:{tmp_path / 'never'}")
    await crew.reaches(job, lambda row: row.stage is Stage.TRANSCRIBE)
    child = worker.child
    worker.kill()
    child.wait(5)


async def test_a_killed_engine_is_started_again_by_the_same_worker(crew: Crew, tmp_path: Path) -> None:
    worker = await crew.start()
    job = await crew.submit(f"crash:transcribe@300:{tmp_path / 'crashed'}", seconds=LONG)
    ended = await crew.ends(job)
    assert (ended.state, ended.crashes) == (JobState.SUCCEEDED, 1)
    assert [problem.code for problem in ended.problems] == [ErrorCode.WORKER_LOST]
    assert crew.calls(job, "transcribe").count(0.0) == 1
    assert worker.process.poll() is None


async def test_a_job_whose_engine_dies_three_times_is_quarantined_with_the_reason(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit("crash:transcribe"))
    assert (job.state, job.crashes) == (JobState.FAILED, 3)
    last = job.problems[-1]
    assert (last.code, last.stage, last.retryable) == (ErrorCode.WORKER_LOST, Stage.TRANSCRIBE, False)
    assert last.remedy
    assert "3 times" in last.remedy


async def test_a_worker_that_froze_beyond_its_lease_changes_nothing_when_it_wakes_up(
    crew: Crew, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    zombie = await crew.start()
    job = await crew.submit(f"hold:transcribe@300:{go_on}", seconds=LONG)
    await crew.reaches(job, windows(1))
    await crew.freeze(zombie, job)
    await crew.start()
    await crew.reaches(job, lambda row: row.worker is not None and not row.worker.endswith(zombie.name))
    go_on.touch()
    ended = await crew.ends(job)
    told = await crew.events(job)
    zombie.signal(signal.SIGCONT)
    await crew.ends(await crew.submit())  # somebody is at work again
    await crew.reaches(job, lambda _: zombie.said("job.lease_lost"))
    after = await crew.job(job)
    assert (after.state, after.fence, after.attempt) == (JobState.SUCCEEDED, ended.fence, 2)
    assert await crew.events(job) == told


async def test_a_job_is_run_although_valkey_was_down_when_it_was_submitted(crew: Crew, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        await crew.start()
        client.execute_command("CLIENT", "PAUSE", "1000", "ALL")
        job = await crew.submit()
        assert (await crew.job(job)).state is JobState.QUEUED
        assert (await crew.ends(job)).state is JobState.SUCCEEDED


async def test_a_flush_of_valkey_loses_no_waiting_job(crew: Crew, redis_url: str, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    await crew.start()
    jobs = [await crew.submit(f"hold:transcribe:{go_on}") for _ in range(3)]
    await crew.reaches(jobs[0], lambda row: row.stage is Stage.TRANSCRIBE)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    go_on.touch()
    for job in jobs:
        assert (await crew.ends(job)).state is JobState.SUCCEEDED


async def test_what_passes_is_tried_again_and_costs_no_finished_window(crew: Crew, tmp_path: Path) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit(f"oom:transcribe@300:{tmp_path / 'once'}", seconds=LONG))
    assert (job.state, job.attempt, job.crashes) == (JobState.SUCCEEDED, 2, 0)
    assert [problem.code for problem in job.problems] == [ErrorCode.OUT_OF_MEMORY]
    assert crew.calls(job, "transcribe").count(0.0) == 1


async def test_weights_that_are_missing_fail_the_job_at_once(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit("missing:transcribe"))
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert [problem.code for problem in job.problems] == [ErrorCode.MODEL_UNAVAILABLE]


async def test_a_recording_whose_file_is_gone_fails_at_once(crew: Crew) -> None:
    job = await crew.submit()
    await crew.blobs.delete(f"media/{job.media_id}")
    await crew.start()
    ended = await crew.ends(job)
    assert (ended.state, ended.attempt) == (JobState.FAILED, 1)
    assert [problem.code for problem in ended.problems] == [ErrorCode.NOT_FOUND]


async def test_an_optional_stage_that_fails_leaves_the_transcript_and_a_retry_does_only_that_stage(
    crew: Crew, tmp_path: Path
) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit(f"fault:diarize:{tmp_path / 'once'}"))
    assert job.state is JobState.PARTIAL
    reports = {report.stage: report for report in job.stages}
    assert reports[Stage.DIARIZE].state is StageState.FAILED
    assert reports[Stage.ALIGN].state is StageState.DONE
    await crew.again(job)
    assert (await crew.ends(job)).state is JobState.SUCCEEDED
    assert [len(crew.calls(job, stage)) for stage in ("transcribe", "align", "embeddings", "diarize")] == [1, 1, 1, 2]


async def test_another_number_of_speakers_neither_transcribes_nor_listens_again(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit(seconds=90.0))
    await crew.rerun(job, Stage.DIARIZE, num_speakers=3)
    assert (await crew.ends(job)).state is JobState.SUCCEEDED
    assert [len(crew.calls(job, stage)) for stage in ("transcribe", "align", "embeddings", "diarize")] == [3, 3, 1, 2]
    assert len(await crew.speakers(job)) == 3
