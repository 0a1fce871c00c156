"""An outage is told as one, on every route: what is away, and when to come back; never a bare 500."""

import errno
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.http.correlation import Correlation
from api.http.files.conditional import Validators
from api.http.origins import PublicBase, cross_origin, public_base
from api.http.problems import Problems
from api.http.settings import ServerSettings
from db.domain.errors import DatabaseDown, NotFound, StorageFull
from db.store.outages import outage
from tests.fixtures.databases import Postgres
from tests.fixtures.servers import Server
from tests.serve import Served

RAISED: dict[str, Exception] = {
    "database": DatabaseDown("secret-host refused the password"),
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "files": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "missing": NotFound("job", "job_1"),
    "fault": RuntimeError("secret"),
}


async def broken(request: Request) -> Response:
    raise RAISED[request.path_params["how"]]


async def where(_request: Request) -> Response:
    return PlainTextResponse(public_base.get())


async def file(request: Request) -> Response:
    validators = Validators("abc", 1_700_000_000_999)
    if validators.known_to(request):
        return Response(None, 304, validators.headers())
    return PlainTextResponse(str(validators.part_for(request, 100)), headers=validators.headers())


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    settings = ServerSettings(allowed_origins="https://app.example/", trusted_proxies="127.0.0.0/8")
    layers = [
        Middleware(Correlation),
        *cross_origin(settings.origins),
        Middleware(PublicBase, trusted=settings.proxies),
        Middleware(Problems),
    ]
    routes = [Route("/broken/{how}", broken), Route("/where", where), Route("/file", file)]
    with Served(Starlette(routes=routes, middleware=layers)) as server:
        yield server


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("database", 503, "UNAVAILABLE"),
        ("full", 507, "UNAVAILABLE"),
        ("files", 503, "UNAVAILABLE"),
        ("missing", 404, "NOT_FOUND"),
        ("fault", 500, "INTERNAL"),
    ],
)
def test_whatever_goes_wrong_is_told_as_a_problem_with_four_facts(
    served: Served, how: str, status: int, code: str
) -> None:
    answer = httpx.get(f"{served.base}/broken/{how}", timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["correlationId"]) == (code, answer.headers["x-request-id"])
    assert ("retry-after" in answer.headers) == (code == "UNAVAILABLE")
    assert "secret" not in answer.text


def test_what_the_database_and_the_store_say_of_a_full_disk_is_known_however_deep_it_lies() -> None:
    deep = ValueError("could not write")
    deep.__cause__ = OSError(errno.ENOSPC, "full")
    assert isinstance(outage(deep), StorageFull)
    assert outage(ValueError("a fault")) is None


def test_a_page_of_an_allowed_origin_may_use_every_route_and_another_may_not(served: Served) -> None:
    for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        preflight = httpx.options(f"{served.base}/uploads/1", headers=asked)
        assert (preflight.headers.get("access-control-allow-origin") == origin) == allowed
        plain = httpx.get(f"{served.base}/file", headers={"Origin": origin})
        assert (plain.headers.get("access-control-allow-origin") == origin) == allowed
        failed = httpx.get(f"{served.base}/broken/missing", headers={"Origin": origin})
        assert (failed.headers.get("access-control-allow-origin") == origin) == allowed


def test_clients_are_sent_to_the_host_that_they_asked(served: Served) -> None:
    def base(**headers: str) -> str:
        return httpx.get(f"{served.base}/where", headers={k.replace("_", "-"): v for k, v in headers.items()}).text

    assert base() == served.base
    assert base(Host="api.example:8443") == "http://api.example:8443"
    assert base(X_Forwarded_Proto="https", X_Forwarded_Host="api.example") == "https://api.example"
    assert base(Host="a/b@c") == ""
    public_base.set("")


def test_a_forwarded_host_is_not_believed_of_a_stranger() -> None:
    with Served(Starlette(routes=[Route("/where", where)], middleware=[Middleware(PublicBase)])) as server:
        assert httpx.get(f"{server.base}/where", headers={"X-Forwarded-Host": "evil.example"}).text == server.base


@pytest.mark.parametrize("bad", [{"allowed_origins": "app.example"}, {"trusted_proxies": "10.0.0.0/40"}])
def test_a_wrong_list_in_a_setting_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        ServerSettings(**bad)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (200, "None")),
        ({"If-None-Match": '"abc"'}, (304, "")),
        ({"If-None-Match": 'W/"x", W/"abc"'}, (304, "")),
        ({"If-None-Match": "*"}, (304, "")),
        ({"If-None-Match": '"x"', "If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT"}, (200, "None")),
        ({"If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT"}, (304, "")),
        ({"If-Modified-Since": "Tue, 14 Nov 2023 22:13:19 GMT"}, (200, "None")),
        ({"If-Modified-Since": "nonsense"}, (200, "None")),
        ({"Range": "bytes=0-9"}, (200, "(0, 10)")),
        ({"Range": "bytes=0-9", "If-Range": '"abc"'}, (200, "(0, 10)")),
        ({"Range": "bytes=0-9", "If-Range": '"old"'}, (200, "None")),
        ({"Range": "bytes=0-9", "If-Range": 'W/"abc"'}, (200, "None")),
        ({"Range": "bytes=0-9", "If-Range": "Tue, 14 Nov 2023 22:13:20 GMT"}, (200, "(0, 10)")),
        ({"Range": f"bytes=0-{'9' * 4301}"}, (200, "None")),
        ({"Range": f"bytes={'9' * 18}-"}, (200, f"({'9' * 18}, 100)")),
    ],
)
def test_what_a_client_has_is_not_sent_again_and_parts_are_of_one_whole(
    served: Served, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = httpx.get(f"{served.base}/file", headers=headers)
    assert (answer.status_code, answer.text) == expected
    assert answer.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_a_server_tells_which_of_its_parts_are_there(server: Server) -> None:
    ready = httpx.get(f"{server.url}/readyz")
    assert ready.json() == {"status": "ok", "parts": {"database": "ok", "storage": "ok", "broker": "ok"}}
    missing = httpx.get(f"{server.url}/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


def test_while_the_database_is_away_the_process_lives_and_says_so(
    postgres: Postgres, postgres_url: str, start_server: Any
) -> None:
    server = start_server(DATABASE_URL=postgres_url)
    headers = {"Authorization": f"Bearer {server.token}"}
    postgres.crash()
    try:
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        ready = httpx.get(f"{server.url}/readyz")
        assert (ready.status_code, ready.json()["parts"]["broker"]) == (503, "ok")
        assert ready.json()["parts"]["database"] != "ok"
        asked = httpx.post(f"{server.url}/graphql", json={"query": "{ jobs { totalCount } }"}, headers=headers)
        assert asked.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    finally:
        postgres.start_again()
