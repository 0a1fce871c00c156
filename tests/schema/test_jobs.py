from typing import Any

import pytest

from db.domain.states import Transition
from db.jobs import attempts
from tests.fixtures.graph import SCOPES, Graph, segment

JOB = """query($id: ID!) { job(id: $id) { id state stage progress etaSeconds queuePosition
  stages { stage state progress startedAt } problems { code } attempt
  media { id filename byteSize durationSeconds playbackUrl } transcript { id } tags metadata priority
  options { model language task align diarize numSpeakers hotwords }
  idempotencyKey correlationId createdAt startedAt finishedAt realtimeFactor } }"""
JOBS = """query($first: Int, $after: String, $last: Int, $before: String, $filter: JobFilter, $by: JobOrder) {
  jobs(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $by) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } } }"""
CANCEL = """mutation($id: ID!) { cancelJob(id: $id) { __typename ... on CancelJobPayload { job { id state } }
  ... on UserError { code message correlationId } } }"""


async def test_a_queued_job_tells_what_was_asked_and_where_it_stands(graph: Graph) -> None:
    row = await graph.job(tags=("a", "b"), metadata={"x": [1, None]}, priority=3, idempotency_key="k")
    job = (await graph.data(JOB, id=row.id))["job"]
    assert job.pop("createdAt").endswith("Z")
    assert job.pop("media")["durationSeconds"] == 30.0
    stages = ["DECODE", "LOAD", "TRANSCRIBE", "ALIGN", "DIARIZE", "PERSIST"]
    assert [stage["stage"] for stage in job.pop("stages")] == stages
    assert job == {
        "id": row.id, "state": "QUEUED", "stage": None, "progress": 0.0, "etaSeconds": None, "queuePosition": 1,
        "problems": [], "attempt": 0, "transcript": None, "tags": ["a", "b"], "metadata": {"x": [1, None]},
        "priority": 3, "idempotencyKey": "k", "correlationId": "corr-1", "startedAt": None, "finishedAt": None,
        "realtimeFactor": None,
        "options": {"model": "auto", "language": None, "task": "TRANSCRIBE", "align": True, "diarize": True,
                    "numSpeakers": None, "hotwords": []},
    }  # fmt: skip


async def test_a_finished_job_has_a_transcript_and_a_realtime_factor(graph: Graph) -> None:
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, segment(0))
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.SUCCEED)
    shown = (await graph.data(JOB, id=job.id))["job"]
    assert shown["state"] == "SUCCEEDED"
    assert shown["transcript"] == {"id": job.id.replace("job_", "trn_")}
    assert 0 <= shown["realtimeFactor"] < 1
    assert shown["queuePosition"] is None


