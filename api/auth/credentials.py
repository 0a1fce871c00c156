"""The viewer, found from the credentials of a request or a WebSocket."""

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import cookie_parser

from api.auth.cookies import Cookie
from api.auth.standings import Standings
from db.accounts import principals
from db.accounts.owners import LOCAL_OWNER
from db.accounts.principals import Principal
from db.accounts.scopes import ALL_SCOPES
from db.accounts.secrets import ACCESS, PERSONAL, hash_of, is_secret
from db.accounts.tokens import USE_WRITTEN_MS
from db.domain.clock import now
from db.store.session import Database
from schema.base.context import Standing, Viewer

KNOWN_SECONDS = 1.0
"""So long a credential is believed without asking the database again: revoked ones are refused after that."""

KNOWN = 10_000
"""The number of credentials that are remembered."""

LONGEST = 8192
"""Characters of the header with a token; longer ones are refused unread."""

Find = Callable[[str], Awaitable[Principal | None]]
"""Finds who a bearer token stands for; None when it is not of this kind, or does not hold."""


class Credentials:
    """Lets in any client that has a token, as `Authorization: Bearer …` or in a WebSocket's `connection_init`."""

    def __init__(
        self,
        db: Database,
        standings: Standings,
        token: str,
        others: Sequence[Find] = (),
        session: Cookie | None = None,
    ) -> None:
        self._db, self._standings, self._session = db, standings, session
        self._own = hashlib.sha256(token.encode()).digest()
        self._finders: Sequence[Find] = (self._installation, self._personal, self._granted, *others)
        self._known: OrderedDict[str, tuple[float, Viewer]] = OrderedDict()

    async def __call__(self, credentials: Mapping[str, Any]) -> Viewer | None:
        """Return the viewer, or None. `credentials` are headers or connection parameters."""
        value = credentials.get("authorization")
        if value is None:
            return await self._of_browser(credentials.get("cookie"))
        if not isinstance(value, str) or len(value) > LONGEST:
            return None
        scheme, _, token = value.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return None
        return await self._viewer(hash_of(token), token, self._finders)

    async def _of_browser(self, cookies: Any) -> Viewer | None:
        if self._session is None or not isinstance(cookies, str):
            return None
        value = self._session.read(cookie_parser(cookies))
        return None if value is None else await self._viewer(value["id"], value["id"], (self._signed_in,))

    async def _viewer(self, key: str, token: str, finders: Sequence[Find]) -> Viewer | None:
        until, viewer = self._known.get(key, (0.0, None))
        if viewer is None or until < time.monotonic():
            viewer = await self._found(token, finders)
            if viewer is None:
                self._known.pop(key, None)
                return None
            self._remember(key, viewer)
        ended = viewer.expires_at is not None and viewer.expires_at <= time.time()
        return None if ended or viewer.owner_id in self._standings.disabled else viewer

    async def _found(self, token: str, finders: Sequence[Find]) -> Viewer | None:
        for find in finders:
            principal = await find(token)
            if principal is not None:
                expires = None if principal.expires_at is None else principal.expires_at / 1000
                standing = Standing(principal.owner_id, principal.credential, expires)
                self._standings.hold(standing)
                return Viewer(
                    principal.owner_id, principal.scopes, frozenset(principal.groups), principal.quota, standing
                )
        return None

    def _remember(self, key: str, viewer: Viewer) -> None:
        self._known[key] = (time.monotonic() + KNOWN_SECONDS, viewer)
        self._known.move_to_end(key)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    async def _installation(self, token: str) -> Principal | None:
        """Return the token of the first start, or the operator's."""
        known = hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self._own)
        return Principal(owner_id=LOCAL_OWNER, scopes=ALL_SCOPES, credential=LOCAL_OWNER) if known else None

    async def _granted(self, token: str) -> Principal | None:
        if not is_secret(token, ACCESS):
            return None
        async with self._db.read() as session:
            return await principals.of_grant(session, hash_of(token))

    async def _signed_in(self, session_id: str) -> Principal | None:
        async with self._db.read() as session:
            return await principals.of_session(session, session_id)

    async def _personal(self, token: str) -> Principal | None:
        if not is_secret(token, PERSONAL):
            return None
        async with self._db.read() as session:
            found = await principals.of_token(session, hash_of(token))
        if found is not None and (found.last_used_at or 0) < now() - USE_WRITTEN_MS:
            self._standings.used(found.credential)
        return found
