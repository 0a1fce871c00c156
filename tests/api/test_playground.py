"""The playground, in a real browser."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import strawberry
from graphql import build_schema

from api.graphql.playground import assets, examples
from tests.browser import Browser, browser
from tests.serve import Served
from tests.toy import TOKEN

DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(DRIVER is None, reason="chromedriver is not on this machine")
RESULT = "document.querySelector('.result-window')?.innerText"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with browser(tmp_path_factory.mktemp("profile"), port, str(DRIVER)) as opened:
        yield opened


def run(window: Browser, toy: Served, query: str, fragment: str = "") -> None:
    window.open("about:blank")
    window.open(f"{toy.url}?query={quote(query)}{fragment}")
    window.wait("return !!document.querySelector('.graphiql-execute-button')")
    window.run("document.querySelector('.graphiql-execute-button').click()")


@needs_browser
def test_a_query_a_subscription_and_the_documentation_work_in_a_browser(
    window: Browser, toy: Served, tmp_path: Path
) -> None:
    run(window, toy, "{ hello whoami }")
    window.wait(f"return {RESULT}.includes('UNAUTHENTICATED')")

    run(window, toy, "{ hello whoami }", f"#token={TOKEN}")
    window.wait(f'return {RESULT}.includes(\'"whoami": "me"\')')
    assert "token" not in window.run("return location.href")

    run(window, toy, "subscription { ticks(upto: 7) { cursor ... on Ticked { number } } }")
    window.wait(f"return {RESULT}.includes('\"number\": 7')")

    window.run("document.querySelector('[aria-label*=Documentation]').click()")
    window.wait("return document.body.innerText.includes('Root Types')")
    window.screenshot(tmp_path / "playground.png")
    complaints = [line for line in window.log() if "401" not in line]
    assert complaints == []


def test_the_page_loads_nothing_from_elsewhere_and_forbids_it(toy: Served) -> None:
    page = httpx.get(toy.url, headers={"Accept": "text/html"})
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert page.text.count("integrity=") == len(assets())


def test_assets_are_kept_for_ever_under_an_address_that_changes_with_them(toy: Served) -> None:
    page = httpx.get(toy.url, headers={"Accept": "text/html"}).text
    for name, asset in assets().items():
        address = f"/graphql/assets/{asset.version}/{name}"
        assert address in page
        answer = httpx.get(toy.base + address)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == asset.body
        assert httpx.get(f"{toy.base}/graphql/assets/0000/{name}").status_code == 404


@pytest.mark.parametrize("name", ["", "..%2f__init__.py", "page.html", "__init__.py"])
def test_nothing_else_is_served(toy: Served, name: str) -> None:
    assert httpx.get(f"{toy.base}/graphql/assets/0/{name}").status_code == 404


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "text/html;q=0.9, application/json;q=0.1",
    ],
)
def test_browsers_get_the_page_without_a_token(toy: Served, accept: str) -> None:
    answer = httpx.get(toy.url, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_programs_do_not_get_the_page(toy: Served) -> None:
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        assert httpx.get(toy.url, headers={"Accept": accept}).status_code == 401


def test_only_examples_that_the_schema_can_answer_are_offered() -> None:
    @strawberry.type
    class Query:
        hello: str

    assert examples(strawberry.Schema(Query)._schema) == b"[]"
    sdl = "type Query { capabilities: C } type C { version: Int models: [M] exportFormats: [Int] diarization: F }"
    schema: Any = build_schema(
        sdl + " type M { name: Int default: Int loaded: Int } type F { available: Int reason: Int }"
    )
    assert b"query Capabilities" in examples(schema)
