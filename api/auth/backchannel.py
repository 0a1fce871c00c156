"""Back-channel logout (OpenID Connect): a provider says that a session, or all of a person's, is over."""

import time
from typing import Any
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.auth.keys import ProviderUnreachable
from api.auth.providers import LEEWAY, NotAccepted, Provider
from db.accounts import sessions
from db.store.session import Database

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = ("logout+jwt", "application/logout+jwt", "jwt")
MOST_BYTES = 16_384
OLDEST_SECONDS = 600
_HEADERS = {"Cache-Control": "no-store"}

_log = structlog.get_logger(__name__)


class BackchannelLogout:
    """`POST /auth/{provider}/backchannel`."""

    def __init__(self, db: Database, providers: dict[str, Provider]) -> None:
        self._db, self._providers = db, providers

    async def post(self, request: Request) -> Response:
        """End what the logout token names: 200; 400 when it does not hold."""
        provider = self._providers.get(request.path_params["provider"])
        try:
            if provider is None:
                raise NotAccepted("no such provider")
            sid, subject = await _named(provider, request)
        except (NotAccepted, ProviderUnreachable) as error:
            _log.warning("backchannel_logout.refused", reason=str(error))
            return JSONResponse({"error": "invalid_request"}, 400, _HEADERS)
        async with self._db.write() as session:
            ended = await sessions.end_at_provider(session, issuer=provider.settings.issuer, sid=sid, subject=subject)
        _log.info("backchannel_logout.done", provider=provider.settings.name, sessions=ended)
        return Response(None, 200, _HEADERS)


async def _named(provider: Provider, request: Request) -> tuple[str | None, str | None]:
    """Return the session and the person of the logout token (Back-Channel Logout 1.0, 2.6). Raises NotAccepted."""
    header, claims = await provider.verified(await _token(request))
    if str(header.get("typ", TYPES[0])).lower() not in TYPES:
        raise NotAccepted("type")
    _check_audience(provider, claims)
    _check_times(claims)
    if not isinstance(claims.get("events"), dict) or not isinstance(claims["events"].get(EVENT), dict):
        raise NotAccepted("event")
    if "nonce" in claims or not isinstance(claims.get("jti"), str):
        raise NotAccepted("nonce or jti")
    sid, subject = (value if isinstance(value := claims.get(name), str) else None for name in ("sid", "sub"))
    if sid is None and subject is None:
        raise NotAccepted("neither session nor subject")
    return sid, subject


async def _token(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise NotAccepted("too large")
    tokens = parse_qs(body.decode("latin-1")).get("logout_token", [])
    if len(tokens) != 1:
        raise NotAccepted("one logout token is needed")
    return tokens[0]


def _check_audience(provider: Provider, claims: dict[str, Any]) -> None:
    audience = claims.get("aud")
    if claims.get("iss") != provider.settings.issuer:
        raise NotAccepted("issuer")
    if provider.settings.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise NotAccepted("audience")


def _check_times(claims: dict[str, Any]) -> None:
    issued, expires, now = claims.get("iat"), claims.get("exp", float("inf")), time.time()
    if not isinstance(issued, int | float) or not now - OLDEST_SECONDS < issued < now + LEEWAY:
        raise NotAccepted("issue time")
    if not isinstance(expires, int | float) or expires < now - LEEWAY:
        raise NotAccepted("expired")
