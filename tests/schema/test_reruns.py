from typing import Any

import pytest

from db.domain.states import Transition
from db.jobs import attempts
from tests.fixtures.graph import Graph, segment

FRAGMENT = "... on UserError { code }"
RETRY = f"""mutation($id: ID!) {{ retryJob(id: $id) {{ __typename
  ... on RetryJobPayload {{ job {{ id state attempt }} }} {FRAGMENT} }} }}"""
RERUN = f"""mutation($id: ID!, $input: RerunStageInput!) {{ rerunStage(id: $id, input: $input) {{ __typename
  ... on RerunStagePayload {{ job {{ state options {{ numSpeakers diarize }} stages {{ stage state }} }} }}
  ... on InvalidInputError {{ fields {{ path }} }} {FRAGMENT} }} }}"""
DELETE = f"""mutation($id: ID!) {{ deleteJob(id: $id) {{ __typename
  ... on DeleteJobPayload {{ deletedId }} {FRAGMENT} }} }}"""


async def ended(graph: Graph, how: Transition) -> str:
    """A job that ended like this; its id."""
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, segment(0))
    async with graph.db.write() as session:
        await attempts.finish(session, lease, how)
    return job.id


async def test_a_failed_job_is_queued_again(graph: Graph) -> None:
    id_ = await ended(graph, Transition.FAIL)
    answer = (await graph.data(RETRY, id=id_))["retryJob"]
    assert answer["job"] == {"id": id_, "state": "QUEUED", "attempt": 0}
    assert (await graph.data(RETRY, id=id_))["retryJob"]["code"] == "CONFLICT"


async def test_a_stage_is_done_again_with_another_number_of_speakers(graph: Graph) -> None:
    id_ = await ended(graph, Transition.SUCCEED)
    wanted = {"stage": "DIARIZE", "numSpeakers": 3}
    job = (await graph.data(RERUN, id=id_, input=wanted))["rerunStage"]["job"]
    assert (job["state"], job["options"]) == ("QUEUED", {"numSpeakers": 3, "diarize": True})
    assert {"stage": "DIARIZE", "state": "PENDING"} in job["stages"]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"stage": "TRANSCRIBE"}, "stage"),
        ({"stage": "DIARIZE", "numSpeakers": 0}, "numSpeakers"),
        ({"stage": "DIARIZE", "minSpeakers": 3, "maxSpeakers": 1}, "minSpeakers"),
        ({"stage": "ALIGN", "numSpeakers": 2}, "stage"),
    ],
)
async def test_a_rerun_that_makes_no_sense_is_refused(graph: Graph, values: dict[str, Any], path: str) -> None:
    answer = (await graph.data(RERUN, id=await ended(graph, Transition.SUCCEED), input=values))["rerunStage"]
    assert answer["fields"][0]["path"] == ["input", path]


async def test_a_deleted_job_is_gone_with_everything_of_it(graph: Graph, bob: Graph) -> None:
    id_ = await ended(graph, Transition.SUCCEED)
    assert (await bob.data(DELETE, id=id_))["deleteJob"]["code"] == "NOT_FOUND"
    assert (await graph.data(DELETE, id=id_))["deleteJob"]["deletedId"] == id_
    query = "query($job: ID!, $transcript: ID!) { job(id: $job) { id } transcript(id: $transcript) { id } }"
    found = await graph.data(query, job=id_, transcript=id_.replace("job_", "trn_"))
    assert found == {"job": None, "transcript": None}
    assert (await graph.data(DELETE, id=id_))["deleteJob"]["code"] == "NOT_FOUND"
