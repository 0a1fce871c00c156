"""Server-sent events: the distinct connections mode of GraphQL over SSE."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serve import Served
from tests.toy import ENDED, TOKEN, application

SSE = {"Accept": "text/event-stream"}
TICKS = "subscription { ticks { cursor ... on Ticked { number } } }"


def stream(http: httpx.Client, query: str, **headers: str) -> str:
    answer = http.post("/graphql", json={"query": query}, headers={**SSE, **headers})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "content-encoding" not in answer.headers
    return answer.text


def events(text: str) -> list[str]:
    """The blocks of a stream without its comments."""
    assert "\r" not in text
    assert text.endswith("\n\n")
    return [block for block in text.removesuffix("\n\n").split("\n\n") if not block.startswith(":")]


def test_each_event_has_an_id_and_the_last_one_says_that_it_is_complete(http: httpx.Client) -> None:
    *answers, last = events(stream(http, TICKS))
    assert answers == [
        f'event: next\nid: {n}\ndata: {{"data":{{"ticks":{{"cursor":"{n}","number":{n}}}}}}}' for n in (1, 2, 3)
    ]
    assert last == "event: complete\ndata: "


@pytest.mark.parametrize(
    "query",
    [
        TICKS,
        "subscription A($after: String) { ticks(after: $after) { cursor } }",
        'subscription { ticks(after: "0", upto: 3) { cursor } }',
        "subscription { ...A } fragment A on Subscription { ...B } fragment B on Subscription { ticks { cursor } }",
        "subscription { ... on Subscription { ... { mine: ticks(upto: 3) { cursor } } } }",
    ],
)
def test_a_browser_resumes_behind_the_last_event_it_saw(http: httpx.Client, query: str) -> None:
    blocks = events(stream(http, query, **{"Last-Event-ID": "1"}))
    assert [block.split("\n")[1] for block in blocks] == ["id: 2", "id: 3", "data: "]


def test_an_event_source_can_subscribe_by_get(http: httpx.Client) -> None:
    answer = http.get("/graphql", params={"query": TICKS}, headers=SSE)
    assert len(events(answer.text)) == 4


def test_queries_and_mutations_can_be_streamed(http: httpx.Client) -> None:
    answer, last = events(stream(http, "mutation { ping }"))
    assert answer.startswith('event: next\ndata: {"data":{"ping":"pong"}')
    assert last == "event: complete\ndata: "


@pytest.mark.parametrize("query", ["{", "{ nope }", "subscription { nope }", "subscription { expired }"])
def test_a_refused_operation_is_an_event_with_errors(http: httpx.Client, query: str) -> None:
    answer, last = events(stream(http, query))
    assert answer.startswith('event: next\ndata: {"errors":[{"message":')
    assert last == "event: complete\ndata: "


@pytest.mark.parametrize(
    ("accept", "query", "streamed"),
    [
        ("text/event-stream, application/json", "{ hello }", False),
        ("application/json, text/event-stream", "{ hello }", False),
        ("text/event-stream, application/json;q=0.9", "{ hello }", True),
        ("text/event-stream, */*;q=0.1", "{ hello }", True),
        ("*/*", "{ hello }", False),
        ("application/json, text/event-stream", TICKS, True),
        ("application/graphql-response+json, application/json, text/event-stream, multipart/mixed", TICKS, True),
    ],
)
def test_json_wins_unless_the_client_prefers_a_stream_or_subscribes(
    http: httpx.Client, accept: str, query: str, streamed: bool
) -> None:
    answer = http.post("/graphql", json={"query": query}, headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/event-stream") == streamed


def test_a_silent_stream_shows_signs_of_life(http: httpx.Client) -> None:
    with http.stream("POST", "/graphql", json={"query": "subscription { silent }"}, headers=SSE) as answer:
        received = ""
        for text in answer.iter_text():
            received += text
            if received.count(":\n\n") >= 3:
                break


def test_a_stream_ends_with_the_token(toy: Served) -> None:
    headers = {**SSE, "Authorization": f"Bearer until:{time.time() + 0.5}"}
    answer: Any = httpx.post(toy.url, json={"query": "subscription { silent }"}, headers=headers)
    assert set(answer.text.split("\n\n")) == {":", ""}


def test_the_subscription_ends_when_the_client_goes_away(toy: Served) -> None:
    ENDED.clear()
    headers = {**SSE, "Authorization": f"Bearer {TOKEN}"}
    with httpx.stream("POST", toy.url, json={"query": "subscription { silent }"}, headers=headers) as answer:
        next(answer.iter_text())
    deadline = time.monotonic() + 5
    while ENDED != ["silent"]:
        assert time.monotonic() < deadline
        httpx.get(toy.url)


PARTS = {"Accept": "multipart/mixed;subscriptionSpec=1.0, application/json"}  # what Apollo Client sends


def test_apollo_gets_its_subscriptions_in_parts(http: httpx.Client) -> None:
    answer = http.post("/graphql", json={"query": TICKS}, headers=PARTS)
    assert answer.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    opening, *parts, end = answer.text.split("\r\n--graphql")
    assert (opening, end) == ("", "--\r\n")
    bodies = [part.removeprefix("\r\nContent-Type: application/json\r\n\r\n") for part in parts]
    assert bodies == [f'{{"payload":{{"data":{{"ticks":{{"cursor":"{n}","number":{n}}}}}}}}}' for n in (1, 2, 3)]


def test_an_event_comes_with_the_boundary_behind_it_which_clients_wait_for(http: httpx.Client) -> None:
    with http.stream("POST", "/graphql", json={"query": "subscription { forever }"}, headers=PARTS) as answer:
        for text in answer.iter_text():
            assert text.endswith("\r\n--graphql")
            if '{"forever":3}' in text:
                break


def test_a_refused_subscription_in_parts_is_an_error_of_the_transport(http: httpx.Client) -> None:
    text = http.post("/graphql", json={"query": "subscription { expired }"}, headers=PARTS).text
    assert '{"payload":null,"errors":[{"message":' in text
    assert text.endswith("\r\n--graphql--\r\n")


def test_a_query_that_accepts_parts_gets_json(http: httpx.Client) -> None:
    answer = http.post("/graphql", json={"query": "{ hello }"}, headers=PARTS)
    assert answer.headers["content-type"].startswith("application/json")


def test_streams_of_one_owner_are_counted_and_one_that_ends_makes_room(tmp_path: Path) -> None:
    headers = {**SSE, "Authorization": f"Bearer {TOKEN}"}
    query = {"query": "subscription { silent }"}
    with (
        Served(application(tmp_path, connections_per_owner=2)) as served,
        httpx.Client(base_url=served.base, headers=headers) as client,
        client.stream("POST", "/graphql", json=query),
    ):
        with client.stream("POST", "/graphql", json=query):
            ended = len(ENDED)
            refused = client.post("/graphql", json=query)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            assert refused.json()["code"] == "LIMIT_EXCEEDED"
        while len(ENDED) == ended:  # its stream ends when the server has noticed
            time.sleep(0.01)
        assert client.post("/graphql", json={"query": "subscription { ticks { cursor } }"}).status_code == 200
