"""Sign-in for people, at any of the configured OpenID Connect providers (authorization code with PKCE).

The data of an attempt travels in a sealed cookie of its own, named by its state: two tabs do not disturb each other.
 The session's cookie only names a row, so a session can be ended from anywhere.
"""

import hashlib
import secrets
from collections.abc import Sequence
from urllib.parse import urlencode

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.auth.cookies import Cookie, Sealer
from api.auth.keys import ProviderUnreachable
from api.auth.policy import person_of
from api.auth.providers import NotAccepted, Provider
from api.http.problems import HttpProblem
from db.accounts import accounts, sessions
from db.domain.values import ErrorCode
from db.store.session import Database

ATTEMPT_SECONDS = 600.0
"""The seconds that a person may take at the provider."""

LONGEST_CODE = 4096
START = "/graphql"

_log = structlog.get_logger(__name__)


class Browsers:
    """Sign-in, callback and sign-out for browsers."""

    def __init__(
        self, db: Database, providers: Sequence[Provider], keys: Sequence[bytes], *, public_url: str, hours: float
    ) -> None:
        self._db, self._base, self._seconds = db, public_url.rstrip("/"), hours * 3600
        self._providers = {provider.settings.name: provider for provider in providers}
        self._secure = self._base.startswith("https://")
        self._attempts = Sealer(keys, "sign-in attempts")
        self.session = Cookie("graphophone", Sealer(keys, "sessions"), secure=self._secure)

    async def providers(self, request: Request) -> Response:
        """`GET /auth`: how one signs in here. Needs no credentials."""
        listed = [
            {"name": name, "label": one.settings.shown, "url": f"/auth/{name}/login"}
            for name, one in self._providers.items()
        ]
        signed_in = self.session.read(request.cookies) is not None
        answer = {"providers": listed, "token": True, "signedIn": signed_in}
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    async def login(self, request: Request) -> Response:
        """`GET /auth/{provider}/login`: to the provider, and back to `?to=/…` afterwards."""
        provider = self._provider(request)
        try:
            found = await provider.discovered()
        except ProviderUnreachable as error:
            return _unreachable(request, error)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        client = provider.client(found, self._callback(provider))
        asked = {"nonce": nonce} | ({"prompt": "login"} if request.query_params.get("again") else {})
        url, _ = client.create_authorization_url(
            found.authorization_endpoint, state=state, code_verifier=verifier, **asked
        )
        await client.aclose()
        response = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
        remembered = {"nonce": nonce, "verifier": verifier, "to": _local(request.query_params.get("to", ""))}
        self._attempt(provider, state).write(response, remembered, ATTEMPT_SECONDS)
        return response

    async def callback(self, request: Request) -> Response:
        """`GET /auth/{provider}/callback`: back from the provider. The session is a new one, whatever was before."""
        provider = self._provider(request)
        try:
            attempt, code = await self._answered(provider, request)
            claims = await provider.exchange(
                code, redirect_uri=self._callback(provider), verifier=attempt["verifier"], nonce=attempt["nonce"]
            )
            person = person_of(provider.settings, claims)
            async with self._db.write() as session:
                account = await accounts.sign_in(session, person)
                if account.disabled_at is not None:
                    raise NotAccepted("the account is closed")
                sid = claims.get("sid")
                begun = await sessions.begin(
                    session,
                    account.id,
                    issuer=person.issuer,
                    provider_sid=sid if isinstance(sid, str) else None,
                    lifetime_ms=round(self._seconds * 1000),
                )
        except ProviderUnreachable as error:
            response = _unreachable(request, error)
        except NotAccepted as error:
            response = _refused(request, error)
        else:
            response = RedirectResponse(f"{self._base}{attempt['to']}", 303, {"Cache-Control": "no-store"})
            value = {"id": begun.id, "provider": provider.settings.name, "id_token": claims["id_token"]}
            self.session.write(response, value, self._seconds)
        self._attempt(provider, request.query_params.get("state", "")).clear(response)  # it works once
        return response

    async def logout(self, request: Request) -> Response:
        """`POST /auth/logout`: out here, and at the provider when it offers that (RP-initiated logout)."""
        value = self.session.read(request.cookies)
        url = f"{self._base}{START}"
        if value is not None:
            async with self._db.write() as session:
                await sessions.end(session, value["id"])
            url = await self._end_session_url(value) or url
        response = RedirectResponse(url, 303, {"Cache-Control": "no-store"})
        self.session.clear(response)
        return response

    async def _end_session_url(self, value: dict[str, str]) -> str | None:
        provider = self._providers.get(value["provider"])
        try:
            found = None if provider is None else await provider.discovered()
        except ProviderUnreachable:
            return None
        if provider is None or found is None or not found.end_session_endpoint:
            return None
        asked = {
            "id_token_hint": value["id_token"],
            "client_id": provider.settings.client_id,
            "post_logout_redirect_uri": f"{self._base}{START}",
        }
        return f"{found.end_session_endpoint}{'&' if '?' in found.end_session_endpoint else '?'}{urlencode(asked)}"

    async def _answered(self, provider: Provider, request: Request) -> tuple[dict[str, str], str]:
        """Return what the attempt remembered, and the code. Raises NotAccepted."""
        asked = request.query_params
        if any(len(asked.getlist(name)) > 1 for name in ("code", "state", "iss", "error")):
            raise NotAccepted("a parameter stands twice")
        state = asked.get("state", "")
        attempt = self._attempt(provider, state).read(request.cookies)
        if attempt is None:
            raise NotAccepted("no sign-in with this state was begun in this browser, or it took too long")
        found = await provider.discovered()
        issuer = asked.get("iss")
        if issuer != found.issuer and (issuer is not None or found.authorization_response_iss_parameter_supported):
            raise NotAccepted("another provider has answered")  # RFC 9207
        if error := asked.get("error"):
            raise NotAccepted(f"the provider says {error[:100]}")
        code = asked.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            raise NotAccepted("no code")
        return attempt, code

    def _provider(self, request: Request) -> Provider:
        provider = self._providers.get(request.path_params["provider"])
        if provider is None:
            raise HttpProblem(404, ErrorCode.NOT_FOUND, "There is no such provider.")
        return provider

    def _callback(self, provider: Provider) -> str:
        """Each provider has an address of its own: an answer of one cannot be taken for another's."""
        return f"{self._base}/auth/{provider.settings.name}/callback"

    def _attempt(self, provider: Provider, state: str) -> Cookie:
        name = hashlib.sha256(f"{provider.settings.name} {state}".encode()).hexdigest()[:16]
        return Cookie(f"graphophone-{name}", self._attempts, secure=self._secure)


def _local(to: str) -> str:
    """Return a path on this server; anything else could lead elsewhere."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else START


def _refused(request: Request, error: NotAccepted) -> Response:
    _log.warning("sign_in.refused", reason=str(error), provider=request.path_params["provider"])
    message = "The sign-in was not completed; please begin again."
    return HttpProblem(403, ErrorCode.FORBIDDEN, message).response(request.scope["correlation_id"])


def _unreachable(request: Request, error: ProviderUnreachable) -> Response:
    _log.warning("sign_in.provider_unreachable", reason=str(error), provider=request.path_params["provider"])
    message = "The provider does not answer as it should; please try again later."
    return HttpProblem(502, ErrorCode.INTERNAL, message).response(request.scope["correlation_id"])
