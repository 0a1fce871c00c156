"""Webhooks in the graph: endpoints and their secrets, what is recorded for them, and in which order it may be sent."""

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from db import exports, transcripts
from db.accounts.scopes import MEMBER_SCOPES
from db.domain.states import Transition
from db.domain.values import JobState
from db.jobs import attempts
from db.models import Export
from db.queue import claims
from db.queue.leases import Lease
from db.webhooks import deliveries
from db.webhooks.deliveries import Answer
from db.webhooks.tables import AT_ONCE, WebhookDelivery, WebhookEndpoint
from tests.fixtures.graph import Graph, segment

EVENTS = ["JOB_STARTED", "JOB_FINISHED", "JOB_FAILED", "EXPORT_READY", "TRANSCRIPT_REVISED", "MEDIA_DELETED"]
CREATE = """mutation($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { __typename
  ... on CreateWebhookEndpointPayload { secret webhookEndpoint { id url events state } }
  ... on InvalidInputError { fields { path } } ... on LimitExceededError { limit } } }"""
UPDATE = """mutation($id: ID!, $input: UpdateWebhookEndpointInput!) { updateWebhookEndpoint(id: $id, input: $input) {
  ... on UpdateWebhookEndpointPayload { webhookEndpoint { url events state reason } } } }"""
REPLAY = """mutation($id: ID!) { replayWebhookDelivery(id: $id) { __typename
  ... on ReplayWebhookDeliveryPayload { delivery { id state attempts } } ... on ConflictError { details } } }"""
SHOWN = """{ viewer { webhookEndpoints { id reason deliveries { totalCount edges { node {
  id event state attempts lastStatus lastError lastAnswer nextAttemptAt } } } } } }"""


@pytest.fixture(autouse=True)
def member(graph: Graph, bob: Graph) -> None:
    graph.scopes = bob.scopes = MEMBER_SCOPES


async def endpoint(graph: Graph, url: str = "https://example.org/hook", events: list[str] = EVENTS) -> dict[str, Any]:
    found: dict[str, Any] = (await graph.data(CREATE, input={"url": url, "events": events}))["createWebhookEndpoint"]
    return found


async def changed(graph: Graph, id_: str, **values: Any) -> Any:
    return (await graph.data(UPDATE, id=id_, input=values))["updateWebhookEndpoint"]["webhookEndpoint"]


async def shown(graph: Graph) -> list[dict[str, Any]]:
    """The deliveries of the only endpoint, the oldest first."""
    [found] = (await graph.data(SHOWN))["viewer"]["webhookEndpoints"]
    return [edge["node"] for edge in found["deliveries"]["edges"]][::-1]


async def told(graph: Graph) -> list[dict[str, Any]]:
    async with graph.db.read() as session:
        rows = await session.execute(select(col(WebhookDelivery.body)).order_by(col(WebhookDelivery.number)))
        return [json.loads(body) for body in rows.scalars()]


async def done(graph: Graph, how: Transition = Transition.SUCCEED, **values: Any) -> str:
    """A job that started and ended; its id."""
    await graph.job(**values)
    job, lease = await graph.claim()
    await graph.append(lease, segment(0))
    async with graph.db.write() as session:
        await attempts.finish(session, lease, how)
    return job.id


async def taken(graph: Graph) -> tuple[WebhookDelivery, Lease] | None:
    return await claims.claim(graph.db, WebhookDelivery, worker="w")


async def failed(graph: Graph, row: WebhookDelivery, lease: Lease, *, delay_ms: int | None) -> None:
    async with graph.db.write() as session:
        answer = Answer(500, "oh", "500 Internal Server Error.")
        await deliveries.failed(session, row, lease, answer, delay_ms=delay_ms, pause_after_ms=1 << 60)


