"""OpenID Connect providers: found by discovery, asked through Authlib."""

import asyncio
import base64
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from authlib.integrations.base_client import OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from api.auth.keys import Keys, ProviderUnreachable
from api.http.settings import ProviderSettings

if TYPE_CHECKING:
    from api.auth.provider_http import AsyncOAuth2Client

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Those with a public key. Neither `none` nor an HMAC, for which a public key could be taken as the secret."""

LEEWAY = 30
"""Seconds by which clocks may differ."""

DISCOVERED_SECONDS = 3600.0
_REGISTRY = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)


class NotAccepted(Exception):
    """A message of a provider or a browser that failed its checks; the text is for the log."""


class Discovered(msgspec.Struct, frozen=True):
    """The part of a provider's metadata that is used (OpenID Connect Discovery 1.0)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    introspection_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Provider:
    """One provider of the settings."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self.keys = Keys(self._fetch_keys)
        self._discovered: Discovered | None = None
        self._discovered_at = float("-inf")
        self._lock = asyncio.Lock()

    async def discovered(self) -> Discovered:
        """Return the provider's metadata, asked for once an hour. Raises ProviderUnreachable."""
        async with self._lock:
            if self._discovered is None or time.monotonic() - self._discovered_at > DISCOVERED_SECONDS:
                try:
                    self._discovered = await self._discover()
                except ProviderUnreachable:
                    if self._discovered is None:
                        raise
                self._discovered_at = time.monotonic()
            return self._discovered

    def client(self, found: Discovered, redirect_uri: str | None = None) -> "AsyncOAuth2Client":
        """Return a client that speaks to the provider in our name."""
        from api.auth.provider_http import TIMEOUT, AsyncOAuth2Client

        secret, method = self.settings.client_secret, "none"
        if secret is not None:
            post_only = "client_secret_basic" not in found.token_endpoint_auth_methods_supported
            method = "client_secret_post" if post_only else "client_secret_basic"
        return AsyncOAuth2Client(
            self.settings.client_id,
            secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=method,
            scope=self.settings.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT,
        )

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str, nonce: str) -> dict[str, Any]:
        """Return the claims of the person who has signed in, with the ID token as `id_token`. Raises NotAccepted and
        ProviderUnreachable.
        """
        from api.auth.provider_http import FAULTS

        found = await self.discovered()
        async with self.client(found, redirect_uri) as client:
            try:
                token = await client.fetch_token(
                    found.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
                )
            except OAuthError as error:
                raise NotAccepted(f"the provider refused the code: {error.error}") from error
            except FAULTS as error:
                raise ProviderUnreachable(str(error)) from error
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise NotAccepted("the provider sent no ID token")
        header, claims = await self.verified(id_token)
        checked = CodeIDToken(
            claims,
            header,
            {"iss": {"value": found.issuer}, "aud": {"value": self.settings.client_id}},
            {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")},
        )
        try:
            checked.validate(leeway=LEEWAY)
        except JoseError as error:
            raise NotAccepted(f"ID token: {error}") from error
        return {**await self._described(found, claims, token.get("access_token")), "id_token": id_token}

    async def verified(self, token: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return the header and the claims of a token that this provider signed; the claims are not looked at. Raises
        NotAccepted and ProviderUnreachable.
        """
        head = header_of(token)
        if head.get("alg") not in ALGORITHMS or "crit" in head:
            raise NotAccepted("algorithm")
        key_id = head.get("kid")
        if not isinstance(key_id, str):
            raise NotAccepted("no key id")
        key = await self.keys.get(key_id)
        if key is None:
            raise NotAccepted("unknown key")
        try:
            decoded = jwt.decode(token, key, algorithms=list(ALGORITHMS), registry=_REGISTRY)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise NotAccepted(f"signature: {error}") from error
        return decoded.header, decoded.claims

    async def introspect(self, token: str) -> dict[str, Any]:
        """Return what the provider says of an opaque token (RFC 7662). Raises ProviderUnreachable."""
        from api.auth.provider_http import FAULTS

        found = await self.discovered()
        async with self.client(found) as client:
            try:
                answer = await client.introspect_token(found.introspection_endpoint, token, "access_token")
                answer.raise_for_status()
                told = answer.json()
            except (*FAULTS, OAuthError) as error:
                raise ProviderUnreachable(str(error)) from error
        return told if isinstance(told, dict) else {}

    async def _described(self, found: Discovered, claims: dict[str, Any], access_token: object) -> dict[str, Any]:
        """Return the claims, with those of the userinfo endpoint where the ID token has none of its own."""
        if not found.userinfo_endpoint or not isinstance(access_token, str) or "email" in claims:
            return claims
        headers = {"Authorization": f"Bearer {access_token}"}
        told = await _fetched(found.userinfo_endpoint, headers)
        if not isinstance(told, dict) or told.get("sub") != claims["sub"]:  # OpenID Connect Core 5.3.2
            raise NotAccepted("userinfo is about somebody else")
        return {**told, **claims}

    async def _discover(self) -> Discovered:
        issuer = self.settings.issuer
        told = await _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            found = msgspec.convert(told, Discovered)
        except msgspec.ValidationError as error:
            raise ProviderUnreachable(f"{issuer}: {error}") from error
        if found.issuer != issuer:
            raise ProviderUnreachable(f"{issuer} calls itself {found.issuer}: set that one")
        return found

    async def _fetch_keys(self) -> Any:
        return await _fetched((await self.discovered()).jwks_uri)


def header_of(token: str) -> dict[str, Any]:
    """Return the header of a compact JWS, unverified. Raises NotAccepted."""
    return _part(token, 0)


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a compact JWS, unverified. Raises NotAccepted."""
    return _part(token, 1)


def _part(token: str, number: int) -> dict[str, Any]:
    parts = token.split(".", 3)
    if len(parts) != 3:
        raise NotAccepted("not a signed token")
    try:
        text = base64.urlsafe_b64decode(parts[number].encode("ascii") + b"==")
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise NotAccepted("not a signed token") from error


async def _fetched(url: str, headers: Mapping[str, str] | None = None) -> Any:
    from api.auth.provider_http import fetch_json

    return await fetch_json(url, headers)
