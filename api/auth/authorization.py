"""Our own authorization server, on Authlib: client credentials for service accounts, the device flow for terminals,
refresh with rotation, revocation and introspection. Authlib is synchronous: `api.auth.token_endpoint` bridges that.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request, grants
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint, DeviceCodeGrant
from sqlalchemy.orm import Session

from api.auth.rows import ACCESS_SECONDS, TERMINAL, Client, DeviceCredential, Token
from db.accounts import grants as kept
from db.accounts.scopes import ALL_SCOPES
from db.accounts.secrets import ACCESS, DEVICE, REFRESH, is_secret, new_secret

REFRESH_SECONDS = 30 * 86_400
DEVICE_SECONDS = 600

AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
GRANT_TYPES = ("client_credentials", "refresh_token", DEVICE_CODE_GRANT_TYPE)


class Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib has no types
    """The parameters of a form."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._data = dict(pairs)
        self._lists: dict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._lists[name].append(value)

    @property
    def data(self) -> Mapping[str, str]:
        """Each parameter once."""
        return self._data

    @property
    def datalist(self) -> Mapping[str, list[str]]:
        """Each parameter with all of its values."""
        return self._lists


class Asked(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request as Authlib reads it."""

    def __init__(self, uri: str, headers: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__("POST", uri, headers=headers)
        self.payload = Payload(pairs)

    @property
    def form(self) -> Mapping[str, str]:
        """The body's parameters."""
        return self.payload.data

    @property
    def args(self) -> Mapping[str, str]:
        """The address has no parameters: what it holds ends in logs."""
        return {}


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """The server of one request: it holds the request's transaction (made in 30 µs)."""

    def __init__(self, session: Session, base: str) -> None:
        super().__init__(scopes_supported=sorted(ALL_SCOPES))
        self.session, self.base = session, base
        made: Callable[[str], Callable[..., str]] = lambda prefix: lambda **_: new_secret(prefix)  # noqa: E731
        generator = BearerTokenGenerator(made(ACCESS), made(REFRESH), lambda *_: ACCESS_SECONDS)
        self.register_token_generator("default", generator)
        for grant in (ServiceGrant, DeviceGrant, RefreshGrant):
            self.register_grant(grant)
        for endpoint in (DeviceStart, Revocation, Introspection):
            self.register_endpoint(endpoint)

    def query_client(self, client_id: str) -> Client | None:
        """Return a client by its id."""
        if client_id == TERMINAL:
            return Client(None)
        row = self.session.get(kept.Client, client_id)
        return None if row is None else Client(row)

    def save_token(self, token: dict[str, Any], request: Asked) -> None:
        """Keep the hashes of what is given out."""
        before = request.refresh_token
        kept.add_grant(
            self.session,
            owner_id=request.user or request.client.row.owner_id,
            client_id=request.client.get_client_id(),
            family=before.row.family if before else None,
            secrets=(token["access_token"], token.get("refresh_token")),
            scopes=token["scope"].split(),
            access_ms=ACCESS_SECONDS * 1000,
            refresh_ms=REFRESH_SECONDS * 1000,
        )

    def create_oauth2_request(self, request: Asked) -> Asked:
        """Return what it was called with."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        """Return the parts of the answer."""
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Tell nobody."""


class ServiceGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """Client credentials: a service account, by its secret."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS[:2]


class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    """A refresh token, which works once."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        """Take the token; a second use makes all of the family void."""
        row = kept.take_refresh(self.server.session, refresh_token) if is_secret(refresh_token, REFRESH) else None
        return None if row is None else Token(row)

    def authenticate_user(self, refresh_token: Token) -> str:
        """Return the account."""
        return refresh_token.row.owner_id

    def revoke_old_credential(self, refresh_token: Token) -> None:
        """Do nothing: the token was taken when it was read."""


class DeviceStart(DeviceAuthorizationEndpoint):  # type: ignore[misc]  # Authlib has no types
    """A device asks for a code to show."""

    EXPIRES_IN = DEVICE_SECONDS

    def get_verification_uri(self) -> str:
        """Return where the person enters the code."""
        return f"{self.server.base}/device"

    def generate_device_code(self) -> str:
        """Return the secret that the device keeps."""
        return new_secret(DEVICE)

    def save_device_credential(self, client_id: str, scope: str | None, data: Mapping[str, Any]) -> None:
        """Keep the device. Raises InvalidScopeError."""
        scopes = self.server.query_client(client_id).get_allowed_scope(scope).split()
        kept.add_device(
            self.server.session,
            code=data["device_code"],
            user_code=data["user_code"],
            client_id=client_id,
            scopes=scopes,
            ms=DEVICE_SECONDS * 1000,
        )


class DeviceGrant(DeviceCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """A device asks whether its person has decided."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def query_device_credential(self, device_code: str) -> DeviceCredential | None:
        """Return the device of this code."""
        row = kept.find_device(self.server.session, device_code) if is_secret(device_code, DEVICE) else None
        return None if row is None else DeviceCredential(row)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        """Return the account and its decision, once."""
        return kept.take_decision(self.server.session, user_code)

    def should_slow_down(self, credential: DeviceCredential) -> bool:
        """Tell whether the device asks too often."""
        return kept.polls_too_often(credential.row)


class _Finder:
    server: Server

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002 - a hint only
        """Return the token, of either kind."""
        row = kept.find_grant(self.server.session, token_string)
        return None if row is None else Token(row)


class Revocation(_Finder, RevocationEndpoint):  # type: ignore[misc]  # Authlib has no types
    """RFC 7009. With one token, all others of the same sign-in are revoked."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def revoke_token(self, token: Token, request: Asked) -> None:  # noqa: ARG002 - Authlib's signature
        """Make the family void."""
        kept.revoke_family(self.server.session, token.row.family)


class Introspection(_Finder, IntrospectionEndpoint):  # type: ignore[misc]  # Authlib has no types
    """RFC 7662. A client learns about its own tokens only."""

    CLIENT_AUTH_METHODS = AUTH_METHODS[:2]

    def check_permission(self, token: Token, client: Client, request: Asked) -> bool:  # noqa: ARG002 - Authlib's
        """Tell whether the client may know."""
        return token.check_client(client)

    def introspect_token(self, token: Token) -> dict[str, Any]:
        """Return what a client may know of a token that holds."""
        row = token.row
        return {
            "active": True,
            "client_id": row.client_id,
            "scope": " ".join(row.scopes),
            "sub": row.owner_id,
            "iss": self.server.base,
            "aud": self.server.base,
            "iat": row.created_at // 1000,
            "exp": row.access_until // 1000,
            "token_type": "Bearer",
        }
