"""The headers that keep browsers careful are on every answer of every route."""

import re

import httpx
from starlette.routing import Route

from api.http.headers import DEFAULTS
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
