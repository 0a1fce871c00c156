"""Uploads that break and go on, at whatever web process, on both databases; in a folder and in S3."""

import asyncio
import base64
import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from api.http.files import tus
from db import media, retention, uploads
from db.accounts import owners
from db.models import Cleanup, Media
from db.uploads.tables import Upload, UploadPiece
from tests.api.test_files import speech
from tests.fixtures.uploading import Hanging, Uploading, announced, created, make_bucket
from tests.fixtures.web import TOKEN, StartWeb, Web
from tests.fixtures.workers import reached, until

BODY = speech(2)
HALF = len(BODY) // 2
JOB = """mutation($id: ID!) { createJob(input: {source: {uploadId: $id}}) {
  __typename ... on UnsupportedMediaError { code } } }"""
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what no database has a part in."""
BOB = "usr_bob"
FAR = 4_000_000_000_000


async def rows(web: Web, table: Any) -> list[Any]:
    async with web.db.read() as session:
        return list((await session.execute(select(table))).scalars())


async def recording(web: Web) -> Media:
    [found] = await rows(web, Media)
    assert isinstance(found, Media)
    return found


def stored(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def handler(web: Web) -> tus.Tus:
    [found] = {route.endpoint.__self__ for route in web.app.routes if getattr(route, "path", "") == "/uploads"}  # type: ignore[attr-defined]
    return found  # type: ignore[no-any-return]


def writers(web: Web) -> list[str]:
    """The uploads to which a request writes at this web process."""
    return list(handler(web)._writers)


async def given_away(web: Web) -> list[str]:
    return [key for row in await rows(web, Cleanup) for key in row.blob_keys]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "home" / "files"


async def test_what_came_before_the_connection_broke_is_kept_and_another_web_process_goes_on(
    start_web: StartWeb,
) -> None:
    web, other = await start_web(), await start_web()
    body = speech(120)
    upload = await announced(web, len(body))

    async def broken() -> Any:
        for start in range(0, 3_000_000, 100_000):
            yield body[start : start + 100_000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await upload.send(broken(), 0)
    there = await reached(lambda: upload.offset(other), bool)
    assert 2_500_000 < there <= 3_000_000  # but for what was in buffers
    last = await upload.send(body[there:], there, other)
    found = await recording(web)
    assert (last.status_code, last.headers["Media-Id"]) == (204, found.id)
    assert (found.sha256, found.byte_size) == (hashlib.sha256(body).hexdigest(), len(body))
    assert await rows(web, UploadPiece) == []
    await upload.close()


@pytest.mark.parametrize("method", ["HEAD", "PATCH"])
async def test_a_new_request_ends_one_that_hangs_and_what_that_brought_is_kept(web: Web, method: str) -> None:
    upload = await announced(web, len(BODY))
    hanging = Hanging(upload, 0, BODY[:HALF])
    await until(lambda: bool(writers(web)))
    answer = await upload.ask("HEAD") if method == "HEAD" else await upload.send(b"", 0)
    assert answer.status_code == (200 if method == "HEAD" else 409)  # the offset has moved on
    assert await upload.offset() == HALF
    hanging.more(None)
    assert (await hanging.answer).status_code == 409
    assert (await upload.send(BODY[HALF:], HALF)).status_code == 204
    assert (await recording(web)).sha256 == hashlib.sha256(BODY).hexdigest()
    await upload.close()


async def test_a_request_that_hangs_in_another_process_changes_nothing_when_it_goes_on(start_web: StartWeb) -> None:
    web, other = await start_web(), await start_web()
    upload = await announced(web, len(BODY))
    hanging = Hanging(upload, 0, b"\xff" * HALF)
    await until(lambda: bool(writers(web)))
    assert await upload.offset(other) == 0
    assert (await upload.send(BODY[:HALF], 0, other)).headers["Upload-Offset"] == str(HALF)
    hanging.more(b"\xff" * 10)
    hanging.more(None)
    assert (await hanging.answer).status_code == 409
    assert await upload.offset(other) == HALF
    assert (await upload.send(BODY[HALF:], HALF, other)).status_code == 204
    assert (await recording(web)).sha256 == hashlib.sha256(BODY).hexdigest()
    await upload.close()


async def test_requests_at_once_do_not_mix(web: Web) -> None:
    upload = await announced(web, len(BODY))
    answers = await asyncio.gather(*(upload.send(BODY, 0) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {204, 409}
    if (there := await upload.offset()) < len(BODY):
        await upload.send(BODY[there:], there)
    assert (await recording(web)).sha256 == hashlib.sha256(BODY).hexdigest()
    await upload.close()


@ON_SQLITE
async def test_a_checksum_keeps_all_bytes_of_a_request_or_none(web: Web, files: Path) -> None:
    upload = await announced(web, len(BODY))
    for algorithm in ("sha256", "sha1", "md5"):
        wrong = base64.b64encode(hashlib.new(algorithm, b"else").digest()).decode()
        refused = await upload.send(BODY[:HALF], 0, Upload_Checksum=f"{algorithm} {wrong}")
        assert (refused.status_code, await upload.offset()) == (460, 0)
    assert stored(files) == []
    right = base64.b64encode(hashlib.sha256(BODY[:HALF]).digest()).decode()
    assert (await upload.send(BODY[:HALF], 0, Upload_Checksum=f"sha256 {right}")).status_code == 204

    async def broken() -> Any:
        yield BODY[HALF:-1]
        await until(lambda: bool(writers(web)))
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await upload.send(broken(), HALF, Upload_Checksum=f"sha256 {right}")
    assert await upload.offset() == HALF
    await upload.close()


@ON_SQLITE
async def test_what_is_no_recording_is_refused_each_time_with_a_reason_and_its_bytes_go(web: Web) -> None:
    upload = await announced(web, 9)
    refused = await upload.send(b"no sound!", 0)
    assert (refused.status_code, refused.json()["code"]) == (415, "UNSUPPORTED_MEDIA")
    assert refused.json()["details"]["remedy"]
    assert (await upload.ask("HEAD")).status_code == (await upload.send(b"", 9)).status_code == 415
    assert await rows(web, UploadPiece) == []
    assert any(key.startswith(f"uploads/{upload.id}.0.") for key in await given_away(web))
    told = (await web.data(JOB, id=upload.id))["createJob"]
    assert (told["__typename"], told["code"]) == ("UnsupportedMediaError", "UNSUPPORTED_MEDIA")
    await upload.close()


@ON_SQLITE
async def test_another_hash_than_announced_is_refused(web: Web) -> None:
    upload = await announced(web, len(BODY), sha256="0" * 64)
    refused = await upload.send(BODY, 0)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_INPUT")
    await upload.close()


@ON_SQLITE
async def test_a_recording_that_takes_long_to_be_read_goes_on_after_the_answer(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tus, "ANSWER_SECONDS", 0.0)
    upload = await announced(web, len(BODY))
    last = await upload.send(BODY, 0)
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(BODY)))
    assert "Media-Id" not in last.headers
    assert (await web.data(JOB, id=upload.id))["createJob"]["__typename"] == "CreateJobPayload"  # it waits for it
    monkeypatch.undo()
    assert (await upload.ask("HEAD")).headers["Media-Id"] == (await recording(web)).id
    await upload.close()


async def test_bytes_that_are_all_there_become_a_recording_although_the_process_died_before(web: Web) -> None:
    upload = await announced(web, len(BODY))
    await upload.send(BODY[:-2], 0)
    async with web.db.write() as session:  # as a process leaves it that ends just after the last byte
        await session.execute(update(Upload).values(byte_size=len(BODY) - 2))
    assert (await upload.ask("HEAD")).headers["Media-Id"] == (await recording(web)).id
    await upload.close()


@pytest.mark.parametrize("at", ["the collection", "the address of createUpload"])
async def test_parts_that_were_sent_side_by_side_are_put_together(web: Web, at: str) -> None:
    third = len(BODY) // 3
    bodies = [BODY[:third], BODY[third : 2 * third], BODY[2 * third :]]
    parts = [await created(web, Upload_Concat="partial", Upload_Length=str(len(body))) for body in bodies]
    assert (await whole(web, parts, at)).status_code == 400
    await asyncio.gather(*(part.send(body, 0) for part, body in zip(parts, bodies, strict=True)))
    assert await rows(web, Media) == []
    final = await whole(web, parts, at)
    assert final.status_code == 201
    assert (await recording(web)).sha256 == hashlib.sha256(BODY).hexdigest()
    upload = Uploading(web, final.headers["Location"])
    told = await upload.ask("HEAD")
    assert told.headers["Upload-Concat"].startswith("final;")
    assert told.headers["Upload-Offset"] == told.headers["Upload-Length"] == str(len(BODY))
    assert (await upload.send(b"", len(BODY))).status_code == 403
    assert [(await part.ask("HEAD")).status_code for part in parts] == [404] * 3
    for one in (upload, *parts):
        await one.close()


async def whole(web: Web, parts: list[Uploading], at: str) -> httpx.Response:
    headers: Any = {"Upload_Concat": "final;" + " ".join(part.address for part in parts)}
    if at == "the collection":
        upload = Uploading(web, f"{web.url}/uploads")
        answer = await upload.ask("POST", Authorization=f"Bearer {TOKEN}", **headers)
    else:
        upload = await announced(web, len(BODY))
        answer = await upload.ask("POST", **headers)
    await upload.close()
    return answer


@ON_SQLITE
async def test_who_has_neither_a_token_nor_the_signed_address_learns_nothing(web: Web) -> None:
    upload = await announced(web, len(BODY))
    bare = Uploading(web, upload.address.partition("?")[0])
    assert (await bare.ask("HEAD")).status_code == 401
    assert (await bare.ask("HEAD", Authorization=f"Bearer {TOKEN}")).status_code == 200
    altered = Uploading(web, upload.address.replace("usr_local", BOB))
    assert (await altered.ask("HEAD")).status_code == 403
    made = """mutation($scopes: [String!]!) { createAccessToken(input: {name: "x", scopes: $scopes}) {
      ... on CreateAccessTokenPayload { secret } } }"""
    reader = (await web.data(made, scopes=["jobs:read"]))["createAccessToken"]["secret"]
    assert (await bare.ask("HEAD", Authorization=f"Bearer {reader}")).status_code == 403
    for one in (upload, bare, altered):
        await one.close()


async def test_another_owner_s_upload_is_as_if_it_were_not_there(web: Web) -> None:
    upload = await announced(web, len(BODY))
    sign = handler(web)._state.signer.sign
    stranger = Uploading(web, web.url + sign(f"/uploads/{upload.id}", BOB, FAR))
    for answer in (await stranger.ask("HEAD"), await stranger.send(BODY, 0), await stranger.ask("DELETE")):
        assert answer.status_code == 404
    part = await created(web, Upload_Concat="partial", Upload_Length=str(len(BODY)))
    await part.send(BODY, 0)
    async with web.db.write() as session:
        await owners.ensure(session, BOB)
        his = await uploads.create(session, BOB, filename="a.wav", byte_size=len(BODY))
    thief = Uploading(web, web.url + sign(f"/uploads/{his.id}", BOB, FAR))
    assert (await thief.ask("POST", Upload_Concat=f"final;{part.address}")).status_code == 400
    assert await part.offset() == len(BODY)
    for one in (upload, stranger, part, thief):
        await one.close()


async def test_an_upload_whose_time_is_over_is_gone_and_its_bytes_go_a_day_later(web: Web) -> None:
    upload = await announced(web, len(BODY))
    first = await upload.send(BODY[:HALF], 0)
    assert "Upload-Expires" in first.headers
    async with web.db.write() as session:
        await session.execute(update(Upload).values(expires_at=1))
    assert (await upload.ask("HEAD")).status_code == (await upload.send(BODY[HALF:], HALF)).status_code == 410
    [piece] = await rows(web, UploadPiece)
    async with web.db.write() as session:
        assert await retention.expire(session) == 1
    assert await rows(web, Upload) == await rows(web, UploadPiece) == []
    assert await given_away(web) == [piece.blob_key]
    await upload.close()


async def test_an_upload_that_is_given_up_lets_its_bytes_go(web: Web) -> None:
    upload = await announced(web, len(BODY))
    await upload.send(BODY[:HALF], 0)
    assert (await upload.ask("DELETE")).status_code == 204
    assert [key.partition("/")[0] for key in await given_away(web)] == ["uploads"]
    assert (await upload.ask("HEAD")).status_code == 404
    await upload.close()


async def test_the_same_content_is_stored_once_for_an_owner_and_goes_with_the_last_recording_of_it(
    web: Web, files: Path
) -> None:
    for _ in range(2):
        upload = await announced(web, len(BODY))
        assert (await upload.send(BODY, 0)).status_code == 204
        await upload.close()
    first, second = await rows(web, Media)
    assert first.id != second.id
    assert first.blob_key == second.blob_key
    assert [key for key in stored(files) if key.startswith("media/")] == [first.blob_key]
    async with web.db.write() as session:
        await media.erase(session, first.owner_id, first.id)
    assert second.blob_key not in await given_away(web)
    async with web.db.write() as session:
        assert await media.remove(session, second.owner_id, second.id) == [second.blob_key]


@ON_SQLITE
async def test_a_disk_without_room_for_it_refuses_an_upload_before_it_starts(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await announced(web, len(BODY))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    refused = await upload.send(BODY, 0)
    assert (refused.status_code, refused.json()["code"]) == (507, "UNAVAILABLE")
    answer = (await web.ask('mutation { createUpload(input: {filename: "a", byteSize: 9}) { __typename } }')).json()
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert (await upload.ask("PUT", content=BODY)).status_code == 507
    monkeypatch.undo()
    assert (await upload.send(BODY, 0)).status_code == 204
    await upload.close()


@ON_SQLITE
async def test_a_page_of_an_allowed_origin_may_upload_and_reads_what_it_is_told(start_web: StartWeb) -> None:
    web = await start_web(ALLOWED_ORIGINS="https://app.example")
    upload = await announced(web, len(BODY))
    page: Any = {"Origin": "https://app.example"}
    wanted = "authorization,content-type,tus-resumable,upload-offset,upload-checksum,x-http-method-override"
    async with httpx.AsyncClient() as http:
        for method in ("POST", "HEAD", "PATCH", "DELETE"):
            preflight = page | {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}
            answer = await http.options(upload.address, headers=preflight)
            assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, page["Origin"])
            assert set(wanted.split(",")) <= set(answer.headers["Access-Control-Allow-Headers"].lower().split(","))
    answer = await upload.send(BODY[:5], 0, **page)
    shown = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert {"Location", "Upload-Offset", "Upload-Length", "Tus-Resumable", "Upload-Expires"} <= shown
    await upload.close()


@ON_SQLITE
async def test_pieces_are_objects_in_a_bucket_and_one_object_in_the_end(
    start_web: StartWeb, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = await start_web(STORAGE_URL=make_bucket(s3_endpoint, tmp_path.name, monkeypatch))
    body, cut = speech(600), 10_000_000  # more than one object's worth
    upload = await announced(web, len(body))
    assert (await upload.send(body[:cut], 0)).headers["Upload-Offset"] == str(cut)
    wrong = "sha1 " + base64.b64encode(bytes(20)).decode()
    assert (await upload.send(body[cut:], cut, Upload_Checksum=wrong)).status_code == 460
    pieces = await rows(web, UploadPiece)
    assert len(pieces) == 2
    assert sum(row.byte_size for row in pieces) == cut
    assert (await upload.send(body[cut:], cut)).status_code == 204
    found = await recording(web)
    assert found.sha256 == hashlib.sha256(body).hexdigest()
    query = "query($id: ID!) { node(id: $id) { ... on Media { playbackUrl } } }"
    url = (await web.data(query, id=found.id))["node"]["playbackUrl"]
    async with httpx.AsyncClient() as http:
        assert (await http.get(url)).content == body
    await upload.close()
