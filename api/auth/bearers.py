"""Access tokens of the providers: signed ones are verified here, opaque ones are asked about.

An ID token is none: it says who somebody is, to the page that they signed in at, and opens nothing (RFC 9068 §4).
"""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from api.auth.keys import ProviderUnreachable
from api.auth.policy import person_of
from api.auth.providers import LEEWAY, NotAccepted, Provider, claims_of
from db.accounts import accounts, principals
from db.accounts.principals import Principal
from db.accounts.scopes import SCOPES
from db.accounts.secrets import hash_of
from db.store.session import Database

ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})
BELIEVED_SECONDS = 60.0
"""So long the outcome of a signature check is remembered, and no longer than the token holds."""

ASKED_SECONDS = 10.0
"""So long the provider's word about an opaque token is believed."""

MOST = 10_000

_log = structlog.get_logger(__name__)
Claims = Mapping[str, Any]


class Bearers:
    """Finds who stands behind a provider's access token."""

    def __init__(self, db: Database, providers: Sequence[Provider]) -> None:
        self._db = db
        self._taken = {one.settings.issuer: one for one in providers if one.settings.audience}
        self._asked = [one for one in providers if one.settings.introspection]
        self._believed: OrderedDict[str, tuple[float, Provider | None, Claims]] = OrderedDict()

    async def find(self, token: str) -> Principal | None:
        """Return the account that the token stands for, made at first sight; None when it does not hold."""
        try:
            provider, claims = await self._checked(token)
            return None if provider is None else await self._principal(provider, claims)
        except NotAccepted as error:
            _log.info("bearer.refused", reason=str(error))
        except ProviderUnreachable as error:
            _log.warning("bearer.provider_unreachable", error=str(error))
        return None

    async def _checked(self, token: str) -> tuple[Provider | None, Claims]:
        key = hash_of(token)
        until, provider, claims = self._believed.get(key, (0.0, None, {}))
        if until < time.time():
            signed = token.count(".") == 2
            provider, claims = await (self._verified(token) if signed else self._introspected(token))
            until = time.time() + (BELIEVED_SECONDS if signed else ASKED_SECONDS)
            self._believed[key] = (min(until, _number(claims.get("exp"), until)), provider, claims)
            self._believed.move_to_end(key)
            if len(self._believed) > MOST:
                self._believed.popitem(last=False)
        return provider, claims

    async def _verified(self, token: str) -> tuple[Provider, Claims]:
        """Check a signed token (RFC 9068). Raises NotAccepted and ProviderUnreachable."""
        issuer = claims_of(token).get("iss")
        provider = self._taken.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            raise NotAccepted("issuer")
        header, claims = await provider.verified(token)
        plain = provider.settings.plain_access_tokens and not {"nonce", "at_hash", "c_hash"} & claims.keys()
        if str(header.get("typ", "")).lower() not in ACCESS_TOKEN_TYPES and not plain:
            raise NotAccepted("type")
        _check(provider, claims)
        return provider, claims

    async def _introspected(self, token: str) -> tuple[Provider | None, Claims]:
        """Check an opaque token (RFC 7662). Raises ProviderUnreachable."""
        for provider in self._asked:
            told = await provider.introspect(token)
            if told.get("active") is not True:
                continue
            # an answer may leave out what the provider thinks is clear
            claims = {"iss": provider.settings.issuer, "exp": time.time() + ASKED_SECONDS, **told}
            _check(provider, claims)
            return provider, claims
        return None, {}

    async def _principal(self, provider: Provider, claims: Claims) -> Principal | None:
        subject = str(claims.get("sub"))
        async with self._db.read() as session:
            account = await accounts.find(session, provider.settings.issuer, subject)
        if account is None:
            person = person_of(provider.settings, claims)
            async with self._db.write() as session:
                account = await accounts.sign_in(session, person)
        principal = principals.of_account(account)
        if principal is None:
            return None
        return msgspec.structs.replace(
            principal,
            scopes=principal.scopes & scopes_of_claims(claims),
            expires_at=round(_number(claims.get("exp"), time.time()) * 1000),
        )


def scopes_of_claims(claims: Claims) -> frozenset[str]:
    """Return the scopes that a token was given, by whichever name the provider has for them."""
    given: set[str] = set()
    for name in ("scope", "scp", "permissions"):
        value = claims.get(name)
        given.update(value.split() if isinstance(value, str) else value if isinstance(value, list) else ())
    return frozenset(given & SCOPES.keys())


def _check(provider: Provider, claims: Claims) -> None:
    wanted: dict[str, Any] = {
        "iss": {"essential": True, "value": provider.settings.issuer},
        "aud": {"essential": True, "value": provider.settings.audience or provider.settings.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
    }
    try:
        JWTClaimsRegistry(leeway=LEEWAY, **wanted).validate(dict(claims))
    except (JoseError, ValueError, TypeError) as error:
        raise NotAccepted(f"claims: {error}") from error


def _number(value: Any, other: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else other
