"""Who is asking: for now the one local owner, by the access token of this installation."""

import hmac
from collections.abc import Mapping
from typing import Any

from db.accounts.owners import LOCAL_OWNER
from schema.base.context import Viewer

SCOPES = frozenset(
    {"jobs:read", "jobs:write", "transcripts:read", "transcripts:write", "exports:read", "exports:write", "admin"}
)


class TokenAuth:
    """Lets in whoever has the access token, as `Authorization: Bearer …` or in a WebSocket's `connection_init`."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._viewer = Viewer(owner_id=LOCAL_OWNER, scopes=SCOPES)

    async def __call__(self, credentials: Mapping[str, Any]) -> Viewer | None:
        """The viewer, or None. `credentials` are headers or connection parameters."""
        value = next((v for name, v in credentials.items() if str(name).lower() == "authorization"), None)
        if not isinstance(value, str):
            return None
        scheme, _, token = value.partition(" ")
        known = hmac.compare_digest(token.strip().encode(), self._token)
        return self._viewer if known and scheme.lower() == "bearer" else None