async def test_an_endpoint_s_secret_is_shown_when_it_is_made_and_rotated_and_never_again(graph: Graph) -> None:
    made = await endpoint(graph)
    assert made["webhookEndpoint"]["state"] == "ENABLED"
    rotate = "mutation($id: ID!) { rotateWebhookSecret(id: $id) { ... on CreateWebhookEndpointPayload { secret } } }"
    other = (await graph.data(rotate, id=made["webhookEndpoint"]["id"]))["rotateWebhookSecret"]["secret"]
    own = await graph.data("mutation { rotateJobWebhookSecret { ... on RotateJobWebhookSecretPayload { secret } } }")
    texts = {made["secret"], other, own["rotateJobWebhookSecret"]["secret"]}
    assert len(texts) == 3
    for text in texts:
        assert text.startswith("whsec_")
        assert 24 <= len(base64.b64decode(text.removeprefix("whsec_"))) <= 64


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org", "https://", "https://u:p@example.org", "https://example.org/#x",
     "https://example.org/\u00e9", "https://example.org:99999", "http://[::1", "https://example.org/ x",
     "https://example.org/" + "x" * 2000],
)  # fmt: skip
async def test_an_address_that_cannot_be_one_is_refused_with_its_path(graph: Graph, url: str) -> None:
    refused = await endpoint(graph, url, [])
    assert [fault["path"] for fault in refused["fields"]] == [["input", "url"], ["input", "events"]]
    create = """mutation($input: CreateJobInput!) { createJob(input: $input) {
      ... on InvalidInputError { fields { path } } } }"""
    source = {"source": {"mediaId": (await graph.media()).id}, "webhookUrl": url}
    answer = (await graph.data(create, input=source))["createJob"]
    assert [fault["path"] for fault in answer["fields"]] == [["input", "webhookUrl"]]


async def test_each_event_is_recorded_with_ids_and_states_only_for_those_who_chose_it(graph: Graph, bob: Graph) -> None:
    await endpoint(bob)
    await endpoint(graph)
    job = await done(graph)
    transcript = transcripts.transcript_id(job)
    await graph.data(
        'mutation($id: ID!) { updateTranscript(id: $id, input: {title: "t"}) { __typename } }', id=transcript
    )
    created = await graph.data(
        """mutation($id: ID!) { createExport(input: {transcriptId: $id, format: SRT}) {
        ... on CreateExportPayload { export { id } } } }""",
        id=transcript,
    )
    claimed = await claims.claim(graph.db, Export, worker="w")
    assert claimed
    async with graph.db.write() as session:
        await exports.finish(session, claimed[1], blob_key="x", byte_size=1, sha256="ab")
    media = (await graph.data("query($id: ID!) { job(id: $id) { media { id } } }", id=job))["job"]["media"]["id"]
    await graph.data("mutation($id: ID!) { deleteMedia(id: $id) { __typename } }", id=media)
    failed_job = await done(graph, Transition.FAIL)
    found = {one["type"]: one["data"] for one in await told(graph) if one["data"].get("jobId") != failed_job}
    same = {"jobId": job, "transcriptId": transcript}
    assert found == {
        "job.started": {"jobId": job, "mediaId": media, "state": "RUNNING"},
        "job.finished": same | {"mediaId": media, "state": "SUCCEEDED"},
        "transcript.revised": same | {"revision": 1},
        "export.ready": same
        | {"exportId": created["createExport"]["export"]["id"], "format": "SRT", "byteSize": 1, "sha256": "ab"},
        "media.deleted": {"mediaId": media},
    }
    assert [one["type"] for one in await told(graph) if one["data"].get("jobId") == failed_job] == [
        "job.started",
        "job.failed",
    ]
    assert await shown(bob) == []


async def test_of_one_job_the_next_message_waits_for_the_one_before_until_that_is_given_up(graph: Graph) -> None:
    await endpoint(graph)
    first, second = await done(graph), await done(graph)
    one, two = await taken(graph), await taken(graph)
    assert one
    assert two
    assert {one[0].subject, two[0].subject} == {first, second}
    assert {one[0].event, two[0].event} == {"JOB_STARTED"}
    assert await taken(graph) is None
    await failed(graph, *one, delay_ms=60_000)
    assert await taken(graph) is None
    await failed(graph, *two, delay_ms=None)
    three = await taken(graph)
    assert three
    assert (three[0].subject, three[0].event) == (two[0].subject, "JOB_FINISHED")
    assert [row["state"] for row in await shown(graph)].count("PARKED") == 1


