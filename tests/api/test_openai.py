"""OpenAI's endpoint, asked by its own Python client and by what other programs are known to send."""

import http.client
import io
import json
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.http.correlation import Correlation
from api.http.problems import Problems
from api.openai.errors import response_of
from db.domain.errors import QueueFull
from tests.fixtures.servers import Server

NUMBERS = count(1)
BOUNDARY = "----odd'boundary=42"
JOBS = "{ jobs(first: 50) { edges { node { id state priority options { prompt task } } } } }"


def sound(seconds: float = 12) -> bytes:
    """A recording in which the fake engine hears a sentence each half a minute; each time another one."""
    target = io.BytesIO()
    with wave.open(target, "wb") as opened:
        opened.setparams((1, 2, 16_000, 0, "NONE", ""))
        opened.writeframes(next(NUMBERS).to_bytes(2, "little") + bytes(2 * int(16_000 * seconds) - 2))
    return target.getvalue()


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.token, timeout=60) as made:
        yield made


def graph(server: Server, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {server.token}"}
    answer = httpx.post(f"{server.url}/graphql", json={"query": query, "variables": variables}, headers=headers)
    return answer.json()["data"]


def jobs_of(server: Server, prompt: str) -> list[dict[str, Any]]:
    """The jobs with this prompt, which a test makes up to find its own."""
    found = [edge["node"] for edge in graph(server, JOBS)["jobs"]["edges"]]
    return [job for job in found if job["options"]["prompt"] == prompt]


def until(condition: Callable[[], bool], within: float = 20) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def form(parts: Sequence[tuple[str, str | None, str | None, bytes]]) -> bytes:
    """A multipart body as programs write it: name, filename, type, content."""
    body = b""
    for name, filename, type_, content in parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename is not None else ""
        head += f"\r\nContent-Type: {type_}" if type_ else ""
        body += head.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def field(name: str, value: str) -> tuple[str, None, None, bytes]:
    return name, None, None, value.encode()


def post(server: Server, body: bytes, headers: Mapping[str, str] | None = None, path: str = "transcriptions") -> Any:
    given = {"Authorization": f"Bearer {server.token}", "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}
    return httpx.post(f"{server.url}/v1/audio/{path}", content=body, headers=given | dict(headers or {}), timeout=60)


# ---------------------------------------------------------------- the unmodified client


def test_the_text_is_the_answer(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(model="whisper-1", file=("call.wav", sound()))
    assert heard.text == "Hello there, this is sentence number 1."


@pytest.mark.parametrize(
    ("response_format", "begins"),
    [("text", "Hello there"), ("srt", "1\n00:00:00,000 --> "), ("vtt", "WEBVTT\n\n00:00:00.000 --> ")],
)
def test_text_and_subtitles_are_plain(client: openai.OpenAI, response_format: Any, begins: str) -> None:
    heard = client.audio.transcriptions.create(
        model="whisper-1", file=("call.wav", sound()), response_format=response_format
    )
    assert str(heard).startswith(begins)
    assert "<" not in str(heard)


def test_verbose_json_has_segments_and_words_with_times(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(
        model="gpt-4o-transcribe",
        file=("call.wav", sound()),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        prompt="Ann",
        temperature=0.2,
    )
    assert (heard.language, heard.duration) == ("english", 12.0)
    assert heard.words
    assert heard.segments
    assert [word.word for word in heard.words][:2] == ["Hello", "there,"]
    assert all(one.end <= two.start + 0.001 for one, two in zip(heard.words, heard.words[1:], strict=False))
    assert heard.segments[0].avg_logprob < 0


def test_diarized_json_names_the_speakers(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("call.wav", sound(45)),
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert {segment.speaker for segment in heard.segments} >= {"SPEAKER_00", "SPEAKER_01"}


def test_a_stream_tells_the_text_while_it_is_recognised(client: openai.OpenAI, server: Server, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    stream = client.audio.transcriptions.create(
        model="whisper-1",
        file=("call.wav", sound(45)),
        stream=True,
        prompt=f"hold:diarize:{go_on}",
        response_format="diarized_json",
    )
    events = iter(stream)
    first = next(events)
    assert first.type == "transcript.text.delta"
    assert first.delta.startswith("Hello there")
    go_on.touch()
    rest = list(events)
    kinds = [event.type for event in rest]
    assert kinds[-1] == "transcript.text.done"
    assert "transcript.text.segment" in kinds
    deltas = first.delta + "".join(event.delta for event in rest if event.type == "transcript.text.delta")
    assert deltas == rest[-1].text  # type: ignore[union-attr]  # the last of them is the event that has it


def test_a_translation_is_a_job_of_that_task(server: Server) -> None:
    prompt = str(uuid4())
    parts = [("file", "ruf.wav", None, sound()), field("response_format", "verbose_json"), field("prompt", prompt)]
    heard = post(server, form(parts), path="translations").json()
    assert (heard["task"], heard["language"]) == ("translate", "english")
    assert [job["options"]["task"] for job in jobs_of(server, prompt)] == ["TRANSLATE"]


def test_the_models_are_listed_and_an_unknown_one_is_not_found(client: openai.OpenAI) -> None:
    assert {"base", "whisper-1"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("base").owned_by == "graphophone"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("owner/gpt-9")


# ---------------------------------------------------------------- errors


def test_a_wrong_key_is_an_authentication_error(server: Server) -> None:
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError) as error,
    ):
        client.audio.transcriptions.create(model="whisper-1", file=("call.wav", sound()))
    assert error.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "docx"}, "response_format"),
        ({"language": "xx"}, "language"),
        ({"temperature": "warm"}, "temperature"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities"),
        ({"known_speaker_names[]": "Ann"}, "known_speaker_names"),
    ],
)
def test_an_option_that_cannot_be_is_named(server: Server, fields: dict[str, str], param: str) -> None:
    parts = [("file", "a.wav", "audio/wav", sound()), *(field(*pair) for pair in fields.items())]
    answer = post(server, form(parts))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_what_is_no_recording_is_415_and_is_not_sent_again(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as error:
        client.audio.transcriptions.create(model="whisper-1", file=("call.wav", b"no recording" * 99))
    assert error.value.status_code == 415
    assert error.value.code == "unsupported_media"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (form([field("model", "whisper-1")]), 400, "'file'"),
        (form([("file", "a.wav", None, b"1"), ("file", "b.wav", None, b"2")]), 400, "twice"),
        (form([field("x", "y")] * 201), 400, "200 fields"),
        (form([field("prompt", "x" * 300_000)]), 413, "larger"),
        (b"nothing of the kind", 400, "multipart"),
    ],
)
def test_a_body_that_is_not_as_it_must_be_is_refused(server: Server, body: bytes, status: int, says: str) -> None:
    answer = post(server, body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]


def test_other_types_methods_and_addresses_are_refused_in_the_same_form(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    for method, path, status in (
        ("POST", "audio/transcriptions", 415),
        ("GET", "audio/transcriptions", 405),
        ("POST", "chat/completions", 404),
    ):
        answer = httpx.request(method, f"{server.url}/v1/{path}", headers=headers)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_token_needs_the_scopes_of_a_job_and_its_transcript(server: Server) -> None:
    create = """mutation ($input: CreateAccessTokenInput!) { createAccessToken(input: $input) {
      ... on CreateAccessTokenPayload { secret } ... on UserError { message } } }"""
    answers = []
    for scopes in (["jobs:write"], ["jobs:write", "transcripts:read"]):
        made = graph(server, create, input={"name": "recorder", "scopes": scopes})["createAccessToken"]
        headers = {"Authorization": f"Bearer {made['secret']}"}
        answers.append(post(server, form([("file", "a.wav", None, sound())]), headers))
    assert [answer.status_code for answer in answers] == [403, 200]
    assert answers[0].json()["error"]["type"] == "permission_error"


def test_a_job_that_fails_is_told_once(client: openai.OpenAI, server: Server) -> None:
    prompt = f"missing:transcribe {uuid4()}"
    with pytest.raises(openai.APIStatusError, match="the fake weights are missing") as error:
        client.audio.transcriptions.create(model="whisper-1", file=("call.wav", sound()), prompt=prompt)
    assert error.value.status_code == 503
    assert error.value.response.headers["x-should-retry"] == "false"
    assert len(jobs_of(server, prompt)) == 1


# ---------------------------------------------------------------- again, and gone


def broken_off(server: Server, body: bytes, prompt: str) -> None:
    """Send a request, and go away as soon as its job runs."""
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}
    connection.request("POST", "/v1/audio/transcriptions", body, headers)
    until(lambda: [job["state"] for job in jobs_of(server, prompt)] == ["RUNNING"])
    connection.close()


def test_a_client_that_goes_away_gives_its_job_up_and_one_that_comes_back_has_it_again(
    server: Server, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    prompt = f"hold:transcribe:{go_on}"
    body = form([("file", "a.wav", None, sound()), field("prompt", prompt)])
    broken_off(server, body, prompt)
    until(lambda: [job["state"] for job in jobs_of(server, prompt)] == ["CANCELED"])
    go_on.touch()
    assert post(server, body).json()["text"]
    assert post(server, body).json()["text"]
    assert [job["state"] for job in jobs_of(server, prompt)] == ["SUCCEEDED"]


def test_a_job_that_somebody_else_follows_goes_on(server: Server, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    prompt = f"hold:transcribe:{go_on}"
    call = sound()
    stays = form([field("stream", "true"), ("file", "a.wav", None, call), field("prompt", prompt)])
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}
    url = f"{server.url}/v1/audio/transcriptions"
    with httpx.stream("POST", url, content=stays, headers=headers, timeout=60) as stream:
        lines = stream.iter_lines()
        next(lines)
        broken_off(server, form([("file", "b.wav", None, call), field("prompt", prompt)]), prompt)
        go_on.touch()
        assert any("transcript.text.done" in line for line in lines)
    assert [job["state"] for job in jobs_of(server, prompt)] == ["SUCCEEDED"]


def test_a_short_recording_goes_before_a_long_one(server: Server) -> None:
    for seconds, priority in ((5, 10), (70, 5)):
        prompt = str(uuid4())
        assert post(server, form([("file", "a.wav", None, sound(seconds)), field("prompt", prompt)])).is_success
        assert [job["priority"] for job in jobs_of(server, prompt)] == [priority]


# ---------------------------------------------------------------- what other programs send

CLIENTS: dict[str, list[tuple[str, str | None, str | None, bytes]]] = {
    "Open WebUI": [("file", "4f1c.wav", "audio/wav", b"@"), field("model", "whisper-1")],
    "LibreChat": [("file", "audio.webm", "audio/webm", b"@"), field("model", "whisper-1"), field("language", "en")],
    "n8n": [
        field("model", "whisper-1"),
        field("language", ""),
        field("temperature", "0"),
        ("file", "data", "audio/mpeg", b"@"),
    ],
    "Home Assistant": [
        field("model", "gpt-4o-mini-transcribe"),
        field("language", "en"),
        field("prompt", ""),
        field("temperature", "0"),
        field("response_format", "json"),
        ("file", "audio.wav", "audio/wav", b"@"),
    ],
    "openai-js": [
        field("model", "whisper-1"),
        ("file", "a.wav", "application/octet-stream", b"@"),
        field("response_format", "json"),
    ],
    "curl without a model": [("file", "Über den Fluß\u202e 100%.mp3", "audio/mpeg", b"@")],
    "curl with a path": [("file", "C:\\\\rec\\\\a.wav", "application/octet-stream", b"@"), field("unknown", "field")],
    "a file without a name": [("file", "", None, b"@"), field("model", "large-v3"), field("model", "whisper-1")],
}


@pytest.mark.parametrize("name", CLIENTS)
def test_what_programs_send_is_understood(server: Server, name: str) -> None:
    parts = [(part, file, type_, sound() if data == b"@" else data) for part, file, type_, data in CLIENTS[name]]
    answer = post(server, form(parts))
    assert answer.status_code == 200, answer.text
    assert answer.json()["text"] == "Hello there, this is sentence number 1."


def test_a_body_without_a_length_is_read_as_it_comes(server: Server) -> None:
    body = form([("file", "a.wav", None, sound())])
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}
    pieces = (body[at : at + 10_000] for at in range(0, len(body), 10_000))
    connection.request("POST", "/v1/audio/transcriptions", pieces, headers, encode_chunked=True)
    answer = connection.getresponse()
    assert json.loads(answer.read())["text"]
    connection.close()


async def test_a_full_queue_is_the_status_for_which_these_clients_wait_and_come_again() -> None:
    async def full(_request: Request) -> Response:
        raise QueueFull(retry_after_seconds=7.0)

    app = Starlette(
        routes=[Route("/", full)], middleware=[Middleware(Correlation), Middleware(Problems, answer=response_of)]
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as asking:
        answer = await asking.get("/")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["code"] == "queue_full"
