"""The headers that keep browsers careful are on every answer of every route."""

import re
from ipaddress import ip_network
from unittest.mock import AsyncMock

import httpx
import pytest
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.http.headers import DEFAULTS
from api.http.origins import PublicBase
from tests.fixtures.web import StartWeb, Web

PROXIED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.org"}


async def test_every_route_answers_every_method_with_the_careful_headers(web: Web) -> None:
    paths = sorted({re.sub(r"\{[^}]+\}", "x", route.path) for route in web.app.routes if isinstance(route, Route)})
    assert {"/", "/graphql", "/media/x", "/exports/x/x", "/uploads/x", "/device", "/healthz"} <= set(paths)
    lacking = []
    async with httpx.AsyncClient(base_url=web.url) as client:
        for path in [*paths, "/there-is-nothing-here"]:
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
                answer = await client.request(method, path, headers={"Accept": "text/html"})
                missing = [name for name in DEFAULTS if len(answer.headers.get_list(name)) != 1]
                if missing or "frame-ancestors 'none'" not in answer.headers["content-security-policy"]:
                    lacking.append((method, path, answer.status_code, missing))
                assert "strict-transport-security" not in answer.headers
    assert lacking == []


async def test_the_console_may_use_the_microphone_and_the_graph_may_not(web: Web) -> None:
    async with httpx.AsyncClient(base_url=web.url) as client:
        console, graph = await client.get("/"), await client.post("/graphql", json={"query": "{ __typename }"})
    assert "microphone=(self)" in console.headers["permissions-policy"]
    assert "script-src 'self'" in console.headers["content-security-policy"]
    assert graph.headers["content-security-policy"] == DEFAULTS["Content-Security-Policy"]
    assert "microphone=()" in graph.headers["permissions-policy"]


async def test_browsers_are_held_to_tls_where_a_trusted_proxy_says_there_is_some(start_web: StartWeb) -> None:
    web = await start_web(TRUSTED_PROXIES="127.0.0.1", ALLOWED_ORIGINS="https://page.example")
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "PUT"}
    async with httpx.AsyncClient(base_url=web.url, headers=PROXIED) as client:
        answers = [
            await client.get("/"),
            await client.get("/nothing"),
            await client.options("/uploads/x", headers=preflight),
        ]
    assert {answer.headers.get("strict-transport-security") for answer in answers} == {"max-age=31536000"}
    assert answers[2].headers["access-control-allow-origin"] == "https://page.example"


async def test_a_proxy_that_is_not_trusted_is_believed_nothing(start_web: StartWeb) -> None:
    web = await start_web()
    async with httpx.AsyncClient(base_url=web.url, headers=PROXIED) as client:
        assert "strict-transport-security" not in (await client.get("/")).headers


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ([], "127.0.0.1"),
        (["203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        (["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, not an address"], "127.0.0.1"),
        (["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
    ],
)
async def test_the_client_is_whom_the_outermost_trusted_proxy_heard(said: list[str], seen: str) -> None:
    networks = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"))
    for trusted, expected in ((networks, seen), ((), "127.0.0.1")):
        found: list[str] = []

        async def app(scope: Scope, _receive: Receive, _send: Send, found: list[str] = found) -> None:
            found.append(scope["client"][0])

        headers = [(b"x-forwarded-for", value.encode()) for value in said]
        scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 5), "headers": headers}
        await PublicBase(app, trusted)(scope, AsyncMock(), AsyncMock())
        assert found == [expected]
