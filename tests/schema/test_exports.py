import asyncio
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
    expiresAt problem { code } transcript { id } } } ... on InvalidInputError { fields { path } }
  ... on UserError { code } } }"""
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
    assert other["fields"][0]["path"] == ["input", "idempotencyKey"]


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
    assert answer["fields"][0]["path"] == ["input", *path.split(".")]


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


BUNDLE = """mutation($input: CreateExportBundleInput!) { createExportBundle(input: $input) { __typename
  ... on CreateExportPayload { reused export { id filename contentType format transcript { id } } }
  ... on InvalidInputError { fields { path } } ... on UserError { code } } }"""


async def bundle(graph: Graph, ids: list[str], **values: Any) -> dict[str, Any]:
    found: dict[str, Any] = (
        await graph.data(BUNDLE, input={"transcriptIds": ids, "format": "SRT"} | values)
    )["createExportBundle"]  # fmt: skip
    return found


async def test_many_transcripts_can_be_asked_for_as_one_zip(graph: Graph) -> None:
    ids = [await graph.transcript(), await graph.transcript()]
    made = await bundle(graph, ids)
    assert (made["export"]["filename"], made["export"]["contentType"]) == ("transcripts.zip", "application/zip")
    assert made["export"]["transcript"] == {"id": ids[0]}
    again = await bundle(graph, [*ids, ids[0]], captions=None)
    assert (again["reused"], again["export"]["id"]) == (True, made["export"]["id"])
    assert not (await bundle(graph, ids[::-1]))["reused"]


async def test_a_zip_of_nothing_too_much_or_somebody_else_s_is_refused(graph: Graph, bob: Graph) -> None:
    for wrong in ([], [f"trn_{number}" for number in range(101)]):
        assert (await bundle(graph, wrong))["fields"] == [{"path": ["input", "transcriptIds"]}]
    assert (await bundle(bob, [await graph.transcript()]))["code"] == "NOT_FOUND"


async def test_a_zip_goes_with_any_of_its_transcripts(graph: Graph) -> None:
    ids = [await graph.transcript(), await graph.transcript()]
    made = (await bundle(graph, ids))["export"]["id"]
    delete = "mutation($id: ID!) { deleteJob(id: $id) { __typename } }"
    await graph.data(delete, id=ids[1].replace("trn_", "job_"))
    assert await graph.data(EXPORT, id=made) == {"export": None}


async def test_requests_at_the_same_time_give_one_export(graph: Graph) -> None:
    id_ = await graph.transcript()
    made = await asyncio.gather(*(create(graph, id_) for _ in range(8)))
    assert len({one["export"]["id"] for one in made}) == 1
    assert [one["reused"] for one in made].count(False) == 1


async def test_options_that_mean_nothing_to_a_format_make_no_other_document(graph: Graph) -> None:
    id_ = await graph.transcript()
    await create(graph, id_, "TXT")
    assert (await create(graph, id_, "TXT", paperSize="LETTER", captions={"maxLines": 1}))["reused"]
    await create(graph, id_, "PDF")
    assert not (await create(graph, id_, "PDF", paperSize="LETTER"))["reused"]
