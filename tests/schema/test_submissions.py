import asyncio
import hashlib
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from db import media, uploads
from db.domain.values import ModelFacts, WorkerFacts
from db.models import Media
from db.queue import workers
from schema.settings import IntakeSettings
from tests.fixtures.graph import FACTS, Graph

CREATE = """mutation($input: CreateJobInput!) { createJob(input: $input) { __typename
  ... on CreateJobPayload { reused job { id state options { model language task align diarize numSpeakers prompt
    hotwords } tags metadata media { id filename sha256 container } correlationId } }
  ... on InvalidInputError { fields { path } } ... on LimitExceededError { limit actual unit }
  ... on QueueFullError { retryAfterSeconds } ... on ForbiddenError { requiredScope }
  ... on UserError { code message details correlationId } } }"""
UPLOAD = """mutation($input: CreateUploadInput!) { createUpload(input: $input) { __typename
  ... on CreateUploadPayload { upload { id url byteSize offset expiresAt media { id } } }
  ... on InvalidInputError { fields { path } } ... on LimitExceededError { limit actual unit } } }"""


def speech(seconds: float = 1.0) -> bytes:
    """A WAV file."""
    sink = BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\1\0" * round(16_000 * seconds))
    return sink.getvalue()


@dataclass
class File:
    """An upload as the transport hands it over."""

    body: bytes
    filename: str = "my talk.wav"
    content_type: str = "audio/wav"

    @property
    def size(self) -> int:
        return len(self.body)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body


async def create(graph: Graph, **values: Any) -> dict[str, Any]:
    if "source" not in values:
        values["source"] = {"mediaId": (await graph.media()).id}
    found: dict[str, Any] = (await graph.data(CREATE, input=values))["createJob"]
    return found


async def recordings(graph: Graph) -> list[str]:
    async with graph.db.read() as session:
        return list((await session.execute(select(col(Media.filename)))).scalars())


async def test_a_job_is_accepted_with_the_defaults_filled_in(graph: Graph) -> None:
    answer = await create(
        graph, language="en-US", tags=["a", "a"], metadata={"k": [1.5, None, "é"]}, prompt=" Hi\nthere "
    )
    assert answer["reused"] is False
    job = answer["job"]
    assert job["state"] == "QUEUED"
    assert job["options"] == {"model": "auto", "language": "en", "task": "TRANSCRIBE", "align": True, "diarize": True,
                              "numSpeakers": None, "prompt": "Hi\nthere", "hotwords": []}  # fmt: skip
    assert job["tags"] == ["a"]
    assert job["metadata"] == {"k": [1.5, None, "é"]}
    assert job["correlationId"] == "corr-1"


RULES = "voiceDetector temperatureFallback compressionRatio logProbability noSpeech loops silence"


@pytest.mark.parametrize("off", RULES.split())
async def test_each_rule_against_hallucination_is_on_until_it_is_switched_off(graph: Graph, off: str) -> None:
    query = "query($id: ID!) { job(id: $id) { options { rules { %s } } } }" % RULES  # noqa: UP031  braces are GraphQL's
    for given, on in ((None, True), ({off: None}, True), ({off: False}, False)):
        job = (await create(graph, rules=given))["job"]["id"]
        found = (await graph.data(query, id=job))["job"]["options"]["rules"]
        assert found == dict.fromkeys(RULES.split(), True) | {off: on}


async def test_the_same_key_with_another_rule_is_another_input(graph: Graph) -> None:
    source = {"mediaId": (await graph.media()).id}
    first = await create(graph, source=source, idempotencyKey="k")
    assert (await create(graph, source=source, idempotencyKey="k", rules={"silence": True}))["reused"]
    other = await create(graph, source=source, idempotencyKey="k", rules={"silence": False})
    assert (first["reused"], other["__typename"]) == (False, "ConflictError")


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"language": "en-" + "x" * 40}, "language"),
        ({"beamSize": 0}, "beamSize"),
        ({"chunkSeconds": 31}, "chunkSeconds"),
        ({"speechThreshold": 0.95}, "speechThreshold"),
        ({"language": "xx"}, "language"),
        ({"model": "../secret"}, "model"),
        ({"model": "/etc/passwd"}, "model"),
        ({"model": ""}, "model"),
        ({"numSpeakers": 0}, "numSpeakers"),
        ({"numSpeakers": 101}, "numSpeakers"),
        ({"numSpeakers": 2, "minSpeakers": 1}, "minSpeakers"),
        ({"minSpeakers": 3, "maxSpeakers": 2}, "minSpeakers"),
        ({"numSpeakers": 2, "diarize": False}, "numSpeakers"),
        ({"priority": 11}, "priority"),
        ({"priority": -11}, "priority"),
        ({"prompt": "x" * 2001}, "prompt"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"hotwords": [f"x{i}" for i in range(201)]}, "hotwords"),
        ({"hotwords": ["ok", " "]}, "hotwords.1"),
        ({"tags": ["x" * 101]}, "tags.0"),
        ({"tags": [f"t{i}" for i in range(51)]}, "tags"),
        ({"metadata": "x" * 16_384}, "metadata"),
        ({"metadata": {"k": 2**60}}, "metadata"),
        ({"metadata": {"k": float("inf")}}, "metadata"),
        ({"metadata": "\ud800"}, "metadata"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"idempotencyKey": "k" * 201}, "idempotencyKey"),
    ],
)
async def test_a_value_that_cannot_be_used_names_its_field(graph: Graph, values: dict[str, Any], path: str) -> None:
    answer = await create(graph, **values)
    assert (answer["__typename"], answer["code"]) == ("InvalidInputError", "INVALID_INPUT"), answer
    assert answer["fields"][0]["path"] == ["input", *path.split(".")]


