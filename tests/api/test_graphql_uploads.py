"""Files in GraphQL requests, by the GraphQL multipart request specification."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PREFLIGHT = {"GraphQL-Preflight": "1"}
ONE = {"query": "mutation($file: Upload!) { upload(file: $file) }", "variables": {"file": None}}
MAP = {"0": ["variables.file"]}


def upload(http: httpx.Client, operations: Any, places: Any, files: dict[str, Any]) -> httpx.Response:
    fields = {"operations": json.dumps(operations), "map": json.dumps(places)}
    return http.post("/graphql", data=fields, files=files, headers=PREFLIGHT)


def raw(
    http: httpx.Client,
    parts: Sequence[tuple[str, str | bytes]],
    end: bytes = b"--x--\r\n",
    content_type: str = "multipart/form-data; boundary=x",
) -> httpx.Response:
    body = b""
    for disposition, value in parts:
        content = value.encode() if isinstance(value, str) else value
        body += b"--x\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
    return http.post("/graphql", content=body + end, headers={**PREFLIGHT, "Content-Type": content_type})


OPERATIONS: tuple[str, str | bytes] = ('name="operations"', json.dumps(ONE))
MAPPED: tuple[str, str | bytes] = ('name="map"', json.dumps(MAP))
FILE: tuple[str, str | bytes] = ('name="0"; filename="a.wav"', b"RIFF")


def test_a_file_arrives_with_its_name_type_size_and_checksum(http: httpx.Client) -> None:
    content = b"RIFF" + os.urandom(1000)
    answer = upload(http, ONE, MAP, {"0": ("Zoë's call.wav", content, "audio/wav")})
    digest = hashlib.sha256(content).hexdigest()[:8]
    assert answer.json()["data"] == {"upload": f"Zoë's call.wav|audio/wav|1004|{digest}"}


def test_files_may_stand_in_lists_and_nested_inputs(http: httpx.Client) -> None:
    many = {"query": "mutation($files: [Upload!]!) { uploadAll(files: $files) }", "variables": {"files": [None, None]}}
    answer = upload(http, many, {"a": ["variables.files.0"], "b": ["variables.files.1"]}, {"a": b"one", "b": b"three"})
    assert [text.split("|")[2] for text in answer.json()["data"]["uploadAll"]] == ["3", "5"]
    nested = {"query": "mutation($i: Nested!) { uploadNested(input: $i) }", "variables": {"i": {"file": None}}}
    answer = upload(http, nested, {"0": ["variables.i.file"]}, {"0": b"1234567"})
    assert answer.json()["data"]["uploadNested"].split("|")[2] == "7"


def test_an_empty_file_is_a_file(http: httpx.Client) -> None:
    assert upload(http, ONE, MAP, {"0": b""}).json()["data"]["upload"].split("|")[2] == "0"


def test_files_that_nobody_moved_are_deleted(http: httpx.Client, upload_folder: Path) -> None:
    assert upload(http, ONE, MAP, {"0": b"x" * 100_000}).status_code == 200
    assert upload(http, {**ONE, "query": "{ nope }"}, MAP, {"0": b"x"}).status_code == 200
    assert upload(http, ONE, MAP, {"0": b"x" * 4_000_000}).status_code == 413
    assert list(upload_folder.iterdir()) == []


def test_a_file_beyond_the_limit_is_refused_while_it_arrives(http: httpx.Client, upload_folder: Path) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        fields = f'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{json.dumps(ONE)}\r\n'
        fields += f'--x\r\nContent-Disposition: form-data; name="map"\r\n\r\n{json.dumps(MAP)}\r\n'
        yield (fields + '--x\r\nContent-Disposition: form-data; name="0"; filename="a"\r\n\r\n').encode()
        while sent < 200_000_000:
            sent += 100_000
            yield b"\0" * 100_000

    headers = {**PREFLIGHT, "Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = http.post("/graphql", content=endless(), headers=headers)
    except (httpx.WriteError, httpx.ReadError):  # the server had closed before the client was done
        pass
    else:
        assert answer.status_code == 413
    assert sent < 100_000_000
    assert list(upload_folder.iterdir()) == []


Parts = list[tuple[str, str | bytes]]
MALFORMED: dict[str, Parts] = {
    "nothing": [],
    "no operations": [MAPPED, FILE],
    "no map": [OPERATIONS],
    "no file": [OPERATIONS, MAPPED],
    "a file before the map": [OPERATIONS, FILE, MAPPED],
    "map before operations": [MAPPED, OPERATIONS, FILE],
    "operations twice": [OPERATIONS, OPERATIONS, MAPPED, FILE],
    "map twice": [OPERATIONS, MAPPED, MAPPED, FILE],
    "a file twice": [OPERATIONS, MAPPED, FILE, FILE],
    "a file that is not in the map": [OPERATIONS, MAPPED, FILE, ('name="1"; filename="b"', b"")],
    "a part without a name": [OPERATIONS, MAPPED, ("", b"")],
    "a name that is not UTF-8": [OPERATIONS, MAPPED, ('name="\udcff"', b"")],
    "operations not JSON": [('name="operations"', "{"), MAPPED, FILE],
    "operations not UTF-8": [('name="operations"', b'{"query":"\xff"}'), MAPPED, FILE],
    "operations a number": [('name="operations"', "5"), MAPPED, FILE],
    "operations null": [('name="operations"', "null"), MAPPED, FILE],
    "operations a list": [('name="operations"', json.dumps([ONE])), MAPPED, FILE],
    "operations without a query": [('name="operations"', '{"variables":{"file":null}}'), MAPPED, FILE],
    "operations without variables": [('name="operations"', '{"query":"{hello}"}'), MAPPED, FILE],
    "variables a list": [('name="operations"', '{"query":"{hello}","variables":[null]}'), MAPPED, FILE],
    "variables a string": [('name="operations"', '{"query":"{hello}","variables":"x"}'), MAPPED, FILE],
}
MAPS = [
    "{",
    "[1]",
    "1",
    "null",
    '"x"',
    '{"0":1}',
    '{"0":null}',
    '{"0":"variables.file"}',
    '{"0":[]}',
    '{"0":[1]}',
    '{"0":[null]}',
    '{"0":[["variables.file"]]}',
    '{"0":[""]}',
    '{"0":["variables"]}',
    '{"0":["query"]}',
    '{"0":["operationName"]}',
    '{"0":["variables."]}',
    '{"0":["variables.file."]}',
    '{"0":["variables.file.x"]}',
    '{"0":["variables.other"]}',
    '{"0":["variables.__class__"]}',
    '{"0":["variables.file","variables.file"]}',
    '{"0":["variables.file"],"1":["variables.file"]}',
    '{"0":["variables.file.0"]}',
    '{"0":["variables.0"]}',
]


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_multipart_body_is_400(http: httpx.Client, upload_folder: Path, case: str) -> None:
    parts = [(name.encode("utf-8", "surrogateescape").decode("latin-1"), value) for name, value in MALFORMED[case]]
    assert_refused(raw(http, parts), upload_folder)


@pytest.mark.parametrize("places", MAPS)
def test_a_map_that_leads_nowhere_is_400(http: httpx.Client, upload_folder: Path, places: str) -> None:
    assert_refused(raw(http, [OPERATIONS, ('name="map"', places), FILE]), upload_folder)


@pytest.mark.parametrize(
    "place",
    ["variables.l.2", "variables.l.-1", "variables.l.x", "variables.l.00000000", "variables.l.1", "variables.l.²"],
)
def test_an_index_outside_of_a_list_or_in_use_is_400(http: httpx.Client, upload_folder: Path, place: str) -> None:
    operations = {"query": "{hello}", "variables": {"l": ["taken", "taken"]}}
    parts: Parts = [('name="operations"', json.dumps(operations)), ('name="map"', json.dumps({"0": [place]})), FILE]
    assert_refused(raw(http, parts), upload_folder)


@pytest.mark.parametrize("end", [b"", b"--x", b"--x-", b"--y--\r\n", b"--x\r\nContent-"])
def test_a_body_that_ends_too_early_is_400(http: httpx.Client, upload_folder: Path, end: bytes) -> None:
    assert_refused(raw(http, [OPERATIONS, MAPPED, FILE], end), upload_folder)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=y"]
)
def test_a_wrong_or_missing_boundary_is_400(http: httpx.Client, upload_folder: Path, content_type: str) -> None:
    assert_refused(raw(http, [OPERATIONS, MAPPED, FILE], content_type=content_type), upload_folder)


def test_more_files_or_larger_fields_than_allowed_are_413(http: httpx.Client, upload_folder: Path) -> None:
    many = {str(n): [f"variables.f{n}"] for n in range(5)}
    operations = {"query": "{hello}", "variables": {f"f{n}": None for n in range(5)}}
    parts: Parts = [('name="operations"', json.dumps(operations)), ('name="map"', json.dumps(many))]
    assert raw(http, parts).status_code == 413
    assert raw(http, [('name="operations"', json.dumps({**ONE, "x": "x" * 200_000}))]).status_code == 413
    assert list(upload_folder.iterdir()) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), cut=st.integers(0, 500), noise=st.binary(max_size=20))
def test_whatever_arrives_as_multipart_is_answered(
    http: httpx.Client, upload_folder: Path, body: bytes, cut: int, noise: bytes
) -> None:
    whole = b"".join(
        b"--x\r\nContent-Disposition: form-data; "
        + name.encode()
        + b"\r\n\r\n"
        + (v if isinstance(v, bytes) else v.encode())
        + b"\r\n"
        for name, v in (OPERATIONS, MAPPED, ('name="0"; filename="a"', body))
    )
    content = whole[:cut] + noise + whole[cut:] + b"--x--\r\n"
    headers = {**PREFLIGHT, "Content-Type": "multipart/form-data; boundary=x"}
    assert http.post("/graphql", content=content, headers=headers).status_code in (200, 400)
    assert list(upload_folder.iterdir()) == []


def assert_refused(answer: httpx.Response, upload_folder: Path) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "INVALID_INPUT"
    assert list(upload_folder.iterdir()) == []
