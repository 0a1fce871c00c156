"""`python -m api jobs`, as an operator types it, on both databases."""

import asyncio
import os
import subprocess
import sys

from db import jobs
from db.domain.states import Transition
from db.domain.values import ErrorCode, JobState, Problem
from db.jobs import attempts
from db.models import Job
from db.queue import leases
from db.store.session import Database
from tests.factories import queued, running


async def typed(database: Database, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GRAPHOPHONE_DATABASE_URL": database.url}
    command = [sys.executable, "-m", "api", "jobs", *words]
    return await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )


async def state(database: Database, job: Job) -> JobState:
    async with database.read() as session:
        found = await jobs.get(session, job.owner_id, job.id)
    assert found
    return found.state


async def test_an_operator_sees_what_runs_waits_and_is_quarantined_and_can_lend_a_hand(database: Database) -> None:
    assert "Nothing runs" in (await typed(database)).stdout
    poison, lease = await running(database)
    problem = Problem(code=ErrorCode.WORKER_LOST, message="The worker was lost 3 times.")
    async with database.write() as session:
        await attempts.finish(session, lease, Transition.FAIL, crashes=leases.MAX_CRASHES, problems=[problem])
    busy, _ = await running(database)
    waiting = await queued(database, "usr_b")
    lines = {line.split()[0]: line for line in (await typed(database)).stdout.splitlines()}
    assert "RUNNING" in lines[busy.id]
    assert "w1" in lines[busy.id]
    assert "QUEUED" in lines[waiting.id]
    assert "QUARANTINED" in lines[poison.id]
    assert "WORKER_LOST: The worker was lost 3 times." in lines[poison.id]
    assert (await typed(database, "requeue", poison.id)).stdout.strip() == f"{poison.id} is QUEUED."
    assert (await typed(database, "cancel", busy.id)).returncode == 0
    assert await state(database, poison) is JobState.QUEUED
    assert await state(database, busy) is JobState.CANCELED


async def test_a_job_that_does_not_exist_is_said_so_with_an_exit_code(database: Database) -> None:
    done = await typed(database, "cancel", "job_none")
    assert done.returncode == 1
    assert "There is no work with this id." in done.stderr
