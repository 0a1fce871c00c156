"""Jobs on real workers, from the queue to their end."""

from db.values import JobState
from tests.fixtures.workers import Crew


async def test_a_job_runs_through_all_stages_to_its_end(crew: Crew) -> None:
    await crew.start()
    job = await crew.ends(await crew.submit())
    assert job.state is JobState.SUCCEEDED, job.problems
    assert (job.attempt, job.worker, job.lease_until) == (1, None, None)
