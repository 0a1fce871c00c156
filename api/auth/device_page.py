"""The page on which a person lets a device in, such as a terminal with `python -m api login` (RFC 8628, 3.3)."""

import re
from collections.abc import Sequence
from html import escape
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.auth.credentials import Credentials
from api.auth.providers import Provider
from db.accounts import grants
from db.domain.errors import RateLimited
from db.store.session import Database
from schema.base.context import Viewer
from schema.base.rates import MINUTE, Rates

TRIES_PER_MINUTE = 10
"""Of one account: a code has 20^8 values and is shown for ten minutes."""

MOST_BYTES = 16_384
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in a device: Graphophone</title>
<meta name="viewport" content="width=device-width"><style>body{{font:1rem/1.5 system-ui;max-width:32rem;
margin:3rem auto;padding:0 1rem}}input,button{{font:inherit;padding:.3rem .6rem}}
label{{display:block;margin:1rem 0}}</style>
<h1>Sign in a device</h1>{body}</html>"""
_FORM = """{links}<p>Allow this only if you have just begun it yourself, and your device shows the same code.</p>
<form method="post" action="/device"><label>Code <input name="user_code" value="{code}" required></label>{token}
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>"""


class DevicePage:
    """`GET /device` asks for the code that the device shows, `POST /device` takes the decision."""

    def __init__(self, db: Database, rates: Rates, credentials: Credentials, providers: Sequence[Provider]) -> None:
        self._db, self._rates, self._credentials, self._providers = db, rates, credentials, providers

    async def show(self, request: Request) -> Response:
        """Show the form; to somebody who is not signed in, the ways to do so, or a field for a token."""
        code = request.query_params.get("user_code", "")[:20]
        signed_in = await self._credentials({"cookie": request.headers.get("cookie")})
        return _page(self._form(code, signed_in))

    async def decide(self, request: Request) -> Response:
        """Let the device in, or not."""
        form = await _read_form(request)
        if form is None or not _from_here(request):
            return _page("<p>That did not come from this page.</p>", 403)
        token = form.get("token", "").strip()
        given = {"authorization": f"Bearer {token}"} if token else {"cookie": request.headers.get("cookie")}
        viewer = await self._credentials(given)
        if viewer is None:
            return _page("<p>This needs you to be signed in, or a token that holds.</p>", 401)
        try:
            await self._rates.take("device codes", viewer.owner_id, 1, TRIES_PER_MINUTE, MINUTE)
        except RateLimited as limited:
            return _page(f"<p>{escape(limited.message)}</p>", 429)
        return await self._decided(viewer, form)

    async def _decided(self, viewer: Viewer, form: dict[str, str]) -> Response:
        if "account" not in viewer.scopes:
            return _page("<p>These credentials may not let anything in: they lack the scope <b>account</b>.</p>", 403)
        letters = re.sub(r"[^A-Z]", "", form.get("user_code", "").upper())
        code = f"{letters[:4]}-{letters[4:]}"
        approved = form.get("decision") == "allow"
        async with self._db.write() as session:
            known = await session.run_sync(lambda sync: grants.decide(sync, code, viewer.owner_id, approved=approved))
        if not known:
            return _page("<p>No device shows this code. It may have waited too long: begin again there.</p>", 404)
        return _page("<p>The device is signed in.</p>" if approved else "<p>The device was not let in.</p>")

    def _form(self, code: str, viewer: Viewer | None) -> str:
        links = "".join(
            f'<p><a href="/auth/{one.settings.name}/login?to={quote(f"/device?user_code={quote(code)}")}">'
            f"Sign in with {escape(one.settings.shown)}</a></p>"
            for one in self._providers
        )
        field = '<label>Your access token <input name="token" type="password" autocomplete="off"></label>'
        return _FORM.format(links="" if viewer else links, code=escape(code), token="" if viewer else field)


def _page(body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(body=body), status, _HEADERS)


def _from_here(request: Request) -> bool:
    """Return True if a page of this server has sent the form; browsers that do not say so withhold the cookie."""
    return request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


async def _read_form(request: Request) -> dict[str, str] | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    try:
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}
    except ValueError:
        return None
