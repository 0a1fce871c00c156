"""GraphQL over HTTP, against a real server."""

import gzip
from pathlib import Path
from typing import Any

import httpx
import pytest

from schema.execution import Limits
from tests.serve import Served
from tests.toy import TOKEN, application

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
HELLO = {"query": "{ hello }"}


def post(http: httpx.Client, body: Any, accept: str | None = GRAPHQL, **headers: str) -> httpx.Response:
    return http.post("/graphql", json=body, headers={"Accept": accept or "", **headers})


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", GRAPHQL),
        (f"{JSON};q=0.9, {GRAPHQL};q=0.5", JSON),
        (f"{GRAPHQL};q=0, */*", JSON),
        (f"{JSON};q=0, */*;q=0.1", GRAPHQL),
        ("APPLICATION/JSON; charset=UTF-8", JSON),
        # what urql sends: everything it knows, alike
        (f"{GRAPHQL}, application/graphql+json, {JSON}, text/event-stream, multipart/mixed", GRAPHQL),
        ("text/event-stream;q=0.5, application/json", JSON),
    ],
)
def test_the_answer_has_the_media_type_that_the_client_likes_best(
    http: httpx.Client, accept: str | None, expected: str
) -> None:
    answer = post(http, HELLO, accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{expected}; charset=utf-8"
    assert "Accept" in answer.headers["vary"]
    assert answer.json()["data"] == {"hello": "Hello, world!"}


@pytest.mark.parametrize(
    "accept", ["image/png", "application/json;q=0", "application/json; charset=utf-16", "text/html"]
)
def test_no_common_media_type_is_406(http: httpx.Client, accept: str) -> None:
    assert problem(post(http, HELLO, accept), 406)


def problem(answer: httpx.Response, status: int, code: str = "INVALID_INPUT") -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["message"] == body["detail"]
    assert body["correlationId"] == answer.headers["x-request-id"]
    assert body["errors"][0]["extensions"]["code"] == code
    return body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1",
        b"null",
        b'"text"',
        b"true",
        b"{",
        b"{}",
        b"{]",
        b"[]",
        b'[{"query":"{hello}"}]',
        b'{"query":null}',
        b'{"query":1}',
        b'{"query":["{hello}"]}',
        b'{"query":{"a":1}}',
        b'{"query":"{hello}","variables":"x"}',
        b'{"query":"{hello}","variables":[1]}',
        b'{"query":"{hello}","variables":1}',
        b'{"query":"{hello}","variables":false}',
        b'{"query":"{hello}","operationName":1}',
        b'{"query":"{hello}","operationName":{}}',
        b'{"query":"{hello}","extensions":[]}',
        b'{"query":"{hello}","extensions":"x"}',
        b'{"query":"\xff\xfe"}',
        b'{"query":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"query":"{hello}"',
        b'{"query":"{hello}"} trailing',
        b'{"query":NaN}',
        b'{"query":"a\x00b" \x00}',
        b"[" * 90_000,
        b'{"a":' * 18_000,
        b"query=%7Bhello%7D",
    ],
)
def test_a_malformed_body_is_400_and_says_why(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/graphql", content=body, headers={"Content-Type": JSON, "Accept": GRAPHQL})
    assert problem(answer, 400)["message"]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/graphql",
        "nonsense",
        "application/jsonx",
    ],
)
def test_another_content_type_is_415(http: httpx.Client, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = http.post("/graphql", content=b'{"query":"{hello}"}', headers=headers)
    problem(answer, 415)
    assert "application/json" in answer.headers["accept-post"]


def test_another_charset_or_a_compressed_body_is_415(http: httpx.Client) -> None:
    body = b'{"query":"{hello}"}'
    problem(http.post("/graphql", content=body, headers={"Content-Type": f"{JSON}; charset=latin-1"}), 415)
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    problem(http.post("/graphql", content=gzip.compress(body), headers=headers), 415)


@pytest.mark.parametrize("content_type", [JSON, "application/json;charset=utf-8", 'Application/JSON; charset="UTF-8"'])
def test_json_with_or_without_its_charset_is_understood(http: httpx.Client, content_type: str) -> None:
    answer = http.post(
        "/graphql", content='{"query":"{hello(name:\\"Zoë\\")}"}', headers={"Content-Type": content_type}
    )
    assert answer.json()["data"] == {"hello": "Hello, Zoë!"}


def test_a_body_beyond_the_limit_is_413_declared_or_not(http: httpx.Client) -> None:
    large = b'{"query":"{hello}","x":"' + b"x" * 120_000 + b'"}'
    problem(http.post("/graphql", content=large, headers={"Content-Type": JSON}), 413, "LIMIT_EXCEEDED")
    chunks = iter([large[:60_000], large[60_000:]])
    problem(http.post("/graphql", content=chunks, headers={"Content-Type": JSON}), 413, "LIMIT_EXCEEDED")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_another_method_is_405_and_told_what_is_allowed(http: httpx.Client, method: str) -> None:
    answer = http.request(method, "/graphql")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


def test_options_tells_the_methods(http: httpx.Client) -> None:
    answer = http.options("/graphql")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


def test_a_query_can_be_asked_by_get_with_variables(http: httpx.Client) -> None:
    query = "query A($n: String) { hello(name: $n) } query B { whoami }"
    answer = http.get(
        "/graphql", params={"query": query, "variables": '{"n":"A"}', "operationName": "A", "extensions": ""}
    )
    assert answer.json()["data"] == {"hello": "Hello, A!"}


def test_head_answers_like_get_without_a_body(http: httpx.Client) -> None:
    answer = http.head("/graphql", params={"query": "{hello}"})
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_get_answer_has_an_etag_and_is_not_sent_twice(http: httpx.Client) -> None:
    first = http.get("/graphql", params={"query": "{hello}"})
    assert first.headers["cache-control"] == "private, no-cache"
    again = http.get("/graphql", params={"query": "{hello}"}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "query_string",
    [
        "",
        "query=",
        "variables=%7B%7D",
        "query=%7Bhello%7D&variables=%7B",
        "query=%7Bhello%7D&variables=1",
        "query=%7Bhello%7D&variables=%5B%5D",
        "query=%7Bhello%7D&extensions=x",
        "query=%7Bhello%7D&query=%7Bhello%7D",
        "query=%ff%fe",
        "&".join(f"a{n}=1" for n in range(200)),
    ],
)
def test_a_malformed_query_string_is_400(http: httpx.Client, query_string: str) -> None:
    answer = http.get(f"/graphql?{query_string}", headers={"Accept": GRAPHQL})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


def test_mutations_are_not_run_by_get(http: httpx.Client) -> None:
    answer = http.get("/graphql", params={"query": "mutation { ping }"})
    problem(answer, 405)
    assert answer.headers["allow"] == "POST"
    assert post(http, {"query": "mutation { ping }"}).json()["data"] == {"ping": "pong"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": "{"}, "Syntax Error"),
        ({"query": ""}, "Syntax Error"),
        ({"query": "{ nope }"}, "Cannot query field"),
        ({"query": "fragment A on Query { hello }"}, "holds no operation"),
        ({"query": "type A { b: Int }"}, "holds no operation"),
        ({"query": "{ hello } { hello }"}, "anonymous operation"),
        ({"query": "query A { hello } query B { hello }"}, "Must provide operation name"),
        ({"query": "query A { hello }", "operationName": "B"}, "Unknown operation"),
        ({"query": "query($n: Int!) { words(first: $n) { text } }"}, "'$n'"),
        ({"query": "query($n: Int!) { words(first: $n) { text } }", "variables": {"n": "x"}}, "'$n'"),
        ({"query": "query($n: Int!) { words(first: $n) { text } }", "variables": {"n": 2**40}}, "'$n'"),
        ({"query": '{ words(first: "x") { text } }'}, "Int cannot represent"),
        ({"query": "{ hello @nope }"}, "Unknown directive"),
        ({"query": "{ ...A } fragment A on Query { ...A }"}, "within itself"),
    ],
)
def test_a_request_that_is_not_executed_is_400_without_data_or_200_as_plain_json(
    http: httpx.Client, body: dict[str, Any], message: str
) -> None:
    for accept, status in ((GRAPHQL, 400), (JSON, 200)):
        answer = post(http, body, accept)
        assert (answer.status_code, answer.headers["content-type"]) == (status, f"{accept}; charset=utf-8")
        assert "data" not in answer.json()
        error = answer.json()["errors"][0]
        assert message in error["message"]
        assert error["extensions"] == {
            "code": "INVALID_INPUT",
            "message": error["message"],
            "details": None,
            "correlationId": answer.headers["x-request-id"],
        }


def test_errors_suggest_no_names(http: httpx.Client) -> None:
    assert "Did you mean" not in post(http, {"query": "{ helo wrds { txt } }"}).text


def test_a_subscription_as_plain_json_is_406_and_told_the_way(http: httpx.Client) -> None:
    assert "text/event-stream" in problem(post(http, {"query": "subscription { ticks { cursor } }"}), 406)["message"]


# ---------------------------------------------------------------- who asks


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic YTpi"])
def test_without_a_valid_token_nothing_is_read(toy: Served, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for answer in (
        httpx.post(toy.url, json=HELLO, headers=headers),
        httpx.post(toy.url, content=b"{", headers=headers),
        httpx.get(toy.url, params={"query": "{hello}"}, headers=headers),
    ):
        problem(answer, 401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_resolvers_see_the_viewer_and_the_cost(http: httpx.Client) -> None:
    answer = post(http, {"query": "{ whoami cost words(first: 3) { text } }"}).json()
    assert answer["data"]["whoami"] == "me"
    assert answer["data"]["cost"] == answer["extensions"]["cost"]["requested"] == 4


# ---------------------------------------------------------------- correlation


@pytest.mark.parametrize("given", ["abc", "A-1_2.3:4", "x" * 128])
def test_a_correlation_id_is_taken_over_and_echoed(http: httpx.Client, given: str) -> None:
    answer = post(http, {"query": "{ correlation conflict }"}, **{"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    assert answer.json()["data"]["correlation"] == given
    assert answer.json()["errors"][0]["extensions"]["correlationId"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", "-a", "é"])
def test_an_odd_correlation_id_is_replaced(http: httpx.Client, given: str) -> None:
    answer = http.post("/graphql", json=HELLO, headers=[(b"X-Request-ID", given.encode("latin-1"))])
    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 26


# ---------------------------------------------------------------- faults


def test_a_domain_error_carries_its_facts(http: httpx.Client) -> None:
    answer = post(http, {"query": "{ conflict }"})
    assert answer.status_code == 200
    assert answer.json()["data"] == {"conflict": None}
    extensions = answer.json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["message"]) == ("CONFLICT", "This is taken.")
    assert extensions["details"] == {"by": "somebody"}


def test_an_unexpected_exception_is_hidden_and_logged_with_its_trace(
    http: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = post(http, {"query": "{ crash }"}, **{"X-Request-ID": "crash-1"})
    assert "secret" not in answer.text
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    logged = capfd.readouterr().out
    assert "secret" in logged
    assert "Traceback" in logged
    assert "crash-1" in logged


# ---------------------------------------------------------------- forged requests


PREFLIGHT = ["GraphQL-Preflight", "Apollo-Require-Preflight", "X-Requested-With"]


@pytest.mark.parametrize("header", PREFLIGHT)
def test_a_multipart_request_needs_a_header_that_no_page_can_forge(http: httpx.Client, header: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    problem(http.post("/graphql", content=body, headers=headers), 403, "FORBIDDEN")
    problem(http.post("/graphql", content=body, headers={**headers, header: "1"}), 400)


@pytest.mark.parametrize("header", PREFLIGHT)
def test_a_get_request_by_cookie_alone_needs_such_a_header_too(toy: Served, header: str) -> None:
    cookie = {"Cookie": "session=me"}
    problem(httpx.get(toy.url, params={"query": "{hello}"}, headers=cookie), 403, "FORBIDDEN")
    assert httpx.get(toy.url, params={"query": "{hello}"}, headers={**cookie, header: "1"}).status_code == 200
    assert httpx.post(toy.url, json=HELLO, headers=cookie).status_code == 200  # JSON is not a simple request


def test_large_answers_are_compressed_small_ones_not(http: httpx.Client) -> None:
    large = post(http, {"query": "{ words(first: 200) { text } }"})
    assert large.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in post(http, HELLO).headers


def test_a_hardened_endpoint_answers_neither_get_nor_introspection_nor_a_browser(tmp_path: Path) -> None:
    app = application(tmp_path, playground=False, get_queries=False, limits=Limits(introspection=0))
    token = {"Authorization": f"Bearer {TOKEN}"}
    with Served(app) as served, httpx.Client(base_url=served.base, headers=token) as client:
        assert client.get("/graphql", params={"query": "{hello}"}).headers["allow"] == "POST"
        assert client.get("/graphql", headers={"Accept": "text/html"}).status_code == 405
        for query in ("{ __schema { types { name } } }", '{ hello __type(name: "Query") { name } }'):
            refused = post(client, {"query": query})
            assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (400, "INVALID_INPUT")
        assert post(client, {"query": "{ hello __typename }"}).json()["data"]["__typename"] == "Query"


def test_only_pages_of_allowed_origins_may_read_the_answers(tmp_path: Path) -> None:
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    page = {"Origin": "https://app.example"}
    token = {"Authorization": f"Bearer {TOKEN}"}
    with Served(application(tmp_path, allowed_origins=frozenset({"https://app.example"}))) as served:
        asked = httpx.options(served.url, headers={**page, **preflight})
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        assert "authorization" in asked.headers["access-control-allow-headers"]
        answer = httpx.post(served.url, json=HELLO, headers={**page, **token})
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
        other = {"Origin": "https://evil.example"}
        assert httpx.options(served.url, headers={**other, **preflight}).status_code == 400
        assert (
            "access-control-allow-origin" not in httpx.post(served.url, json=HELLO, headers={**other, **token}).headers
        )


def test_by_default_no_other_page_may_read_the_answers(http: httpx.Client) -> None:
    answer = http.post("/graphql", json=HELLO, headers={"Origin": "https://app.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
