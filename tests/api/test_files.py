"""Bytes in and out over signed addresses, on a running server."""

import wave
from io import BytesIO
from typing import Any

import httpx
import pytest

from api.http.signing import Signer
from db.accounts.keys import signing_keys
from db.domain.clock import now
from db.settings import StoreSettings
from tests.fixtures.servers import Server

UPLOAD = """mutation($size: BigInt!, $sha256: String) {
  createUpload(input: {filename: "call.wav", byteSize: $size, sha256: $sha256}) {
    ... on CreateUploadPayload { upload { id url } } } }"""


def speech(seconds: float = 1.0) -> bytes:
    sink = BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(int(32_000 * seconds)))
    return sink.getvalue()


def ask(server: Server, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {server.token}"}
    request = {"query": query, "variables": variables}
    return httpx.post(f"{server.url}/graphql", json=request, headers=headers, timeout=30).json()["data"]


def announced(server: Server, size: int, sha256: str | None = None) -> str:
    url: str = ask(server, UPLOAD, size=size, sha256=sha256)["createUpload"]["upload"]["url"]
    return url


def put(url: str, body: bytes) -> httpx.Response:
    return httpx.put(url, content=body, timeout=30)


def test_an_upload_sent_twice_is_one_recording(server: Server) -> None:
    url = announced(server, len(speech()))
    first, second = put(url, speech()), put(url, speech())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


@pytest.mark.parametrize("change", [-1, 1])
def test_more_or_fewer_bytes_than_announced_are_refused(server: Server, change: int) -> None:
    refused = put(announced(server, len(speech()) + change), speech())
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_INPUT")


def test_bytes_that_come_in_chunks_are_counted(server: Server) -> None:
    url = announced(server, len(speech()) - 1)
    refused = httpx.put(url, content=iter([speech()[:1000], speech()[1000:]]), timeout=30)
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_INPUT")


def test_another_checksum_than_announced_is_refused(server: Server) -> None:
    refused = put(announced(server, len(speech()), "0" * 64), speech())
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_INPUT")


def test_what_is_no_recording_is_refused_with_a_remedy_and_can_be_sent_again(server: Server) -> None:
    url = announced(server, len(speech()))
    refused = put(url, b"x" * len(speech()))
    assert (refused.status_code, refused.json()["code"]) == (415, "UNSUPPORTED_MEDIA")
    assert refused.json()["details"]["remedy"]
    assert put(url, speech()).status_code == 201


def test_an_address_that_was_altered_or_not_signed_opens_nothing(server: Server) -> None:
    url = announced(server, len(speech()))
    for other in (url.split("?")[0], url.replace("usr_local", "usr_other"), url.replace("expires=1", "expires=2")):
        assert put(other, speech()).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/uploads/upl_1"), ("GET", "/media/med_1"), ("GET", "/exports/exp_1/call.srt")]
)
def test_a_signed_address_ends(server: Server, method: str, path: str) -> None:
    signer = Signer(signing_keys(StoreSettings(home=server.home)))
    hour = 3_600_000
    valid, over = (server.url + signer.sign(path, "usr_local", now() + until) for until in (hour, -hour))
    assert httpx.request(method, valid).status_code == 404  # the signature opens it; there is no such thing
    refused = httpx.request(method, over)
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    assert "no longer valid" in refused.json()["message"]


def test_a_recording_is_played_back_in_parts(server: Server) -> None:
    media = put(announced(server, len(speech())), speech()).json()["mediaId"]
    query = "query($id: ID!) { node(id: $id) { ... on Media { playbackUrl } } }"
    url = ask(server, query, id=media)["node"]["playbackUrl"]
    assert httpx.get(url).content == speech()
    size = len(speech())
    for asked, status, part in (
        ("bytes=10-19", 206, speech()[10:20]),
        (f"bytes={size - 4}-", 206, speech()[-4:]),
        ("bytes=-4", 206, speech()[-4:]),
        (f"bytes={size}-", 416, b""),
        ("bytes=nonsense", 200, speech()),
    ):
        answer = httpx.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, part)