async def test_metadata_may_not_be_too_deep(graph: Graph) -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert (await create(graph, metadata=deep))["fields"][0]["path"] == ["input", "metadata"]


async def test_exactly_one_source_is_needed(graph: Graph) -> None:
    for source in ({}, {"mediaId": "med_1", "file": File(b"")}, {"file": "not a file"}, {"mediaId": None}):
        answer = await graph.ask(CREATE, input={"source": source})
        assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_a_recording_that_is_not_there_is_not_found(graph: Graph, bob: Graph) -> None:
    hers = (await bob.media()).id
    for id_ in (hers, "med_nothing", "job_1", ""):
        answer = await create(graph, source={"mediaId": id_})
        assert (answer["__typename"], answer["code"]) == ("NotFoundError", "NOT_FOUND")


async def test_the_same_key_and_input_give_the_same_job_concurrently_too(graph: Graph) -> None:
    source = {"mediaId": (await graph.media()).id}
    answers = await asyncio.gather(*(create(graph, source=source, idempotencyKey="k") for _ in range(5)))
    assert len({answer["job"]["id"] for answer in answers}) == 1
    assert sorted(answer["reused"] for answer in answers) == [False, True, True, True, True]
    other = await create(graph, source=source, idempotencyKey="k", language="de")
    assert (other["__typename"], other["code"]) == ("ConflictError", "CONFLICT")


async def test_a_full_queue_says_when_to_come_back(graph: Graph) -> None:
    graph.intake = IntakeSettings(max_queued=10, max_queued_per_owner=1)
    await create(graph)
    answer = await create(graph)
    assert answer["__typename"] == "QueueFullError"
    assert answer["retryAfterSeconds"] >= 1


async def test_a_job_needs_the_scope_to_write(graph: Graph) -> None:
    graph.scopes = frozenset({"jobs:read"})
    answer = await create(graph)
    assert (answer["__typename"], answer["requiredScope"]) == ("ForbiddenError", "jobs:write")


async def test_a_model_that_no_worker_has_is_refused_while_workers_are_up(graph: Graph) -> None:
    assert (await create(graph, model="large-v3"))["__typename"] == "CreateJobPayload"
    async with graph.db.write() as session:
        await workers.beat(session, "w1", "speech", WorkerFacts(models=(ModelFacts(name="tiny"),)))
    answer = await create(graph, model="large-v3")
    assert (answer["fields"][0]["path"], "tiny" in answer["message"]) == (["input", "model"], True)
    assert (await create(graph, model="tiny"))["__typename"] == "CreateJobPayload"


async def test_a_file_in_the_request_becomes_a_recording_and_a_job(graph: Graph) -> None:
    body = speech()
    answer = await create(graph, source={"file": File(body, "../../etc/my talk.wav")})
    media = answer["job"]["media"]
    assert media["filename"] == "my talk.wav"
    assert media["sha256"] == hashlib.sha256(body).hexdigest()
    assert media["container"] == "wav"


async def test_the_same_file_and_key_give_the_same_job_and_keep_one_recording(graph: Graph) -> None:
    first = await create(graph, source={"file": File(speech())}, idempotencyKey="k")
    again = await create(graph, source={"file": File(speech())}, idempotencyKey="k")
    other = await create(graph, source={"file": File(speech(2))}, idempotencyKey="k")
    assert (again["reused"], again["job"]["id"]) == (True, first["job"]["id"])
    assert other["__typename"] == "ConflictError"
    assert len(await recordings(graph)) == 1
    files = [path for path in graph.blobs._folder.rglob("*") if path.is_file()]  # type: ignore[union-attr]  # a folder
    assert len(files) == 1


async def test_a_file_that_is_no_recording_is_refused_with_a_remedy_and_not_kept(graph: Graph) -> None:
    answer = await create(graph, source={"file": File(b"PK\3\4 not audio", "talk.wav")})
    assert (answer["__typename"], answer["code"]) == ("UnsupportedMediaError", "UNSUPPORTED_MEDIA")
    assert answer["details"]["remedy"]
    assert await recordings(graph) == []