async def test_one_receiver_is_sent_only_so_many_at_once_and_another_is_not_held_up(graph: Graph, bob: Graph) -> None:
    await endpoint(graph, events=["JOB_STARTED"])
    for _ in range(AT_ONCE + 2):
        await done(graph)
    running = [await taken(graph) for _ in range(AT_ONCE + 1)]
    assert [one is not None for one in running] == [True] * AT_ONCE + [False]
    await endpoint(bob, events=["JOB_STARTED"])
    await done(bob)
    found = await taken(graph)
    assert found
    assert found[0].owner_id == bob.owner


async def test_a_receiver_that_asks_for_patience_is_sent_nothing_at_all_for_a_while(graph: Graph) -> None:
    await endpoint(graph, events=["JOB_STARTED"])
    for _ in range(2):
        await done(graph)
    found = await taken(graph)
    assert found
    async with graph.db.write() as session:
        await deliveries.failed(
            session, *found, Answer(429, None, "429"), delay_ms=0, silent_ms=60_000, pause_after_ms=1 << 60
        )
    assert await taken(graph) is None
    async with graph.db.write() as session:
        await session.execute(update(WebhookEndpoint).values(silent_until=0))
    assert await taken(graph)


async def test_a_delivery_shows_how_it_went_and_is_replayed_with_the_same_id_and_bytes(graph: Graph) -> None:
    made = (await endpoint(graph, events=["JOB_STARTED"]))["webhookEndpoint"]
    await done(graph)
    found = await taken(graph)
    assert found
    row, lease = found
    assert (await graph.data(REPLAY, id=row.id))["replayWebhookDelivery"]["__typename"] == "ConflictError"
    await failed(graph, row, lease, delay_ms=None)
    assert await shown(graph) == [
        {"id": row.id, "event": "JOB_STARTED", "state": "PARKED", "attempts": 1, "lastStatus": 500,
         "lastError": "500 Internal Server Error.", "lastAnswer": "oh", "nextAttemptAt": None}
    ]  # fmt: skip
    await changed(graph, made["id"], state="DISABLED")
    refused = (await graph.data(REPLAY, id=row.id))["replayWebhookDelivery"]
    assert refused["details"] == {"state": "DISABLED"}
    await changed(graph, made["id"], state="ENABLED")
    replayed = (await graph.data(REPLAY, id=row.id))["replayWebhookDelivery"]["delivery"]
    assert replayed == {"id": row.id, "state": "PENDING", "attempts": 0}
    again = await taken(graph)
    assert again
    assert (again[0].id, again[0].body) == (row.id, row.body)


async def test_a_paused_endpoint_is_kept_what_happens_and_a_disabled_one_is_not(graph: Graph) -> None:
    made = (await endpoint(graph, events=["JOB_FINISHED"]))["webhookEndpoint"]
    assert (await changed(graph, made["id"], state="PAUSED"))["reason"] == "Paused by its owner."
    await done(graph)
    assert [row["state"] for row in await shown(graph)] == ["PARKED"]
    await changed(graph, made["id"], state="ENABLED")
    assert [row["state"] for row in await shown(graph)] == ["PENDING"]
    await changed(graph, made["id"], state="DISABLED")
    await done(graph)
    assert [row["state"] for row in await shown(graph)] == ["PARKED"]


async def test_what_is_told_is_undone_with_what_happened(graph: Graph) -> None:
    await endpoint(graph)
    await graph.job()
    _, lease = await graph.claim()
    with pytest.raises(ZeroDivisionError):
        async with graph.db.write() as session:
            await attempts.finish(session, lease, Transition.SUCCEED)
            raise ZeroDivisionError
    assert [one["type"] for one in await told(graph)] == ["job.started"]


async def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(graph: Graph) -> None:
    await endpoint(graph)
    await done(graph)
    found = await taken(graph)
    assert found
    await failed(graph, *found, delay_ms=None)
    async with graph.db.write() as session:
        assert await deliveries.forget(session, before=1 << 60) == 1
    async with graph.db.read() as session:
        [left] = (await session.execute(select(WebhookDelivery))).scalars()
    assert left.state is JobState.QUEUED
