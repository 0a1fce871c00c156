"""A server that shows strangers as little as it can: what graphql-cop looks for, asked the same way."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.fixtures.servers import Server, running

CIRCULAR = "query cop { __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }"
Client = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    off = {"PLAYGROUND": "false", "INTROSPECTION": "false", "GET_QUERIES": "false"}
    with running(tmp_path_factory.mktemp("closed"), **off) as server:
        yield server


def ask(server: Server, body: Any, **headers: str) -> Any:
    headers = {"Authorization": f"Bearer {server.token}", **headers}
    return httpx.post(f"{server.url}/graphql", json=body, headers=headers).json()


def query(text: str) -> dict[str, str]:
    return {"query": text, "operationName": "cop"}


@pytest.mark.parametrize("text", ["query cop { __schema { types { name fields { name } } } }", CIRCULAR])
def test_nobody_learns_the_schema(closed: Server, server: Server, text: str) -> None:
    assert "data" not in ask(closed, query(text))
    if text != CIRCULAR:
        assert ask(server, query(text))["data"]["__schema"]["types"]


def test_a_wrong_name_is_not_put_right(closed: Server) -> None:
    assert "Did you mean" not in str(ask(closed, query("query cop { jbs { directive } __schema { directive } }")))


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/json"])
def test_nothing_is_read_by_get(closed: Server, server: Server, accept: str) -> None:
    headers = {"Authorization": f"Bearer {closed.token}", "Accept": accept}
    for text in ("query cop {__typename}", "mutation cop {__typename}"):
        answer = httpx.get(f"{closed.url}/graphql", params={"query": text}, headers=headers)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
    headers["Authorization"] = f"Bearer {server.token}"
    open_answer = httpx.get(f"{server.url}/graphql", params={"query": "{__typename}"}, headers=headers)
    assert open_answer.status_code == 200


def test_there_is_no_playground(closed: Server, server: Server) -> None:
    for one, shown in ((closed, False), (server, True)):
        page = httpx.get(f"{one.url}/graphql", headers={"Accept": "text/html"}).text
        assert ("playground" in page) == shown


def test_a_form_of_another_page_is_not_understood(closed: Server) -> None:
    headers = {"Authorization": f"Bearer {closed.token}"}
    answer = httpx.post(f"{closed.url}/graphql", data={"query": "query cop { __typename }"}, headers=headers)
    assert answer.status_code == 415


def test_floods_are_refused(closed: Server) -> None:
    aliases = " ".join(f"alias{n}:__typename" for n in range(101))
    assert "data" not in ask(closed, query(f"query cop {{ {aliases} }}"))
    assert len(ask(closed, query("query cop { __typename " + "@aa" * 10 + " }"))["errors"]) != 10
    batch = ask(closed, [query("query cop { __typename }")] * 10)
    assert batch["code"] == "INVALID_INPUT"


@pytest.mark.parametrize("text", ["query cop { __typename }", "qwerty cop { abc }"])
def test_no_answer_tells_of_the_inside(closed: Server, text: str) -> None:
    answer = ask(closed, query(text))
    assert not {"tracing", "exception"} & set(answer.get("extensions", {}))
    assert all(not {"tracing", "exception"} & set(error["extensions"]) for error in answer.get("errors", ()))