async def test_a_file_over_the_limit_is_refused_with_the_figures(graph: Graph) -> None:
    answer = await create(graph, source={"file": File(speech(60))})
    assert (answer["__typename"], answer["limit"], answer["unit"]) == ("LimitExceededError", 1_000_000, "bytes")
    assert answer["actual"] > 1_000_000


@pytest.mark.parametrize("name", ["a\0b.wav", "..", "/", "\u202egpj.exe", "x" * 256, " "])
async def test_a_hostile_file_name_is_refused(graph: Graph, name: str) -> None:
    answer = await graph.data(UPLOAD, input={"filename": name, "byteSize": 1})
    assert answer["createUpload"] == {"__typename": "InvalidInputError", "fields": [{"path": ["input", "filename"]}]}


async def test_an_upload_gets_a_signed_address(graph: Graph, bob: Graph) -> None:
    wanted = {"filename": "C:\\talks\\Ärger.wav", "byteSize": 3_000_000_000, "sha256": "AB" * 32}
    refused = (await graph.data(UPLOAD, input=wanted))["createUpload"]
    assert refused == {"__typename": "LimitExceededError", "limit": 1e6, "actual": 3e9, "unit": "bytes"}
    made = (await graph.data(UPLOAD, input=wanted | {"byteSize": 1000}))["createUpload"]["upload"]
    assert made["url"].startswith(f"http://test/uploads/{made['id']}?owner=usr_alice&expires=")
    assert (made["byteSize"], made["offset"], made["media"]) == (1000, 0, None)
    query = "query($id: ID!) { upload(id: $id) { id byteSize } }"
    assert (await graph.data(query, id=made["id"]))["upload"] == {"id": made["id"], "byteSize": 1000}
    assert await bob.data(query, id=made["id"]) == {"upload": None}


@pytest.mark.parametrize(("values", "path"), [({"byteSize": 0}, "byteSize"), ({"sha256": "zz"}, "sha256")])
async def test_an_upload_that_makes_no_sense_is_refused(graph: Graph, values: dict[str, Any], path: str) -> None:
    answer = await graph.data(UPLOAD, input={"filename": "a.wav", "byteSize": 1} | values)
    assert answer["createUpload"]["fields"][0]["path"] == ["input", path]


async def test_an_empty_upload_is_told_so(graph: Graph) -> None:
    query = (
        """mutation { createUpload(input: {filename: "a.wav", byteSize: 0}) { ... on UserError { code message } } }"""
    )
    refused = (await graph.data(query))["createUpload"]
    assert refused == {"code": "INVALID_INPUT", "message": "The file is empty; there is nothing in it to transcribe."}


async def test_everything_that_is_wrong_with_an_input_is_told_at_once(graph: Graph) -> None:
    answer = await create(graph, language="xx", priority=99, model="", tags=["a", " ", "b\0"])
    paths = [".".join(fault["path"]) for fault in answer["fields"]]
    assert paths == ["input.model", "input.language", "input.priority", "input.tags.1", "input.tags.2"]


@pytest.mark.parametrize(("given", "understood"), [("en-US", "en"), ("zh_Hans_CN", "zh"), (" DE ", "de")])
async def test_a_language_with_a_region_is_understood(graph: Graph, given: str, understood: str) -> None:
    answer = await create(graph, language=given)
    query = "query($id: ID!) { job(id: $id) { options { language } } }"
    assert (await graph.data(query, id=answer["job"]["id"]))["job"]["options"]["language"] == understood


async def test_a_job_is_made_of_an_upload_once_its_bytes_are_there(graph: Graph) -> None:
    async with graph.db.write() as session:
        upload = await uploads.create(session, graph.owner, filename="a.wav", byte_size=100, sha256=None)
    early = await create(graph, source={"uploadId": upload.id})
    assert (early["code"], early["details"]["byteSize"]) == ("CONFLICT", 100)
    async with graph.db.write() as session:
        row = await media.add(
            session, graph.owner, media_id="med_1", filename="a.wav", byte_size=100, sha256="0" * 64, facts=FACTS,
            blob_key="media/1", upload_id=upload.id,
        )  # fmt: skip
    job = (await create(graph, source={"uploadId": upload.id}))["job"]
    query = "query($id: ID!) { job(id: $id) { media { id } } }"
    assert (await graph.data(query, id=job["id"]))["job"]["media"]["id"] == row.id
    assert (await create(graph, source={"uploadId": "upl_of_nobody"}))["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("days", "kept_ms"), [(0.0, None), (1.5, 129_600_000)])
async def test_the_audio_of_a_new_recording_is_kept_as_long_as_the_server_says(
    graph: Graph, days: float, kept_ms: int | None
) -> None:
    graph.worker = graph.worker.model_copy(update={"keep_audio_days": days})
    answer = await create(graph, source={"file": File(speech())})
    async with graph.db.read() as session:
        row = await media.get(session, graph.owner, answer["job"]["media"]["id"])
    assert (row.expires_at and row.expires_at - row.created_at) == kept_ms
