"""Answers in parts over each transport, for clients of today's draft of incremental delivery and of that of 2022."""

import json
from typing import Any

import httpx
import pytest

from tests.api.test_graphql_websocket import ready, receive, send, subscribe
from tests.serve import Served

TODAY = "multipart/mixed;incrementalSpec=v0.2, application/graphql-response+json, application/json;q=0.9"
OF_2022 = "multipart/mixed;deferSpec=20220824, application/graphql-response+json, application/json;q=0.9"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
LATER = '{ hello ... @defer(label: "who") { whoami } }'
WORDS = "{ words(first: 4) @stream(initialCount: 1) { index } }"


def ask(http: httpx.Client, query: str, accept: str, **headers: str) -> httpx.Response:
    return http.post("/graphql", json={"query": query}, headers={"Accept": accept, **headers})


def bodies(answer: httpx.Response) -> list[Any]:
    """The parts of a multipart answer."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith('multipart/mixed;boundary="graphql";')
    assert "content-encoding" not in answer.headers  # it would hold parts back
    opening, *parts, end = answer.text.split("\r\n--graphql")
    assert (opening, end) == ("", "--\r\n")
    return [json.loads(part.removeprefix("\r\nContent-Type: application/json\r\n\r\n")) for part in parts]


def without_cost(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "extensions"}


def test_a_deferred_fragment_is_announced_and_completed(http: httpx.Client) -> None:
    first, last = bodies(ask(http, LATER, TODAY))
    pending = [{"id": "0", "path": [], "label": "who"}]
    assert without_cost(first) == {"data": {"hello": "Hello, world!"}, "pending": pending, "hasNext": True}
    assert last == {
        "incremental": [{"id": "0", "data": {"whoami": "me"}}],
        "completed": [{"id": "0"}],
        "hasNext": False,
    }


@pytest.mark.parametrize("accept", [OF_2022, "multipart/mixed", URQL])
def test_a_client_of_2022_or_of_no_known_draft_gets_paths(http: httpx.Client, accept: str) -> None:
    first, last = bodies(ask(http, LATER, accept))
    assert without_cost(first) == {"data": {"hello": "Hello, world!"}, "hasNext": True}
    assert last == {"incremental": [{"data": {"whoami": "me"}, "label": "who", "path": []}], "hasNext": False}


def test_a_client_of_2022_gets_the_place_of_streamed_items(http: httpx.Client) -> None:
    _, last = bodies(ask(http, WORDS, OF_2022))
    rest = [{"items": [{"index": 1}, {"index": 2}, {"index": 3}], "path": ["words", 1]}]
    assert last == {"incremental": rest, "hasNext": False}


def test_a_client_of_2022_finds_the_items_of_a_deferred_stream(http: httpx.Client) -> None:
    query = "{ ... @defer { me { words(first: 3) @stream(initialCount: 1) { index ... @defer { text } } } } }"
    root: Any = None
    for body in bodies(ask(http, query, OF_2022)):
        root = body["data"] if root is None else root
        for patch in body.get("incremental", ()):
            place, path = root, list(patch["path"])
            start = path.pop() if "items" in patch else 0
            for key in path:
                place = place[key]
            if "items" in patch:
                assert start == len(place)
                place.extend(patch["items"])
            else:
                place.update(patch["data"])
    assert root == {"me": {"words": [{"index": n, "text": f"wörd{n}"} for n in range(3)]}}


def test_a_failed_part_of_2022_is_null_with_its_errors(http: httpx.Client) -> None:
    _, last = bodies(ask(http, '{ hello ... @defer(label: "x") { words(first: -1) { text } } }', OF_2022))
    [failed] = last["incremental"]
    assert (failed["data"], failed["path"], failed["label"]) == (None, [], "x")
    assert failed["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "application/graphql-response+json", "multipart/mixed;q=0, */*"]
)
def test_who_does_not_ask_for_parts_gets_the_whole(http: httpx.Client, accept: str) -> None:
    answer = ask(http, LATER, accept)
    assert answer.headers["content-type"].startswith("application/")
    assert answer.json()["data"] == {"hello": "Hello, world!", "whoami": "me"}


@pytest.mark.parametrize(
    ("query", "status"),
    [("{ hello }", 200), ("{ ... @defer(if: false) { hello } }", 200), ("{ ... @defer { nope } }", 400),
     ("query ($n: Int!) { words(first: $n) @stream { text } }", 400)],
)  # fmt: skip
def test_what_has_no_parts_is_json_with_its_status(http: httpx.Client, query: str, status: int) -> None:
    answer = ask(http, query, TODAY)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/graphql-response+json")


def test_parts_come_when_they_are_ready(http: httpx.Client) -> None:
    query = "{ hello ... @defer { sleep(seconds: 0.2) } }"
    with http.stream("POST", "/graphql", json={"query": query}, headers={"Accept": TODAY}) as answer:
        first = next(answer.iter_text())
    assert first.endswith("--graphql")
    assert "Hello" in first
    assert "awake" not in first


def test_parts_are_events_for_who_reads_event_streams(http: httpx.Client) -> None:
    text = ask(http, LATER, "text/event-stream").text
    first, last, end = (block for block in text.strip().split("\n\n") if not block.startswith(":"))
    assert first.startswith('event: next\ndata: {"data":{"hello":"Hello, world!"}')
    assert '"hasNext":true' in first
    assert '"whoami":"me"' in last
    assert '"hasNext":false' in last
    assert end == "event: complete\ndata:"


def test_a_mutation_runs_once(http: httpx.Client) -> None:
    assert ask(http, "mutation { ping }", TODAY).json()["data"] == {"ping": "pong"}


async def test_parts_are_messages_of_a_websocket(toy: Served) -> None:
    async with ready(toy) as socket:
        await send(socket, subscribe("1", LATER))
        first, last, end = [await receive(socket) for _ in range(3)]
    assert [message["type"] for message in (first, last, end)] == ["next", "next", "complete"]
    assert first["payload"]["data"] == {"hello": "Hello, world!"}
    assert last["payload"]["incremental"] == [{"id": "0", "data": {"whoami": "me"}}]
