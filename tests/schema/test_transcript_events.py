"""What one client changes, the others see."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from db import exports, jobs
from db.models import Export
from db.queue import claims
from tests.fixtures.graph import Graph
from tests.schema.test_edits import edit, finished, seg, spk

FOLLOW = """subscription($id: ID!, $after: String) { transcriptEvents(transcriptId: $id, after: $after) { __typename
  cursor ... on TranscriptRevised { transcript { id revision title } revision { number summary author { id } }
  removedIds segments { id text } speakers { id name } } ... on ExportChanged { export { id state } }
  ... on JobDeleted { deletedId transcriptId } } }"""
EVERYTHING = FOLLOW.replace("$id: ID!, ", "").replace("transcriptEvents(transcriptId: $id, ", "viewerEvents(")


async def events(graph: Graph, query: str = FOLLOW, **variables: Any) -> AsyncIterator[dict[str, Any]]:
    """The events of a subscription, each within a minute."""
    async with aclosing(graph.watch(query, **variables)) as answers:  # type: ignore[type-var]  # a generator
        while True:
            async with asyncio.timeout(60):
                answer = await anext(answers, None)
            if answer is None:
                return
            assert "errors" not in answer, answer
            [event] = answer["data"].values()
            yield event


async def following(graph: Graph, id_: str) -> tuple[AsyncIterator[dict[str, Any]], "asyncio.Future[dict[str, Any]]"]:
    """A subscription that is up, and the task of its next event."""
    stream = events(graph, id=id_)
    waiting: asyncio.Future[dict[str, Any]] = asyncio.ensure_future(anext(stream))
    while not graph.broadcaster._followed:
        await asyncio.sleep(0)
    [(buffer, _)] = graph.broadcaster._followed.values()
    await buffer.ready()
    return stream, waiting


async def test_who_looks_at_a_transcript_sees_what_others_correct(graph: Graph) -> None:
    id_ = await finished(graph, "One.", "Two.")
    stream, waiting = await following(graph, id_)
    await edit(graph, "editSegment", seg(id_, 1), text="Deux.")
    told = await waiting
    assert (told["__typename"], told["transcript"]["revision"], told["revision"]["number"]) == (
        "TranscriptRevised",
        2,
        2,
    )
    assert told["segments"] == [{"id": seg(id_, 1), "text": "Deux."}]
    assert (told["revision"]["author"], told["removedIds"]) == ({"id": "usr_alice"}, [])
    await edit(graph, "mergeSpeakers", None, seen=2, speakerIds=[spk(id_, 1)], intoId=spk(id_, 0))
    told = await anext(stream)
    assert (told["removedIds"], told["speakers"][0]["id"]) == ([spk(id_, 1)], spk(id_, 0))
    await stream.aclose()  # type: ignore[attr-defined]  # a generator


async def test_exports_and_the_end_are_told_and_missed_events_are_replayed(graph: Graph) -> None:
    id_ = await finished(graph, "One.")
    stream, waiting = await following(graph, id_)
    await edit(graph, "editSegment", seg(id_, 0), text="Un.")
    first = await waiting
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
    create = "mutation($input: CreateExportInput!) { createExport(input: $input) { __typename } }"
    await graph.data(create, input={"transcriptId": id_, "format": "TXT"})
    claimed = await claims.claim(graph.db, Export, worker="w")
    assert claimed
    async with graph.db.write() as session:
        await exports.finish(session, claimed[1], blob_key="exports/1", byte_size=1, sha256="0")
    again = events(graph, id=id_, after=first["cursor"])
    told = [await anext(again), await anext(again)]
    assert [event["export"]["state"] for event in told] == ["READY", "READY"]  # as it is now
    async with graph.db.write() as session:
        await jobs.delete(session, graph.owner, id_.replace("trn_", "job_"))
    rest = [event async for event in again]
    assert [(event["__typename"], event["transcriptId"]) for event in rest] == [("JobDeleted", id_)]


async def test_the_viewer_hears_of_everything_at_once(graph: Graph) -> None:
    id_ = await finished(graph, "One.")
    waiting = await graph.job()
    stream = events(graph, EVERYTHING)
    snapshot = await anext(stream)
    await edit(graph, "renameSpeaker", spk(id_, 0), name="Ann")
    async with graph.db.write() as session:
        await jobs.update_facts(session, graph.owner, waiting.id, {"tags": ["x"]})
        await jobs.delete(session, graph.owner, waiting.id)
    told = [await anext(stream) for _ in range(2)]
    assert [event["__typename"] for event in (snapshot, *told)] == ["JobSnapshot", "TranscriptRevised", "JobDeleted"]
    assert told[1]["deletedId"] == waiting.id
    await stream.aclose()  # type: ignore[attr-defined]  # a generator


async def test_a_jobs_own_events_hold_nothing_of_its_transcript(graph: Graph) -> None:
    id_ = await finished(graph, "One.")
    await edit(graph, "editSegment", seg(id_, 0), text="Un.")
    query = "query($id: ID!) { job(id: $id) { events { totalCount edges { node { __typename } } } } }"
    found = (await graph.data(query, id=id_.replace("trn_", "job_")))["job"]["events"]
    kinds = {edge["node"]["__typename"] for edge in found["edges"]}
    assert (kinds, found["totalCount"]) == ({"JobStateChanged", "SegmentsAppended"}, len(found["edges"]))


async def test_somebody_elses_transcript_cannot_be_followed(graph: Graph, bob: Graph) -> None:
    id_ = await finished(graph, "One.")
    [answer] = [answer async for answer in bob.watch(FOLLOW, id=id_)]
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_exports_are_not_told_to_whom_may_not_read_them(graph: Graph) -> None:
    id_ = await finished(graph, "One.")
    reader = Graph(graph.db, graph.blobs, graph.live, scopes=frozenset({"transcripts:read"}))
    stream, waiting = await following(reader, id_)
    create = "mutation($input: CreateExportInput!) { createExport(input: $input) { __typename } }"
    await graph.data(create, input={"transcriptId": id_, "format": "TXT"})
    await edit(graph, "editSegment", seg(id_, 0), text="Un.")
    assert (await waiting)["__typename"] == "TranscriptRevised"
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
