"""Sign-in at a provider: what a browser goes through, and what a dishonest one or a dishonest provider gets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.auth.backchannel import EVENT
from api.auth.cookies import Sealer
from db.accounts import accounts
from tests.fixtures.issuer import CLIENT, Issuer, oidc
from tests.fixtures.web import StartWeb, Web

VIEWER = "{ viewer { user { name email } scopes } }"


class Browser:
    """A browser without a screen: it keeps cookies, and follows nothing by itself."""

    def __init__(self, web: Web, issuer: Issuer, provider: str = "corp") -> None:
        self.http = httpx.AsyncClient(base_url=web.url, timeout=30)
        self.issuer, self.provider = issuer, provider

    async def begin(self, to: str = "") -> dict[str, str]:
        """What the provider is asked."""
        answer = await self.http.get(f"/auth/{self.provider}/login", params={"to": to} if to else {})
        assert answer.status_code == 303, answer.text
        url = urlsplit(answer.headers["location"])
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{self.issuer.url}/auth"
        return {name: value for name, (value,) in parse_qs(url.query).items()}

    def id_token(self, asked: dict[str, str], **changed: Any) -> str:
        """What an honest provider says."""
        claims = {"aud": CLIENT, "nonce": asked["nonce"], "name": "Ann", "sid": "idp-1", "scope": None} | changed
        return self.issuer.sign(self.issuer.claims(**claims), typ="JWT")

    async def finish(self, asked: dict[str, str], **changed: str | None) -> httpx.Response:
        """Back from the provider."""
        self.issuer.id_token = self.issuer.id_token or self.id_token(asked)
        answered = {"code": "c", "state": asked["state"], "iss": self.issuer.url} | changed
        given = {name: value for name, value in answered.items() if value is not None}
        answer = await self.http.get(f"/auth/{self.provider}/callback", params=given)
        self.issuer.id_token = None
        return answer

    async def sign_in(self) -> httpx.Response:
        """The whole way."""
        return await self.finish(await self.begin())

    async def viewer(self) -> Any:
        """Who one is; None when nobody."""
        answer = await self.http.post("/graphql", json={"query": VIEWER})
        return None if answer.status_code == 401 else answer.json()["data"]["viewer"]


OpenBrowser = Callable[[Web], Browser]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind does: what happens in the database is tested on both in test_accounts.py."""
    return sqlite_url


@pytest.fixture
async def web(start_web: StartWeb, issuer: Issuer) -> Web:
    return await start_web(OIDC=oidc(issuer.settings()))


@pytest.fixture
async def open_browser(issuer: Issuer) -> AsyncIterator[OpenBrowser]:
    async with AsyncExitStack() as stack:

        def open_one(web: Web) -> Browser:
            one = Browser(web, issuer)
            stack.push_async_callback(one.http.aclose)
            return one

        yield open_one


@pytest.fixture
def browser(web: Web, open_browser: OpenBrowser) -> Browser:
    return open_browser(web)


async def test_a_person_signs_in_and_gets_an_account(browser: Browser, issuer: Issuer) -> None:
    asked = await browser.begin(to="/graphql?x=1")
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", CLIENT, "S256")
    assert set(asked["scope"].split()) == {"openid", "email", "profile"}
    back = await browser.finish(asked)
    assert back.status_code == 303
    assert back.headers["location"].endswith("/graphql?x=1")
    assert len(issuer.asked["code_verifier"]) >= 43
    shown = await browser.viewer()
    assert shown["user"] == {"name": "Ann", "email": "ann@example.org"}
    assert "admin" not in shown["scopes"]
    assert len(shown["scopes"]) == 7


async def test_the_cookie_is_for_the_server_alone(browser: Browser) -> None:
    answer = await browser.sign_in()
    session = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("graphophone="))
    assert "HttpOnly" in session
    assert "samesite=lax" in session.lower()
    assert "Secure" not in session  # on loopback without TLS a browser would not send it
    assert "ann" not in session
    assert not (await browser.http.get("/auth")).headers.get_list("set-cookie")


async def test_over_tls_cookies_are_bound_to_the_host(start_web: StartWeb, issuer: Issuer) -> None:
    web = await start_web(OIDC=oidc(issuer.settings()), PUBLIC_URL="https://transcripts.example")
    async with httpx.AsyncClient(base_url=web.url) as http:
        cookie = (await http.get("/auth/corp/login")).headers["set-cookie"]
    assert cookie.startswith("__Host-graphophone-")
    assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}