@pytest.mark.parametrize("id_", ["job_01nothing", "", "job_", "x" * 5000, "job_\0", "med_1", "job_'; DROP TABLE job"])
async def test_an_id_that_means_nothing_is_null(graph: Graph, id_: str) -> None:
    assert await graph.data(JOB, id=id_) == {"job": None}
    assert await graph.data("query($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}


async def test_somebody_elses_job_answers_as_one_that_does_not_exist(graph: Graph, bob: Graph) -> None:
    row = await graph.job()
    nothing = (await bob.data(CANCEL, id="job_nothing"))["cancelJob"]
    assert await bob.data(JOB, id=row.id) == {"job": None}
    assert (await bob.data(JOBS))["jobs"]["totalCount"] == 0
    assert (await bob.data(CANCEL, id=row.id))["cancelJob"] == nothing
    assert nothing["code"] == "NOT_FOUND"


async def test_a_queued_job_is_cancelled_once(graph: Graph) -> None:
    row = await graph.job()
    assert (await graph.data(CANCEL, id=row.id))["cancelJob"]["job"] == {"id": row.id, "state": "CANCELED"}
    again = (await graph.data(CANCEL, id=row.id))["cancelJob"]
    assert (again["__typename"], again["code"], again["correlationId"]) == ("ConflictError", "CONFLICT", "corr-1")


async def test_waiting_jobs_know_their_places(graph: Graph) -> None:
    low, high, middle = [await graph.job(priority=priority) for priority in (-1, 5, 0)]
    answer = await graph.data("{ jobs { edges { node { id queuePosition } } } }")
    places = {edge["node"]["id"]: edge["node"]["queuePosition"] for edge in answer["jobs"]["edges"]}
    assert places == {high.id: 1, middle.id: 2, low.id: 3}


async def test_pages_forward_and_backward_hold_every_job_once_while_jobs_arrive(graph: Graph) -> None:
    ids = [(await graph.job()).id for _ in range(5)][::-1]
    seen, after = [], None
    while True:
        page = (await graph.data(JOBS, first=2, after=after))["jobs"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        await graph.job()  # arrives before the first page, and changes nothing behind it
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == ids
    back = (await graph.data(JOBS, last=2, before=page["pageInfo"]["startCursor"]))["jobs"]
    assert [edge["node"]["id"] for edge in back["edges"]] == ids[2:4]
    assert back["pageInfo"]["hasPreviousPage"]
    assert back["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize("order", ["CREATED_AT_DESC", "CREATED_AT_ASC", "FINISHED_AT_DESC"])
@pytest.mark.parametrize("backward", [False, True])
async def test_any_page_size_from_either_end_gives_the_same_list(graph: Graph, order: str, backward: bool) -> None:
    rows = [await graph.job() for _ in range(7)]
    for row in rows[1::2]:
        await graph.data(CANCEL, id=row.id)
    whole = (await graph.data(JOBS, first=100, by=order))["jobs"]
    for size in range(1, 9):
        seen: list[str] = []
        cursor, more = None, True
        while more:
            where = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
            page = (await graph.data(JOBS, by=order, **where))["jobs"]
            ids = [edge["node"]["id"] for edge in page["edges"]]
            seen = ids + seen if backward else seen + ids
            cursor = page["pageInfo"]["startCursor" if backward else "endCursor"]
            more = page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]
        assert seen == [edge["node"]["id"] for edge in whole["edges"]]
    assert len(seen) == whole["totalCount"] == 7


async def test_jobs_are_filtered_by_state_age_and_exact_tags(graph: Graph) -> None:
    first = await graph.job(tags=("Red", "50%"))
    second = await graph.job(tags=("red", "blue"))
    await graph.data(CANCEL, id=first.id)

    async def found(**wanted: Any) -> list[str]:
        return [edge["node"]["id"] for edge in (await graph.data(JOBS, filter=wanted))["jobs"]["edges"]]

    assert await found(states=["CANCELED"]) == [first.id]
    assert await found(states=[]) == []
    assert await found(tags=["red"]) == [second.id]
    assert await found(tags=["red", "blue"]) == [second.id]
    assert await found(tags=["red", "Red"]) == []
    assert await found(tags=["50%"]) == [first.id]
    assert await found(tags=["%"]) == []
    assert await found(createdAfter="2020-01-01T00:00:00+01:00") == [second.id, first.id]
    assert await found(createdBefore="2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize("arguments", [{"first": 101}, {"first": -1}, {"last": 101}, {"after": "nonsense"},
                                       {"before": "WyJKb2IiXQ"}, {"after": "é\0"}, {"after": ""},
                                       {"filter": {"tags": ["\0"]}}])  # fmt: skip
async def test_a_page_that_cannot_be_had_is_an_error_and_never_clamped(graph: Graph, arguments: dict[str, Any]) -> None:
    assert (await graph.error(JOBS, **arguments))["code"] == "INVALID_INPUT"


async def test_a_cursor_of_another_order_is_refused(graph: Graph) -> None:
    await graph.job()
    cursor = (await graph.data(JOBS))["jobs"]["pageInfo"]["endCursor"]
    error = await graph.error(JOBS, after=cursor, by="CREATED_AT_ASC")
    assert (error["code"], error["details"]) == ("INVALID_INPUT", {"field": "after"})


async def test_reading_jobs_needs_its_scope(graph: Graph) -> None:
    row = await graph.job()
    graph.scopes = frozenset({"transcripts:read"})
    error = await graph.error(JOB, id=row.id)
    assert (error["code"], error["details"]) == ("FORBIDDEN", {"requiredScope": "jobs:read"})
    denied = (await graph.data(CANCEL, id=row.id))["cancelJob"]
    assert denied["__typename"] == "ForbiddenError"


@pytest.mark.parametrize(
    ("prefix", "scope"),
    [("job", "jobs:read"), ("med", "jobs:read"), ("trn", "transcripts:read"), ("exp", "exports:read")],
)
async def test_a_node_needs_the_scope_of_its_type(graph: Graph, prefix: str, scope: str) -> None:
    id_ = f"{prefix}_1"
    graph.scopes = frozenset({scope})
    assert await graph.data("query($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}
    graph.scopes = SCOPES - {scope}
    for query in ("query($id: ID!) { node(id: $id) { id } }", "query($id: ID!) { nodes(ids: [$id]) { id } }"):
        error = await graph.error(query, id=id_)
        assert (error["code"], error["details"]) == ("FORBIDDEN", {"requiredScope": scope})


async def test_nodes_come_in_the_order_of_their_ids(graph: Graph, bob: Graph) -> None:
    mine, hers = await graph.job(), await bob.job()
    ids = [mine.media_id, hers.id, mine.id, "usr_alice", "usr_bob"]
    found = (await graph.data("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids))["nodes"]
    assert found == [
        {"__typename": "Media", "id": mine.media_id},
        None,
        {"__typename": "Job", "id": mine.id},
        {"__typename": "User", "id": "usr_alice"},
        None,
    ]
    error = await graph.error("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["job_1"] * 101)
    assert error["code"] == "INVALID_INPUT"


async def test_the_viewer_is_who_asks(graph: Graph) -> None:
    viewer = (await graph.data("{ viewer { user { id name email } scopes } }"))["viewer"]
    assert viewer["user"] == {"id": "usr_alice", "name": "Alice", "email": None}
    assert "jobs:read" in viewer["scopes"]
