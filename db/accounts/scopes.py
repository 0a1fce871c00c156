"""Scopes: what credentials may do, whatever their account could."""

from enum import StrEnum


class Role(StrEnum):
    """The upper bound of what an account may do."""

    MEMBER = "MEMBER"
    ADMIN = "ADMIN"


ADMIN = "admin"
"""Allows everything, also what belongs to others."""

SCOPES = {
    "jobs:read": "See jobs, recordings and uploads.",
    "jobs:write": "Upload recordings; create, cancel and delete jobs.",
    "transcripts:read": "Read transcripts and search them.",
    "transcripts:write": "Correct transcripts.",
    "exports:read": "See and download exports.",
    "exports:write": "Ask for exports and delete them.",
    "account": "Manage the account itself, such as its access tokens.",
    ADMIN: "Everything, for all accounts.",
}
"""Every scope and what it allows."""

ALL_SCOPES = frozenset(SCOPES)
MEMBER_SCOPES = ALL_SCOPES - {ADMIN}


def scopes_of(role: Role) -> frozenset[str]:
    """Return the scopes that credentials of an account with this role can have."""
    return ALL_SCOPES if role is Role.ADMIN else MEMBER_SCOPES