async def test_anybody_can_ask_how_to_sign_in(browser: Browser) -> None:
    answer = await browser.http.get("/auth")
    listed = [{"name": "corp", "label": "corp", "url": "/auth/corp/login"}]
    assert answer.json() == {"providers": listed, "token": True, "signedIn": False}
    assert (await browser.http.get("/auth/other/login")).json()["code"] == "NOT_FOUND"


async def test_two_tabs_do_not_disturb_each_other(browser: Browser) -> None:
    first, second = await browser.begin(), await browser.begin()
    assert (await browser.finish(first)).status_code == 303
    assert (await browser.finish(second)).status_code == 303


async def test_each_sign_in_begins_a_session_of_its_own(browser: Browser) -> None:
    await browser.sign_in()
    before = browser.http.cookies["graphophone"]
    await browser.sign_in()
    assert browser.http.cookies["graphophone"] != before


async def test_an_answer_that_was_tampered_with_opens_nothing(browser: Browser) -> None:
    tampered: list[dict[str, str | None]] = [
        {"state": "another"}, {"state": None}, {"code": None}, {"code": ""}, {"code": "x" * 5000},
        {"iss": "https://evil.example"}, {"error": "access_denied"},
    ]  # fmt: skip
    for changed in tampered:
        answer = await browser.finish(await browser.begin(), **changed)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), changed
    twice = await browser.http.get(f"/auth/corp/callback?code=c&code=d&state={(await browser.begin())['state']}")
    assert twice.status_code == 403
    assert await browser.viewer() is None


async def test_a_provider_that_names_itself_in_answers_must_do_so(browser: Browser, issuer: Issuer) -> None:
    issuer.extra = {"authorization_response_iss_parameter_supported": True}
    assert (await browser.finish(await browser.begin(), iss=None)).status_code == 403


async def test_an_answer_works_once_and_in_the_browser_that_asked_only(
    browser: Browser, web: Web, open_browser: OpenBrowser
) -> None:
    asked = await browser.begin()
    assert (await open_browser(web).finish(asked)).status_code == 403  # somebody else's browser
    assert (await browser.finish(asked)).status_code == 303
    assert (await browser.finish(asked)).status_code == 403


async def test_an_id_token_that_does_not_hold_opens_nothing(browser: Browser, issuer: Issuer) -> None:
    wrong: list[dict[str, Any]] = [
        {"nonce": "swapped"}, {"nonce": None}, {"aud": "other"}, {"aud": [CLIENT, "other"]}, {"azp": "other"},
        {"iss": "https://evil.example"}, {"exp": int(time.time()) - 100}, {"exp": None}, {"iat": None}, {"sub": None},
        {"sub": ""}, {"at_hash": "swapped"},
    ]  # fmt: skip
    for claims in wrong:
        asked = await browser.begin()
        issuer.id_token = browser.id_token(asked, **claims)
        assert (await browser.finish(asked)).status_code == 403, claims
    assert await browser.viewer() is None


async def test_an_expired_code_is_refused_by_the_provider_and_so_by_us(browser: Browser, issuer: Issuer) -> None:
    asked = await browser.begin()
    issuer.token_error = "invalid_grant"
    assert (await browser.finish(asked)).status_code == 403


async def test_an_answer_for_one_provider_is_none_for_another(
    start_web: StartWeb, issuer: Issuer, open_browser: OpenBrowser
) -> None:
    other = issuer.settings(name="other", issuer=issuer.url.replace("127.0.0.1", "localhost"))
    web = await start_web(OIDC=oidc(issuer.settings(), other))
    browser = open_browser(web)
    asked = await browser.begin()
    browser.provider = "other"
    assert (await browser.finish(asked)).status_code == 403


async def test_a_provider_that_is_down_is_told_as_such(start_web: StartWeb, issuer: Issuer) -> None:
    web = await start_web(OIDC=oidc(issuer.settings(issuer="http://127.0.0.1:1")))
    async with httpx.AsyncClient(base_url=web.url) as http:
        assert (await http.get("/auth/corp/login")).status_code == 502


