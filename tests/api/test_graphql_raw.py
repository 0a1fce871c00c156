"""What no client library sends: HTTP and WebSocket messages byte by byte."""

import json
import socket
import struct
from typing import Any

import pytest

from tests.serve import Served
from tests.toy import TOKEN

AUTH = f"Authorization: Bearer {TOKEN}"
JSON = "Content-Type: application/json"
BODY = '{"query":"{hello}"}'
TWICE = '{"query":"{","query":"{hello}","variables":null,"x":[1e5]}'
QUERY = "/graphql?query=%7Bhello%7D"
CHUNKED = "5\r\n" + BODY[:5] + f"\r\n{len(BODY) - 5:x}\r\n" + BODY[5:] + "\r\n0\r\n\r\n"


def exchange(toy: Served, data: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", toy.port), timeout=10) as opened:
        opened.sendall(data)
        received = b""
        while piece := opened.recv(65536):
            received += piece
    return received


def http(toy: Served, head: str, body: str = "") -> tuple[int, bytes]:
    """The status and the body of the answer to one request, after which the connection ends."""
    answer = exchange(
        toy, head.replace("\n", "\r\n").encode("latin-1") + b"\r\nConnection: close\r\n\r\n" + body.encode()
    )
    final = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    start, _, rest = final.partition(b"\r\n\r\n")
    return int(start.split()[1]), rest


def post(*headers: str, length: str | None = str(len(BODY))) -> str:
    lines = ["POST /graphql HTTP/1.1", "Host: x", AUTH, JSON, *headers]
    return "\n".join([*lines, f"Content-Length: {length}"] if length is not None else lines)


def get(target: str = QUERY, *headers: str, method: str = "GET") -> str:
    return "\n".join([f"{method} {target} HTTP/1.1", "Host: x", AUTH, *headers])


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (post(), BODY),
        (post("Transfer-Encoding: chunked", length=None), CHUNKED),
        (post("Expect: 100-continue"), BODY),
        (post("Accept: image/png;q=0.1", "Accept: application/json"), BODY),
        (post("Accept: */*;q=7, application/json;q=nonsense"), BODY),
        (post("Accept: ,;, ;q=1, application/json;;;q=0.5"), BODY),
        (post(length=str(len(TWICE))), TWICE),
        (post().replace("HTTP/1.1", "HTTP/1.0").replace("Host: x\n", ""), BODY),
        (get(), ""),
        (get("http://x" + QUERY), ""),
        (get(QUERY, "Content-Length: 5"), "hello"),
        (get(QUERY, *(f"X-{n}: {n}" for n in range(90))), ""),
    ],
)  # fmt: skip
def test_odd_but_lawful_requests_are_answered(toy: Served, head: str, body: str) -> None:
    status, answer = http(toy, head, body)
    assert (status, json.loads(answer)["data"]) == (200, {"hello": "Hello, world!"})


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (post("Content-Type: text/plain"), BODY, 400),
        (post("Authorization: Bearer other"), BODY, 400),
        (post("Host: y"), BODY, 400),
        (post("Content-Length: 5"), BODY, 400),
        (post("Transfer-Encoding: chunked"), BODY, 400),
        (post("Transfer-Encoding: nonsense", length=None), BODY, 400),
        (post(length="-5"), BODY, 400),
        (post(length="five"), BODY, 400),
        (post(length="9" * 30), BODY, 400),
        (post(length="5"), BODY[:5], 400),
        (post(length="0"), "", 400),
        (post(length=None), "", 400),
        (post(length="999999999"), "", 413),
        (post("X: a\0b"), BODY, 400),
        (post("Content-Encoding: br"), BODY, 415),
        (post().replace("/json", "/json; charset=utf-16"), BODY, 415),
        (post().replace("Host: x\n", ""), BODY, 400),
        (post("Accept: image/png", "Accept: text/css"), BODY, 406),
        (post("X: " + "x" * 40_000), BODY, 431),
        (get("/graphql?query=" + "a" * 40_000), "", 414),
        (get("/graphql?query=" + "a" * 100_000), "", 414),
        (get("/graphql?query={hello}\0"), "", 400),
        (get("/graphql?query={hello}\xff"), "", 400),
        (get("/graphql?query=%7Bhello%7D%00", "Accept: application/graphql-response+json"), "", 400),
        (get(method="post"), "", 400),
        (get(method="CONNECT"), "", 405),
        (get("*", method="OPTIONS"), "", 404),
        (get("/graphql", "Upgrade: websocket", "Sec-WebSocket-Version: 13"), "", 400),
        ("PRI * HTTP/2.0", "", 400),
        ("\x16\x03\x01", "", 400),
    ],
)
def test_what_cannot_be_understood_is_the_clients_fault(toy: Served, head: str, body: str, expected: int) -> None:
    assert http(toy, head, body)[0] == expected
    assert http(toy, post(), BODY)[0] == 200


@pytest.mark.parametrize(
    ("head", "body"),
    [(post(length="5000"), BODY), (post("Transfer-Encoding: chunked", length=None), '5\r\n{"qu')],
)
def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_fault(
    toy: Served, capfd: pytest.CaptureFixture[str], head: str, body: str
) -> None:
    with socket.create_connection(("127.0.0.1", toy.port), timeout=10) as opened:
        opened.sendall((head.replace("\n", "\r\n") + "\r\n\r\n" + body).encode())
        opened.shutdown(socket.SHUT_WR)
        assert opened.recv(65536) == b""
    assert http(toy, post(), BODY)[0] == 200
    assert "fault" not in capfd.readouterr().out


