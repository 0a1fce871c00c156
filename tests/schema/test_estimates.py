from typing import Any

from sqlalchemy import update
from sqlmodel import col

from db.domain.states import Transition
from db.domain.values import FeatureFacts, WorkerFacts
from db.jobs import attempts
from db.models import Job
from db.queue import workers
from schema.settings import IntakeSettings
from tests.fixtures.graph import Graph

ESTIMATE = """query($input: CreateJobInput!) { estimate(input: $input) { __typename ... on EstimatePayload {
  durationSeconds processingSeconds waitSeconds warnings } ... on InvalidInputError { fields { path } }
  ... on UserError { code } } }"""
USAGE = """{ viewer { usage { runningJobs queuedJobs audioSecondsThisMonth maxConcurrentJobs maxQueuedJobs
  maxAudioSecondsPerMonth } } }"""


async def estimate(graph: Graph, **values: Any) -> dict[str, Any]:
    source = {"mediaId": (await graph.media(seconds=60.0)).id}
    found: dict[str, Any] = (await graph.data(ESTIMATE, input={"source": source} | values))["estimate"]
    return found


async def test_without_any_experience_an_estimate_says_only_what_is_known(graph: Graph) -> None:
    assert await estimate(graph) == {
        "__typename": "EstimatePayload", "durationSeconds": 60.0, "processingSeconds": None, "waitSeconds": 0.0,
        "warnings": ["No speech worker is online: the job would wait."],
    }  # fmt: skip


async def test_an_estimate_goes_by_recent_jobs_and_by_what_waits(graph: Graph) -> None:
    await graph.job()  # 30 s of recording
    job, lease = await graph.claim()
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
        took = update(Job).where(col(Job.id) == job.id).values(started_at=1_000, finished_at=16_000)
        await session.execute(took)
        diarization = FeatureFacts(available=False, reason="no weights.")
        facts = WorkerFacts(alignment_languages=("en",), diarization=diarization)
        await workers.beat(session, "w1", "speech", facts)
    await graph.job()
    assert await estimate(graph, language="de") == {
        "__typename": "EstimatePayload", "durationSeconds": 60.0, "processingSeconds": 30.0, "waitSeconds": 15.0,
        "warnings": [
            "No aligner for de: word times would be estimated.", "Speakers would not be told apart: no weights.",
        ],
    }  # fmt: skip


async def test_an_estimate_fails_as_the_job_would(graph: Graph) -> None:
    assert (await estimate(graph, language="xx"))["fields"][0]["path"] == ["input", "language"]
    assert (await estimate(graph, source={"mediaId": "med_x"}))["code"] == "NOT_FOUND"
    await graph.job()
    graph.intake = IntakeSettings(max_queued=1, max_queued_per_owner=1)
    assert (await estimate(graph))["code"] == "QUEUE_FULL"


async def test_usage_counts_ones_own_jobs_and_recordings(graph: Graph, bob: Graph) -> None:
    await bob.job(priority=-1)
    await graph.job()
    await graph.job()
    await graph.claim()
    assert (await graph.data(USAGE))["viewer"]["usage"] == {
        "runningJobs": 1, "queuedJobs": 1, "audioSecondsThisMonth": 30.0, "maxConcurrentJobs": 4, "maxQueuedJobs": 100,
        "maxAudioSecondsPerMonth": None,
    }  # fmt: skip
