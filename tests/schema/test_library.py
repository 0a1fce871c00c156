"""Finding and changing what one has: recordings, exports, titles, tags."""

from typing import Any

import pytest

from db.domain.states import Transition
from db.jobs import attempts
from tests.fixtures.graph import Graph

DELETE_MEDIA = """mutation($id: ID!) { deleteMedia(id: $id) { ... on DeleteMediaPayload { media { id playbackUrl } }
  ... on UserError { code } } }"""
DELETE_EXPORT = """mutation($id: ID!) { deleteExport(id: $id) { ... on DeleteExportPayload { deletedId }
  ... on UserError { code } } }"""
EXPORT = """mutation($input: CreateExportInput!) { createExport(input: $input) { ... on CreateExportPayload {
  export { id } } } }"""


async def test_recordings_are_found_with_their_jobs_also_those_of_which_none_was_made(graph: Graph, bob: Graph) -> None:
    lonely, used = await graph.media("lonely.wav"), await graph.media("used.wav")
    jobs = [(await graph.job(media_id=used.id)).id for _ in range(3)]
    await bob.media("secret.wav")
    query = """{ viewer { media { totalCount edges { node { id filename jobs(first: 2) { totalCount edges { node { id }
      } pageInfo { hasNextPage } } } } } } }"""
    found = (await graph.data(query))["viewer"]["media"]
    [first, second] = [edge["node"] for edge in found["edges"]]
    assert (found["totalCount"], first["id"], second["id"]) == (2, used.id, lonely.id)
    assert [edge["node"]["id"] for edge in first["jobs"]["edges"]] == jobs[:0:-1]
    assert (first["jobs"]["totalCount"], first["jobs"]["pageInfo"]["hasNextPage"]) == (3, True)
    assert second["jobs"] == {"totalCount": 0, "edges": [], "pageInfo": {"hasNextPage": False}}
    assert (await bob.data("query($id: ID!) { media(id: $id) { id } }", id=used.id)) == {"media": None}


async def test_a_recordings_bytes_are_deleted_once_no_job_needs_them(graph: Graph) -> None:
    recording = await graph.media()
    await graph.job(media_id=recording.id)
    assert (await graph.data(DELETE_MEDIA, id=recording.id))["deleteMedia"] == {"code": "CONFLICT"}
    _, lease = await graph.claim()
    async with graph.db.write() as session:
        await attempts.finish(session, lease, Transition.FAIL)
    gone = {"media": {"id": recording.id, "playbackUrl": None}}
    assert (await graph.data(DELETE_MEDIA, id=recording.id))["deleteMedia"] == gone
    assert (await graph.data(DELETE_MEDIA, id=recording.id))["deleteMedia"] == gone
    assert (await graph.data(DELETE_MEDIA, id="med_x"))["deleteMedia"] == {"code": "NOT_FOUND"}


async def test_exports_are_listed_and_deleted(graph: Graph) -> None:
    id_ = await graph.transcript()
    for name in ("TXT", "SRT"):
        await graph.data(EXPORT, input={"transcriptId": id_, "format": name})
    listed = "{ viewer { exports(first: 1) { totalCount edges { node { id format } } } } }"
    [newest] = (await graph.data(listed))["viewer"]["exports"]["edges"]
    assert newest["node"]["format"] == "SRT"
    id_ = newest["node"]["id"]
    assert (await graph.data(DELETE_EXPORT, id=id_))["deleteExport"] == {"deletedId": id_}
    assert (await graph.data(DELETE_EXPORT, id=id_))["deleteExport"] == {"code": "NOT_FOUND"}
    assert (await graph.data(listed))["viewer"]["exports"]["totalCount"] == 1


UPDATE = """mutation($id: ID!, $input: UpdateJobInput!) { updateJob(id: $id, input: $input) { ... on UpdateJobPayload {
  job { tags metadata priority } } ... on InvalidInputError { fields { path } } ... on UserError { code } } }"""


async def test_what_is_the_clients_of_a_job_can_be_changed_and_the_rest_stays(graph: Graph, bob: Graph) -> None:
    row = await graph.job(tags=("a",), metadata={"k": 1})
    answer = (await graph.data(UPDATE, id=row.id, input={"tags": ["b", "b", "c"], "priority": 5}))["updateJob"]
    assert answer == {"job": {"tags": ["b", "c"], "metadata": {"k": 1}, "priority": 5}}
    answer = (await graph.data(UPDATE, id=row.id, input={"tags": None, "metadata": None}))["updateJob"]
    assert answer == {"job": {"tags": [], "metadata": None, "priority": 5}}
    wrong = (await graph.data(UPDATE, id=row.id, input={"tags": [" "], "priority": 11}))["updateJob"]
    assert [fault["path"][1] for fault in wrong["fields"]] == ["tags", "priority"]
    assert (await bob.data(UPDATE, id=row.id, input={"priority": 1}))["updateJob"] == {"code": "NOT_FOUND"}


async def test_a_transcripts_title_and_language_can_be_changed_without_a_revision(graph: Graph) -> None:
    id_ = await graph.transcript()
    query = """mutation($id: ID!, $input: UpdateTranscriptInput!) { updateTranscript(id: $id, input: $input) {
      ... on UpdateTranscriptPayload { transcript { title language revision } } ... on UserError { code } } }"""
    answer = (await graph.data(query, id=id_, input={"title": " Minutes ", "language": "de-AT"}))["updateTranscript"]
    assert answer == {"transcript": {"title": "Minutes", "language": "de", "revision": 1}}
    assert (await graph.data(query, id=id_, input={}))["updateTranscript"] == {"code": "INVALID_INPUT"}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"text": "BOARD"}, ["board.wav"]),
        ({"text": "a_d"}, []),
        ({"language": "de-DE"}, ["board.wav"]),
        ({"text": ".wav", "language": "fr"}, []),
    ],
)
async def test_jobs_are_filtered_by_text_and_language(graph: Graph, wanted: dict[str, Any], names: list[str]) -> None:
    recording = await graph.media("board.wav")
    id_ = await graph.transcript(media_id=recording.id)
    query = 'mutation($id: ID!) { updateTranscript(id: $id, input: {language: "de"}) { __typename } }'
    await graph.data(query, id=id_)
    await graph.job()
    listed = "query($filter: JobFilter) { jobs(filter: $filter) { edges { node { media { filename } } } } }"
    found = (await graph.data(listed, filter=wanted))["jobs"]["edges"]
    assert [edge["node"]["media"]["filename"] for edge in found] == names


async def test_jobs_are_filtered_by_recording(graph: Graph) -> None:
    recording = await graph.media()
    row = await graph.job(media_id=recording.id)
    await graph.job()
    listed = "query($filter: JobFilter) { jobs(filter: $filter) { edges { node { id } } } }"
    found = (await graph.data(listed, filter={"mediaId": recording.id}))["jobs"]["edges"]
    assert [edge["node"]["id"] for edge in found] == [row.id]
    assert (await graph.data(listed, filter={"mediaId": "nonsense"}))["jobs"]["edges"] == []
