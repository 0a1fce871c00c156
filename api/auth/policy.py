"""The sign-in policy: the claims decide which of a provider's people may sign in, and in which role."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.auth.providers import NotAccepted
from api.http.settings import ProviderSettings
from db.accounts.accounts import Person
from db.accounts.scopes import Role

LONGEST_SUBJECT = 255
LONGEST_NAME = 200
MOST_GROUPS = 500


def person_of(settings: ProviderSettings, claims: Mapping[str, Any]) -> Person:
    """Return whom the claims describe. Raises NotAccepted when the settings do not let them in."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise NotAccepted("no subject")
    email = _text(claims.get("email"))
    if settings.allowed_domains:
        domain = (email or "").rpartition("@")[2].lower()
        verified = claims.get("email_verified") is True
        if not verified or domain not in {one.lower() for one in settings.allowed_domains}:
            raise NotAccepted("the e-mail domain is not allowed, or the address is not verified")
    if settings.allowed_claims and not matches(settings.allowed_claims, claims):
        raise NotAccepted("the claims are not allowed")
    return Person(
        issuer=settings.issuer,
        subject=subject,
        name=_text(claims.get("name")) or _text(claims.get("preferred_username")),
        email=email,
        role=Role.ADMIN if matches(settings.admin_claims, claims) else Role.MEMBER,
        groups=tuple(f"{settings.name}:{group}" for group in _values(claims.get(settings.groups_claim))[:MOST_GROUPS]),
    )


def matches(wanted: Mapping[str, Sequence[str]], claims: Mapping[str, Any]) -> bool:
    """Tell whether any of these claims has one of its wanted values."""
    return any(set(values) & set(_values(claims.get(name))) for name, values in wanted.items())


def _values(claim: Any) -> list[str]:
    values = claim if isinstance(claim, list) else [claim]
    return [str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool)]


def _text(claim: Any) -> str | None:
    return claim[:LONGEST_NAME] if isinstance(claim, str) and claim else None
