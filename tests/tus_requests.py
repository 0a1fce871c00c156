"""Requests of tus 1.0 with the answers that are settled: those of npm's `@tus/server`, and why where they differ.

`tests.programs.clients.tus_answers` puts the same requests to that server and prints the differences.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx

VERSION = {"Tus-Resumable": "1.0.0"}
STREAM = {"Content-Type": "application/offset+octet-stream"}
SIZE, HALF = 3244, 1000
"""Of a recording of a tenth of a second, and of the part of it that is there already in the state `half`."""
TOLD = ("Tus-Resumable", "Tus-Version", "Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata")
METADATA = "filename Y2FsbC53YXY=,empty"


@dataclass(frozen=True)
class Ask:
    """A request in a state of the upload: there is `none`, it is `new`, `half`, `done`, `deferred`, `deleted` or
    `unknown`. `differs`: why the reference server answers otherwise.
    """

    name: str
    state: str
    method: str
    headers: Mapping[str, str]
    status: int
    part: tuple[int, int] = (0, 0)
    told: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    differs: str = ""


def _create(name: str, status: int, length: str | None = str(SIZE), **more: Any) -> Ask:
    headers = VERSION | ({} if length is None else {"Upload-Length": length}) | more.pop("headers", {})
    return Ask(name, "none", "POST", headers, status, **more)


def _patch(name: str, state: str, status: int, offset: str | None, part: tuple[int, int], **more: Any) -> Ask:
    headers = VERSION | STREAM | ({} if offset is None else {"Upload-Offset": offset}) | more.pop("headers", {})
    return Ask(name, state, "PATCH", headers, status, part, **more)


def _at(offset: int) -> dict[str, str]:
    return {"Upload-Offset": str(offset)}


ASKS = [
    _create("create", 201),
    _create("create with metadata", 201, headers={"Upload-Metadata": METADATA}),
    _create("create with empty metadata", 400, headers={"Upload-Metadata": ""}),
    _create("create with a key twice", 400, headers={"Upload-Metadata": "a YQ==,a Yg=="}),
    _create("create with metadata that is no Base64", 400, headers={"Upload-Metadata": "filename call.wav"}),
    _create("create with spaces in metadata", 400, headers={"Upload-Metadata": "a YQ==, b Yg=="}),
    _create("create without a length", 400, None),
    _create("create with a length and none", 400, headers={"Upload-Defer-Length": "1"}),
    _create("create with the length left open", 201, None, headers={"Upload-Defer-Length": "1"}),
    _create("create with Upload-Defer-Length: 0", 400, None, headers={"Upload-Defer-Length": "0"}),
    _create("create with Upload-Defer-Length: true", 400, None, headers={"Upload-Defer-Length": "true"}),
    *(_create(f"create with the length {text!r}", 400, text) for text in ("-1", "abc", "1.5", "010", "", "1e3")),
    _create("create more than is allowed", 413, str(10**15)),
    _create("create an empty upload", 400, "0", differs="an empty file is no recording, which is better said at once"),
    Ask("create without the version", "none", "POST", {"Upload-Length": "5"}, 412, told={"Tus-Version": "1.0.0"},
        differs="the protocol wants Tus-Version beside a 412"),
    _create("create by another version", 412, headers={"Tus-Resumable": "0.2.2"}, told={"Tus-Version": "1.0.0"},
            differs="the protocol wants a 412, the reference says 400"),
    _create("create with all bytes", 201, headers=STREAM, part=(0, SIZE), told=_at(SIZE)),
    _create("create with some bytes", 201, headers=STREAM, part=(0, HALF), told=_at(HALF)),
    _create("create with too many bytes", 413, str(HALF), headers=STREAM, part=(0, SIZE)),
    _create("create with a body of another type", 201, headers={"Content-Type": "text/plain"}, part=(0, 5)),
    _create("create with Upload-Concat: nonsense", 400, headers={"Upload-Concat": "nonsense"}),
    _create("create a part", 201, headers={"Upload-Concat": "partial"}, differs="its store cannot concatenate"),
    _create("put unknown parts together", 400, None, headers={"Upload-Concat": "final;/uploads/upl_a /uploads/upl_b"},
            differs="its store cannot concatenate"),
    Ask("what the server can do", "none", "OPTIONS", VERSION, 204, told={"Tus-Version": "1.0.0"}),
    Ask("what the server can do, without the version", "none", "OPTIONS", {}, 204, told={"Tus-Version": "1.0.0"}),
    Ask("the same at an upload", "new", "OPTIONS", VERSION, 204, told={"Tus-Version": "1.0.0"}),
    Ask("look at a new one", "new", "HEAD", VERSION, 200,
        told={"Upload-Offset": "0", "Upload-Length": str(SIZE), "Upload-Metadata": METADATA}),
    Ask("look at a begun one", "half", "HEAD", VERSION, 200, told=_at(HALF) | {"Upload-Length": str(SIZE)}),
    Ask("look at a whole one", "done", "HEAD", VERSION, 200, told=_at(SIZE) | {"Upload-Length": str(SIZE)}),
    Ask("look at one of open length", "deferred", "HEAD", VERSION, 200,
        told={"Upload-Offset": "0", "Upload-Defer-Length": "1"}),
    Ask("look at an unknown one", "unknown", "HEAD", VERSION, 404),
    Ask("look at one that was given up", "deleted", "HEAD", VERSION, 404),
    Ask("look without the version", "new", "HEAD", {}, 412, told={"Tus-Version": "1.0.0"},
        differs="the protocol wants Tus-Version beside a 412"),
    _patch("send all", "new", 204, "0", (0, SIZE), told=_at(SIZE)),
    _patch("send some", "new", 204, "0", (0, HALF), told=_at(HALF)),
    _patch("send the rest", "half", 204, str(HALF), (HALF, SIZE), told=_at(SIZE)),
    _patch("send nothing", "half", 204, str(HALF), (0, 0), told=_at(HALF)),
    _patch("send in chunks", "new", 204, "0", (0, SIZE), told=_at(SIZE), chunked=True),
    _patch("send too much", "half", 413, str(HALF), (0, SIZE)),
    _patch("send too much in chunks", "half", 413, str(HALF), (0, SIZE), chunked=True),
    _patch("send behind the end", "half", 409, str(HALF + 1), (0, 5)),
    _patch("send before the end", "half", 409, "0", (0, 5)),
    _patch("send without an offset", "new", 403, None, (0, 5)),
    *(_patch(f"send at {text!r}", "new", 400, text, (0, 5)) for text in ("-1", "abc", "00", "1e1")),
    _patch("send another type", "new", 400, "0", (0, 5), headers={"Content-Type": "text/plain"}),
    Ask("send without a type", "new", "PATCH", VERSION | _at(0), 403, (0, 5)),
    Ask("send without the version", "new", "PATCH", STREAM | _at(0), 412, (0, 5), told={"Tus-Version": "1.0.0"},
        differs="the protocol wants Tus-Version beside a 412"),
    _patch("send to an unknown one", "unknown", 404, "0", (0, 5)),
    _patch("send to one that was given up", "deleted", 404, "0", (0, 5)),
    _patch("send nothing to a whole one", "done", 204, str(SIZE), (0, 0), told=_at(SIZE)),
    _patch("send more to a whole one", "done", 413, str(SIZE), (0, 5)),
    _patch("tell the length with the bytes", "deferred", 204, "0", (0, SIZE), headers={"Upload-Length": str(SIZE)},
           told=_at(SIZE)),
    _patch("send while the length is open", "deferred", 204, "0", (0, HALF), told=_at(HALF)),
    _patch("tell a length that is too large", "deferred", 413, "0", (0, 5), headers={"Upload-Length": str(10**15)}),
    _patch("tell the length again", "half", 400, str(HALF), (HALF, SIZE), headers={"Upload-Length": str(SIZE)}),
    _patch("send with its checksum", "half", 204, str(HALF), (0, 3), told=_at(HALF + 3),
           headers={"Upload-Checksum": "sha1 EDhsCUxqmi9pIBBHnFeHqIt0/Jo="}),
    _patch("send with another checksum", "half", 460, str(HALF), (0, 4),
           headers={"Upload-Checksum": "sha1 EDhsCUxqmi9pIBBHnFeHqIt0/Jo="}, differs="it has no checksums"),
    _patch("send with a checksum of unknown kind", "half", 400, str(HALF), (0, 4),
           headers={"Upload-Checksum": "crc32 AAAAAA=="}, differs="it has no checksums"),
    Ask("give a new one up", "new", "DELETE", VERSION, 204),
    Ask("give a begun one up", "half", "DELETE", VERSION, 204),
    Ask("give a whole one up", "done", "DELETE", VERSION, 204),
    Ask("give an unknown one up", "unknown", "DELETE", VERSION, 404),
    Ask("give one up twice", "deleted", "DELETE", VERSION, 404),
    Ask("give up without the version", "new", "DELETE", {}, 412, told={"Tus-Version": "1.0.0"},
        differs="the protocol wants Tus-Version beside a 412"),
    Ask("send by POST", "half", "POST", VERSION | STREAM | _at(HALF) | {"X-HTTP-Method-Override": "PATCH"}, 204,
        (HALF, SIZE), told=_at(SIZE), differs="it does not know X-HTTP-Method-Override"),
    Ask("look by POST", "half", "POST", VERSION | {"X-HTTP-Method-Override": "HEAD"}, 200, told=_at(HALF),
        differs="it does not know X-HTTP-Method-Override"),
    Ask("give up by POST", "half", "POST", VERSION | {"X-HTTP-Method-Override": "DELETE"}, 204,
        differs="it does not know X-HTTP-Method-Override"),
    Ask("create at an upload's address", "new", "POST", VERSION | {"Upload-Length": str(SIZE)}, 201),
    Ask("read", "new", "GET", VERSION, 405, differs="it leaves GET to others, and says 404"),
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What counts of an answer."""

    status: int
    told: Mapping[str, str]
    has_location: bool