async def test_only_paths_of_ours_are_gone_to_afterwards(browser: Browser) -> None:
    for to in ("//evil.example", "/\\evil.example", "https://evil.example", "/\nx", "javascript:alert(1)"):
        back = await browser.finish(await browser.begin(to=to))
        assert urlsplit(back.headers["location"]).path == "/graphql"
        assert back.headers["location"].startswith(str(browser.http.base_url))


async def test_signing_out_ends_the_session_here_and_at_the_provider(browser: Browser, issuer: Issuer) -> None:
    await browser.sign_in()
    stolen = dict(browser.http.cookies)
    out = await browser.http.post("/auth/logout")
    url = urlsplit(out.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{issuer.url}/end"
    assert parse_qs(url.query)["client_id"] == [CLIENT]
    assert parse_qs(url.query)["id_token_hint"]
    assert await browser.viewer() is None
    browser.http.cookies.update(stolen)
    assert await browser.viewer() is None


def logout_token(issuer: Issuer, **changed: Any) -> str:
    claims = {
        "iss": issuer.url, "aud": CLIENT, "iat": int(time.time()), "exp": int(time.time()) + 120, "jti": "1",
        "events": {EVENT: {}}, "sid": "idp-1",
    }  # fmt: skip
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    return issuer.sign(claims, typ="logout+jwt")


async def test_the_provider_can_end_sessions(browser: Browser, issuer: Issuer) -> None:
    named: list[dict[str, Any]] = [{}, {"sid": None, "sub": "ann"}, {"sub": "ann"}]
    for claims in named:
        await browser.sign_in()
        token = logout_token(issuer, **claims)
        told = await browser.http.post("/auth/corp/backchannel", data={"logout_token": token})
        assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
        await _until_signed_out(browser)


async def _until_signed_out(browser: Browser) -> None:
    async with asyncio.timeout(3):
        while await browser.viewer() is not None:
            await asyncio.sleep(0.1)


async def test_a_logout_token_that_does_not_hold_ends_nothing(browser: Browser, issuer: Issuer) -> None:
    await browser.sign_in()
    wrong: list[dict[str, Any]] = [
        {"iss": "https://evil.example"}, {"aud": "other"}, {"events": {}}, {"events": None}, {"nonce": "n"},
        {"sid": None}, {"iat": None}, {"iat": 1}, {"exp": 1}, {"jti": None},
    ]  # fmt: skip
    tokens = [logout_token(issuer, **claims) for claims in wrong]
    tokens += ["", "x", issuer.access_token(sid="idp-1"), browser.id_token({"nonce": "n"})]
    for token in tokens:
        answer = await browser.http.post("/auth/corp/backchannel", data={"logout_token": token})
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"}), token
    assert await browser.viewer() is not None


async def test_a_closed_account_cannot_sign_in(browser: Browser, web: Web, issuer: Issuer) -> None:
    await browser.sign_in()
    async with web.db.write() as session:
        account = await accounts.find(session, issuer.url, "ann")
        assert account
        await accounts.set_disabled(session, account.id, closed=True)
    assert (await browser.sign_in()).status_code == 403
    await _until_signed_out(browser)


async def test_keys_rotate_without_signing_anybody_out(
    start_web: StartWeb, issuer: Issuer, open_browser: OpenBrowser
) -> None:
    old, new = "o" * 32, "n" * 32
    browser = open_browser(await start_web(OIDC=oidc(issuer.settings()), SIGNING_KEY=old))
    await browser.sign_in()
    both = await start_web(OIDC=oidc(issuer.settings()), SIGNING_KEY=f"{new} {old}")
    later = open_browser(both)
    later.http.cookies.update(browser.http.cookies)
    assert await later.viewer() is not None
    gone = open_browser(await start_web(OIDC=oidc(issuer.settings()), SIGNING_KEY=new))
    gone.http.cookies.update(browser.http.cookies)
    assert await gone.viewer() is None


def test_a_sealed_value_opens_until_its_time_and_for_its_purpose() -> None:
    sealer = Sealer([b"k" * 32], "a")
    assert sealer.open(sealer.seal({"x": 1}, 60)) == {"x": 1}
    assert sealer.open(sealer.seal({"x": 1}, -1)) is None
    assert Sealer([b"k" * 32], "b").open(sealer.seal({"x": 1}, 60)) is None
    for text in ("", "a.b.c.d.e", "é", "." * 4, "x" * 5000, sealer.seal({"x": 1}, 60)[:-2]):
        assert sealer.open(text) is None