# ---------------------------------------------------------------- WebSocket frames

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
BELL = b'{"type":"ping"}'
BYE = struct.pack("!H", 1000)
HANDSHAKE = """GET /graphql HTTP/1.1
Host: 127.0.0.1
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Protocol: graphql-transport-ws
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==

""".replace("\n", "\r\n").encode()


def frame(
    opcode: int, data: bytes, *, last: bool = True, masked: bool = True, reserved: int = 0, size: int = -1
) -> bytes:
    length = len(data) if size < 0 else size
    mask = 0x80 if masked else 0
    head = bytes([(0x80 if last else 0) | reserved << 4 | opcode])
    if length < 126:
        head += bytes([mask | length])
    else:
        head += struct.pack("!BH", mask | 126, length) if length < 2**16 else struct.pack("!BQ", mask | 127, length)
    return head + (bytes(4) if masked else b"") + data


def frames(toy: Served, *sent: bytes) -> list[tuple[int, Any]]:
    """What the server sends until it closes: texts, pongs, and last the code of its close frame."""
    with socket.create_connection(("127.0.0.1", toy.port), timeout=10) as opened, opened.makefile("rb") as answer:
        opened.sendall(HANDSHAKE)
        while answer.readline() != b"\r\n":
            pass
        for one in sent:
            opened.sendall(one)
        found: list[tuple[int, Any]] = []
        while head := answer.read(2):
            size = head[1] & 127
            size = struct.unpack("!H", answer.read(2))[0] if size == 126 else size
            data, opcode = answer.read(size), head[0] & 15
            if opcode == CLOSE:
                return [*found, (CLOSE, struct.unpack("!H", data[:2])[0] if data else None)]
            found.append((opcode, data))
    raise AssertionError(f"the connection was cut off without a close frame, after {found}")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ([frame(TEXT, b"\xff\xfe")], 1007),
        ([frame(TEXT, b"\xc3", last=False), frame(0, b"(")], 1007),
        ([frame(CLOSE, BYE + b"\xff")], 1007),
        ([frame(TEXT, BELL, masked=False)], 1002),
        ([frame(TEXT, BELL, reserved=4)], 1002),
        ([frame(TEXT, BELL, reserved=1)], 1002),
        ([frame(3, b"")], 1002),
        ([frame(11, b"")], 1002),
        ([frame(PING, b"x" * 126)], 1002),
        ([frame(PING, b"x", last=False)], 1002),
        ([frame(0, BELL)], 1002),
        ([frame(TEXT, b"{", last=False), frame(TEXT, BELL)], 1002),
        ([frame(CLOSE, b"\x03")], 1002),
        ([frame(CLOSE, struct.pack("!H", 999))], 1002),
        ([frame(CLOSE, struct.pack("!H", 1005))], 1002),
        ([frame(CLOSE, struct.pack("!H", 1006))], 1002),
        ([frame(TEXT, b"", size=2**40)], 1009),
        ([frame(TEXT, b'{"type":"complete","id":"' + b"x" * 2**20 + b'"}')], 1009),
        ([frame(TEXT, BELL[:9], last=False), *[frame(0, b" " * 2**16, last=False)] * 2, frame(0, BELL[9:])], 1009),
        ([frame(BINARY, BELL)], 4400),
        ([frame(BINARY, b"")], 4400),
        ([frame(TEXT, b"")], 4400),
        ([frame(TEXT, b"\xef\xbb\xbf" + BELL)], 4400),
        ([frame(TEXT, BELL.decode().encode("utf-16"))], 1007),
        ([frame(TEXT, BELL + BELL)], 4400),
        ([frame(TEXT, b'{"type":"ping","payload":{"a":1e999}}')], 4400),
        ([frame(TEXT, b'{"type":"ping","payload":' + b'{"a":' * 5000 + b"1" + b"}" * 5001)], 4400),
        ([frame(TEXT, b'{"type":"complete","id":"1"}'), frame(CLOSE, BYE)], 1000),
        ([frame(CLOSE, BYE + b"bye")], 1000),
        ([frame(CLOSE, struct.pack("!H", 3999))], 3999),
        ([frame(CLOSE, b"")], None),
    ],
)
def test_each_broken_frame_has_its_close_code(toy: Served, sent: list[bytes], code: int | None) -> None:
    assert frames(toy, *sent)[-1] == (CLOSE, code)


def test_messages_may_come_in_pieces_with_pings_between_them(toy: Served) -> None:
    text = '{"type":"ping","payload":{"a":"é"}}'.encode()
    cut = text.index(b"\xc3") + 1  # in the middle of a character
    pieces = [frame(TEXT, text[:cut], last=False), frame(PING, b"x"), frame(0, b"", last=False), frame(0, text[cut:])]
    answers = frames(toy, *pieces, frame(TEXT, b"{"))
    assert answers == [(PONG, b"x"), (TEXT, b'{"type":"pong","payload":{"a":"\xc3\xa9"}}'), (CLOSE, 4400)]


def test_of_two_members_with_one_name_the_last_one_counts(toy: Served) -> None:
    answers = frames(toy, frame(TEXT, b'{"type":"nonsense","type":"ping"}'), frame(TEXT, b"{"))
    assert answers == [(TEXT, b'{"type":"pong"}'), (CLOSE, 4400)]