def put(client: httpx.Client, endpoint: str, ask: Ask, body: bytes) -> Answer:
    """Bring an upload into the state, and ask."""
    address = _in_state(client, endpoint, ask.state, body)
    part = body[slice(*ask.part)]
    content: Any = iter([part[:700], part[700:]]) if ask.chunked else part or None
    answer = client.request(ask.method, address, headers=dict(ask.headers), content=content)
    told = {name: answer.headers[name] for name in TOLD if name in answer.headers}
    return Answer(answer.status_code, told, "location" in answer.headers)


def _in_state(client: httpx.Client, endpoint: str, state: str, body: bytes) -> str:
    if state == "none":
        return endpoint
    if state == "unknown":
        return f"{endpoint}/upl_unknown"
    length = {"Upload-Defer-Length": "1"} if state == "deferred" else {"Upload-Length": str(SIZE)}
    made = client.post(endpoint, headers=VERSION | length | {"Upload-Metadata": METADATA})
    address = urljoin(endpoint, made.headers["location"])
    if there := {"half": HALF, "done": SIZE}.get(state):
        headers = VERSION | STREAM | {"Upload-Offset": "0"}
        client.patch(address, headers=headers, content=body[:there]).raise_for_status()
    if state == "deleted":
        client.delete(address, headers=VERSION).raise_for_status()
    return address


def differences(
    answers: Callable[[Ask], Answer], others: Callable[[Ask], Answer]
) -> Iterator[tuple[Ask, Answer, Answer]]:
    """Yield the requests that two servers answer differently."""
    for ask in ASKS:
        ours, theirs = answers(ask), others(ask)
        if ours != theirs:
            yield ask, ours, theirs
