"""Our authorization server: service accounts, devices, refresh with rotation, revocation, introspection."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from sqlmodel import col

from api.auth.rows import TERMINAL
from db.accounts import clients
from db.accounts.clients import Created
from db.accounts.grants import Device, Grant
from db.domain.clock import now
from tests.fixtures.web import TOKEN, Web

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
VIEWER = "{ viewer { user { id name } scopes } }"


@pytest.fixture
async def http(web: Web) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=web.url, timeout=30) as client:
        yield client


@pytest.fixture
async def service(web: Web) -> Created:
    async with web.db.write() as session:
        return await clients.create(session, name="nightly", scopes=["jobs:read", "jobs:write"])


def basic(service: Created) -> tuple[str, str]:
    return service.client.id, service.secret


async def granted(http: httpx.AsyncClient, service: Created, **more: str) -> httpx.Response:
    return await http.post("/oauth/token", data={"grant_type": "client_credentials"} | more, auth=basic(service))


async def begun(http: httpx.AsyncClient, **more: str) -> Any:
    answer = await http.post("/oauth/device", data={"client_id": TERMINAL} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def poll(http: httpx.AsyncClient, device: Any) -> httpx.Response:
    form = {"grant_type": DEVICE, "client_id": TERMINAL, "device_code": device["device_code"]}
    return await http.post("/oauth/token", data=form)


async def decide(http: httpx.AsyncClient, device: Any, decision: str = "allow", token: str = TOKEN) -> httpx.Response:
    return await http.post("/device", data={"user_code": device["user_code"], "token": token, "decision": decision})


async def refreshed(http: httpx.AsyncClient, refresh: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "client_id": TERMINAL, "refresh_token": refresh}
    return await http.post("/oauth/token", data=form)


async def signed_in(http: httpx.AsyncClient) -> Any:
    device = await begun(http)
    assert (await decide(http, device)).status_code == 200
    return (await poll(http, device)).json()


async def test_a_service_account_gets_a_token_for_what_its_client_may(
    web: Web, http: httpx.AsyncClient, service: Created
) -> None:
    answer = await granted(http, service)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    token = answer.json()
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 3600, "jobs:read jobs:write")
    assert "refresh_token" not in token
    shown = (await web.data(VIEWER, token["access_token"]))["viewer"]
    assert shown == {"user": {"id": service.client.owner_id, "name": "nightly"}, "scopes": ["jobs:read", "jobs:write"]}
    narrow = (await granted(http, service, scope="jobs:read", resource=web.url)).json()
    assert (await web.data(VIEWER, narrow["access_token"]))["viewer"]["scopes"] == ["jobs:read"]


async def test_a_wrong_request_is_told_what_is_wrong_and_gets_nothing(
    http: httpx.AsyncClient, service: Created
) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    ask, secret = {"grant_type": "client_credentials"}, basic(service)
    cases: list[tuple[str, int, dict[str, Any]]] = [
        ("invalid_client", 401, {"data": ask, "auth": (service.client.id, "wrong")}),
        ("invalid_client", 401, {"data": ask, "auth": ("cli_nobody", service.secret)}),
        ("invalid_client", 401, {"data": ask}),
        ("invalid_client", 401, {"data": ask | {"client_id": service.client.id}}),
        ("invalid_scope", 400, {"data": ask | {"scope": "admin"}, "auth": secret}),
        ("invalid_scope", 400, {"data": ask | {"scope": "nonsense"}, "auth": secret}),
        ("unsupported_grant_type", 400, {"data": {"grant_type": "password"}, "auth": secret}),
        ("unsupported_grant_type", 400, {"data": {"grant_type": ""}, "auth": secret}),
        ("invalid_request", 400, {"content": "grant_type=a&grant_type=b", "headers": form, "auth": secret}),
        ("invalid_request", 400, {"json": ask, "auth": secret}),
        ("invalid_request", 400, {"content": "x" * 20_000, "headers": form, "auth": secret}),
        ("invalid_request", 400, {"content": b"a=%ff", "headers": {"content-type": "text/plain"}, "auth": secret}),
        ("invalid_target", 400, {"data": ask | {"resource": "https://elsewhere.example"}, "auth": secret}),
        ("invalid_client", 401, {"data": {**ask, "client_id": TERMINAL}}),
        ("unauthorized_client", 400, {"data": {"grant_type": "refresh_token", "refresh_token": "x"}, "auth": secret}),
        ("invalid_grant", 400, {"data": {"grant_type": "refresh_token", "refresh_token": "x", "client_id": TERMINAL}}),
    ]  # fmt: skip
    wrong = []
    for error, status, request in cases:
        answer = await http.post("/oauth/token", **request)
        if (answer.status_code, answer.json().get("error")) != (status, error) or "access_token" in answer.text:
            wrong.append((error, status, request, answer.status_code, answer.text))
    assert wrong == []
    in_query = await http.post("/oauth/token?grant_type=client_credentials", data=ask, auth=secret)
    assert in_query.json()["error"] == "invalid_request"  # RFC 6749, 2.3.1: what the address holds ends in logs
    assert (await http.get("/oauth/token")).status_code == 405


async def test_a_device_is_let_in_by_a_person_and_its_code_works_once(web: Web, http: httpx.AsyncClient) -> None:
    device = await begun(http, scope="jobs:read transcripts:read")
    assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", device["user_code"])
    assert device["verification_uri"] == f"{web.url}/device"
    assert (await poll(http, device)).json()["error"] == "authorization_pending"
    assert (await poll(http, device)).json()["error"] == "slow_down"
    page = await http.get("/device", params={"user_code": device["user_code"]})
    assert device["user_code"] in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert (await decide(http, device)).status_code == 200
    async with web.db.write() as session:  # the device has waited
        await session.execute(update(Device).values(polled_at=0))
    token = (await poll(http, device)).json()
    assert (await web.data(VIEWER, token["access_token"]))["viewer"]["scopes"] == ["jobs:read", "transcripts:read"]
    assert (await poll(http, device)).json()["error"] in {"invalid_grant", "invalid_request"}


async def test_a_device_that_is_denied_late_or_unknown_is_not_let_in(web: Web, http: httpx.AsyncClient) -> None:
    denied, late = await begun(http), await begun(http)
    assert (await decide(http, denied, "deny")).status_code == 200
    assert (await poll(http, denied)).json()["error"] == "access_denied"
    async with web.db.write() as session:
        await session.execute(update(Device).values(expires_at=now() - 1))
    assert (await decide(http, late)).status_code == 404
    assert (await poll(http, late)).json()["error"] == "expired_token"
    assert (await decide(http, {"user_code": "AAAA-AAAA"})).status_code == 404
    assert (await decide(http, late, token="wrong-token-wrong-token")).status_code == 401
    wide = await http.post("/oauth/device", data={"client_id": TERMINAL, "scope": "admin"})
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")


async def test_a_form_of_another_page_and_a_narrow_token_let_nothing_in(web: Web, http: httpx.AsyncClient) -> None:
    device = await begun(http)
    form = {"user_code": device["user_code"], "token": TOKEN, "decision": "allow"}
    assert (await http.post("/device", data=form, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    create = """mutation { createAccessToken(input: {name: "x", scopes: ["jobs:read"]}) {
      ... on CreateAccessTokenPayload { secret } } }"""
    narrow = (await web.data(create))["createAccessToken"]["secret"]
    assert (await decide(http, device, token=narrow)).status_code == 403
    page = (await http.get("/device", params={"user_code": "<script>"})).text
    assert "<script>" not in page


async def test_codes_cannot_be_tried_one_after_the_other(http: httpx.AsyncClient) -> None:
    tries = [await decide(http, {"user_code": f"AAAA-AAA{letter}"}) for letter in "BCDFGHJKLMNPQRSTVWXZ"]
    assert 429 in {answer.status_code for answer in tries}


async def test_a_refresh_token_works_once(web: Web, http: httpx.AsyncClient) -> None:
    first = await signed_in(http)
    second = (await refreshed(http, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await web.ask(VIEWER, second["access_token"])).status_code == 200
    reused = await refreshed(http, first["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert (await refreshed(http, second["refresh_token"])).json()["error"] == "invalid_grant"
    await _until_void(web, second["access_token"])
    assert (await web.ask(VIEWER, first["access_token"])).status_code == 401


async def test_of_twenty_who_use_a_refresh_token_at_once_one_wins_and_nothing_stays_valid(
    web: Web, http: httpx.AsyncClient
) -> None:
    first = await signed_in(http)
    answers = await asyncio.gather(*(refreshed(http, first["refresh_token"]) for _ in range(20)))
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.json()["error"] for answer in answers if answer.status_code != 200} == {"invalid_grant"}
    assert (await refreshed(http, won[0]["refresh_token"])).json()["error"] == "invalid_grant"
    async with web.db.read() as session:
        assert (await session.execute(select(Grant).where(col(Grant.revoked_at).is_(None)))).all() == []
    await _until_void(web, won[0]["access_token"])
    await _until_void(web, first["access_token"])


async def _until_void(web: Web, token: str) -> None:
    async with asyncio.timeout(3):
        while (await web.ask(VIEWER, token)).status_code != 401:
            await asyncio.sleep(0.1)


async def test_a_revoked_token_opens_nothing_and_an_unknown_one_is_no_error(
    web: Web, http: httpx.AsyncClient, service: Created
) -> None:
    token = (await granted(http, service)).json()["access_token"]
    asked: dict[str, Any] = {"data": {"token": token}, "auth": basic(service)}
    told = (await http.post("/oauth/introspect", **asked)).json()
    assert told["active"] is True
    assert (told["sub"], told["aud"], told["client_id"]) == (service.client.owner_id, web.url, service.client.id)
    assert (await http.post("/oauth/revoke", **asked)).status_code == 200
    assert (await http.post("/oauth/introspect", **asked)).json() == {"active": False}
    assert (await web.ask(VIEWER, token)).status_code == 401
    assert (await http.post("/oauth/revoke", data={"token": "unknown"}, auth=basic(service))).status_code == 200
    assert (await http.post("/oauth/introspect", data={"token": token})).status_code == 401


async def test_a_client_learns_and_revokes_nothing_of_anothers_tokens(
    web: Web, http: httpx.AsyncClient, service: Created
) -> None:
    theirs = (await signed_in(http))["access_token"]
    asked: dict[str, Any] = {"data": {"token": theirs}, "auth": basic(service)}
    assert (await http.post("/oauth/introspect", **asked)).json() == {"active": False}
    await http.post("/oauth/revoke", **asked)
    assert (await web.ask(VIEWER, theirs)).status_code == 200


async def test_the_database_holds_no_secret_of_the_token_endpoint(
    web: Web, http: httpx.AsyncClient, service: Created
) -> None:
    token, device = await signed_in(http), await begun(http)
    async with web.db.read() as session:
        rows = [*(await session.execute(select(Grant))).all(), *(await session.execute(select(Device))).all()]
    for secret in (token["access_token"], token["refresh_token"], device["device_code"], service.secret):
        assert secret not in str(rows) + service.client.secret_hash


async def test_the_metadata_names_what_there_is(web: Web, http: httpx.AsyncClient) -> None:
    told = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == web.url
    assert told["grant_types_supported"] == ["client_credentials", "refresh_token", DEVICE]
    for name in ("token", "device_authorization", "revocation", "introspection"):
        address = told[f"{name}_endpoint"]
        assert (await http.post(address)).status_code in {400, 401}, address


async def test_tries_are_counted_by_address(http: httpx.AsyncClient) -> None:
    # a busy server counts some of them by itself, while the common counter keeps it waiting: twice the limit is enough
    answers = await asyncio.gather(*(http.post("/oauth/token", data={"grant_type": "x"}) for _ in range(250)))
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited
    assert limited[0].json()["code"] == "RATE_LIMITED"
    assert "retryAfterSeconds" in limited[0].json()["details"]
