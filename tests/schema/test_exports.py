from typing import Any

import pytest

from db import exports, transcripts
from db.domain.values import ErrorCode, Problem
from db.models import Export
from db.queue import claims
from schema.base.enums import ExportFormat
from tasks.documents.registry import FORMATS
from tests.fixtures.graph import Graph, segment

CREATE = """mutation($input: CreateExportInput!) { createExport(input: $input) { __typename
  ... on CreateExportPayload { reused export { id revision format state filename contentType byteSize downloadUrl
    expiresAt problem { code } transcript { id } } } ... on InvalidInputError { field } ... on Error { code } } }"""
EXPORT = """query($id: ID!) { export(id: $id) { id state byteSize sha256 downloadUrl problem { code message } } }"""


async def create(graph: Graph, id_: str, format_: str = "SRT", **values: Any) -> dict[str, Any]:
    found: dict[str, Any] = (
        await graph.data(CREATE, input={"transcriptId": id_, "format": format_} | values)
    )["createExport"]  # fmt: skip
    return found


async def test_an_export_waits_and_is_then_ready_with_a_signed_address(graph: Graph) -> None:
    id_ = await graph.transcript()
    export = (await create(graph, id_))["export"]
    assert (export["state"], export["format"], export["filename"]) == ("PENDING", "SRT", "talk.srt")
    assert (export["downloadUrl"], export["transcript"]) == (None, {"id": id_})
    claimed = await claims.claim(graph.db, Export, worker="w", per_owner=1)
    assert claimed
    async with graph.db.write() as session:
        await exports.finish(session, claimed[1], blob_key="k", byte_size=3, sha256="ab")
    ready = (await graph.data(EXPORT, id=export["id"]))["export"]
    assert (ready["state"], ready["byteSize"], ready["sha256"]) == ("READY", 3, "ab")
    assert ready["downloadUrl"].startswith(f"http://test/exports/{export['id']}/talk.srt?owner=usr_alice&")


async def test_the_same_wish_gives_the_same_export_until_the_text_changes(graph: Graph) -> None:
    await graph.job()
    job, lease = await graph.claim()
    await graph.append(lease, segment(0))
    id_ = transcripts.transcript_id(job.id)
    first = await create(graph, id_)
    again = await create(graph, id_, captions={"maxLines": None})
    assert (again["reused"], again["export"]["id"]) == (True, first["export"]["id"])
    assert not (await create(graph, id_, captions={"maxLines": 1}))["reused"]
    assert not (await create(graph, id_, "VTT"))["reused"]
    await graph.append(lease, segment(1))
    assert not (await create(graph, id_))["reused"]


async def test_a_key_used_for_another_document_is_refused(graph: Graph) -> None:
    id_ = await graph.transcript()
    first = await create(graph, id_, idempotencyKey="k")
    assert (await create(graph, id_, idempotencyKey="k"))["export"]["id"] == first["export"]["id"]
    other = await create(graph, id_, "TXT", idempotencyKey="k")
    assert other["field"] == ["input", "idempotencyKey"]


async def test_an_export_that_could_not_be_made_says_why(graph: Graph) -> None:
    export = (await create(graph, await graph.transcript()))["export"]
    claimed = await claims.claim(graph.db, Export, worker="w", per_owner=1)
    assert claimed
    async with graph.db.write() as session:
        await exports.fail(session, claimed[1], Problem(code=ErrorCode.INTERNAL, message="no"))
    failed = (await graph.data(EXPORT, id=export["id"]))["export"]
    assert (failed["state"], failed["problem"]) == ("FAILED", {"code": "INTERNAL", "message": "no"})


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"revision": 2}, "revision"),
        ({"revision": 0}, "revision"),
        ({"captions": {"maxCharsPerLine": 5}}, "captions.maxCharsPerLine"),
        ({"captions": {"minSeconds": 9, "maxSeconds": 3}}, "captions.minSeconds"),
        ({"idempotencyKey": "\0"}, "idempotencyKey"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused(graph: Graph, values: dict[str, Any], path: str) -> None:
    answer = await create(graph, await graph.transcript(), **values)
    assert answer["field"] == ["input", *path.split(".")]


async def test_exports_belong_to_their_owner_and_are_listed_with_the_transcript(graph: Graph, bob: Graph) -> None:
    id_ = await graph.transcript()
    made = [(await create(graph, id_, format_))["export"]["id"] for format_ in ("SRT", "TXT", "JSON")]
    query = "query($id: ID!) { transcript(id: $id) { exports(first: 2) { totalCount edges { node { id } } } } }"
    page = (await graph.data(query, id=id_))["transcript"]["exports"]
    assert [edge["node"]["id"] for edge in page["edges"]] == made[:0:-1]
    assert page["totalCount"] == 3
    assert await bob.data(EXPORT, id=made[0]) == {"export": None}
    assert (await create(bob, id_))["code"] == "NOT_FOUND"


def test_every_format_that_can_be_rendered_can_be_asked_for() -> None:
    assert set(ExportFormat) == set(FORMATS)
