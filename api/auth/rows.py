"""Clients, tokens and device codes as Authlib asks for them; behind each stands a row."""

import hmac

from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.errors import InvalidScopeError

from db.accounts import grants as kept
from db.accounts.scopes import MEMBER_SCOPES
from db.accounts.secrets import CLIENT, hash_of, is_secret
from db.domain.clock import now

ACCESS_SECONDS = 3600
TERMINAL = "graphophone-cli"
"""The client id of `python -m api login`, which has no secret: a program on somebody's machine cannot keep one."""


class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A client as Authlib asks about it; without a row, the terminal."""

    def __init__(self, row: kept.Client | None) -> None:
        self.row = row
        self.scopes = MEMBER_SCOPES if row is None else frozenset(row.scopes)

    def get_client_id(self) -> str:
        """Return the id."""
        return TERMINAL if self.row is None else self.row.id

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare the secret, in the same time wherever it differs."""
        stored = "" if self.row is None else self.row.secret_hash
        return is_secret(client_secret, CLIENT) and hmac.compare_digest(hash_of(client_secret), stored)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Let only the terminal come without a secret."""
        return (method == "none") == (self.row is None)

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell which grants there are for the client."""
        return (grant_type == "client_credentials") == (self.row is not None)

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return what was asked for. Raises InvalidScopeError for more than the client has."""
        asked = frozenset((scope or "").split()) or self.scopes
        if not asked <= self.scopes:
            raise InvalidScopeError
        return " ".join(sorted(asked))


class Token(TokenMixin):  # type: ignore[misc]  # Authlib has no types
    """A grant as Authlib asks about it."""

    def __init__(self, row: kept.Grant) -> None:
        self.row = row

    def check_client(self, client: Client) -> bool:
        """Tell whether the token was given to this client."""
        return bool(self.row.client_id == client.get_client_id())

    def get_scope(self) -> str:
        """Return the scopes."""
        return " ".join(self.row.scopes)

    def get_expires_in(self) -> int:
        """Return the lifetime in seconds."""
        return ACCESS_SECONDS

    def is_expired(self) -> bool:
        """Tell whether its time is over."""
        return self.row.access_until <= now()

    def is_revoked(self) -> bool:
        """Tell whether it was made void."""
        return self.row.revoked_at is not None


class DeviceCredential:
    """A waiting device as Authlib asks about it."""

    def __init__(self, row: kept.Device) -> None:
        self.row = row

    def get_client_id(self) -> str:
        """Return the client's id."""
        return self.row.client_id

    def get_scope(self) -> str:
        """Return the scopes."""
        return " ".join(self.row.scopes)

    def get_user_code(self) -> str:
        """Return what a person enters."""
        return self.row.user_code

    def is_expired(self) -> bool:
        """Tell whether its time is over."""
        return self.row.expires_at <= now()
