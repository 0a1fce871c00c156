"""The addresses of our authorization server (RFC 6749, 7009, 7662, 8414, 8628)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api.auth.authorization import AUTH_METHODS, GRANT_TYPES, Asked, Server
from api.http.problems import problem_of
from db.accounts.scopes import SCOPES
from db.domain.errors import RateLimited
from db.store.session import Database
from schema.base.rates import MINUTE, Rates

MOST_BYTES = 16_384
TRIES_PER_MINUTE = 120
"""Of one address, at all of these together."""

_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FORM = "application/x-www-form-urlencoded"


class TokenEndpoint:
    """Each request is one transaction, which commits on errors too: what a refused request revoked stays revoked."""

    def __init__(self, db: Database, rates: Rates, base: str) -> None:
        self._db, self._rates, self._base = db, rates, base.rstrip("/")
        self.routes: list[BaseRoute] = [
            Route("/oauth/token", self._view(_token), methods=["POST"]),
            *(
                Route(f"/oauth/{path}", self._view(_endpoint(name)), methods=["POST"])
                for path, name in (
                    ("device", "device_authorization"), ("revoke", "revocation"), ("introspect", "introspection")
                )
            ),
            Route("/.well-known/oauth-authorization-server", self.metadata),
        ]  # fmt: skip

    async def metadata(self, _request: Request) -> Response:
        """Tell what there is (RFC 8414)."""
        base = self._base
        return JSONResponse(
            {
                "issuer": base,
                "token_endpoint": f"{base}/oauth/token",
                "device_authorization_endpoint": f"{base}/oauth/device",
                "revocation_endpoint": f"{base}/oauth/revoke",
                "introspection_endpoint": f"{base}/oauth/introspect",
                "response_types_supported": [],
                "grant_types_supported": GRANT_TYPES,
                "token_endpoint_auth_methods_supported": AUTH_METHODS,
                "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
                "introspection_endpoint_auth_methods_supported": AUTH_METHODS[:2],
                "scopes_supported": list(SCOPES),
            }
        )

    def _view(self, act: Callable[[Server, Asked], tuple[int, Any, Any]]) -> Callable[[Request], Any]:
        async def view(request: Request) -> Response:
            try:
                await self._rates.take("sign-in", _address(request), 1, TRIES_PER_MINUTE, MINUTE)
            except RateLimited as limited:
                return problem_of(limited).response(request.scope["correlation_id"])
            pairs = await _form(request)
            if pairs is None:
                return _wrong("invalid_request")
            if any(value != self._base for name, value in pairs if name == "resource"):
                return _wrong("invalid_target")  # RFC 8707: our tokens are for this server
            # Authlib wants TLS of every address; whether there is some is the operator's business
            asked = Asked(f"https://graphophone{request.url.path}", request.headers, pairs)

            def run(session: Session) -> tuple[int, Any, Any]:
                return act(Server(session, self._base), asked)

            async with self._db.write() as session:
                status, body, headers = await session.run_sync(run)
            return JSONResponse(body, status, {**dict(headers), **_HEADERS})

        return view


def _token(server: Server, asked: Asked) -> tuple[int, Any, Any]:
    found: tuple[int, Any, Any] = server.create_token_response(asked)
    return found


def _endpoint(name: str) -> Callable[[Server, Asked], tuple[int, Any, Any]]:
    def act(server: Server, asked: Asked) -> tuple[int, Any, Any]:
        found: tuple[int, Any, Any] = server.create_endpoint_response(name, asked)
        return found

    return act


async def _form(request: Request) -> list[tuple[str, str]] | None:
    """Return the parameters of the body; None when it is no form, or a parameter stands twice (RFC 6749, 3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM or request.url.query:
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    return pairs if len({name for name, _ in pairs}) == len(pairs) else None


def _wrong(error: str) -> Response:
    return JSONResponse({"error": error}, 400, _HEADERS)


def _address(request: Request) -> str:
    return request.client.host if request.client else "local"
