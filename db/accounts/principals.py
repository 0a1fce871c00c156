"""Principals: who stands behind a credential now, as far as the database knows."""

from collections.abc import Collection

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.grants import Grant
from db.accounts.scopes import scopes_of
from db.accounts.tables import AccessToken, Account, BrowserSession, Quota
from db.domain.clock import now


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """An account as one of its credentials opens it; instants in epoch milliseconds.

    `credential` is the row's id: it stands in the audit log, and is asked about again while a subscription is open.
    """

    owner_id: str
    scopes: frozenset[str]
    groups: tuple[str, ...] = ()
    quota: Quota = Quota()
    credential: str = ""
    expires_at: int | None = None
    last_used_at: int | None = None


def of_account(account: Account) -> Principal | None:
    """Return an account with all that its role allows; None when it is closed."""
    if account.disabled_at is not None:
        return None
    return Principal(
        owner_id=account.id,
        scopes=scopes_of(account.role),
        groups=tuple(account.groups),
        quota=account.quota,
        credential=account.id,
    )


async def of_token(session: AsyncSession, secret_hash: str) -> Principal | None:
    """Return who a personal token stands for. Its scopes never exceed what the account has left."""
    statement = (
        select(AccessToken, Account)
        .join(Account, col(Account.id) == col(AccessToken.owner_id))
        .where(col(AccessToken.secret_hash) == secret_hash)
    )
    found = (await session.execute(statement)).one_or_none()
    if found is None:
        return None
    token, account = found
    principal = of_account(account)
    if principal is None or (token.expires_at is not None and token.expires_at <= now()):
        return None
    return msgspec.structs.replace(
        principal,
        scopes=principal.scopes & frozenset(token.scopes),
        credential=token.id,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at or 0,
    )


async def of_grant(session: AsyncSession, access_hash: str) -> Principal | None:
    """Return who an access token of the token endpoint stands for."""
    statement = (
        select(Grant, Account)
        .join(Account, col(Account.id) == col(Grant.owner_id))
        .where(col(Grant.access_hash) == access_hash, col(Grant.access_until) > now(), col(Grant.revoked_at).is_(None))
    )
    found = (await session.execute(statement)).one_or_none()
    principal = None if found is None else of_account(found[1])
    if found is None or principal is None:
        return None
    grant = found[0]
    scopes = principal.scopes & frozenset(grant.scopes)
    return msgspec.structs.replace(principal, scopes=scopes, credential=grant.id, expires_at=grant.access_until)


async def of_session(session: AsyncSession, session_id: str) -> Principal | None:
    """Return who has signed in with a browser."""
    statement = (
        select(BrowserSession, Account)
        .join(Account, col(Account.id) == col(BrowserSession.owner_id))
        .where(col(BrowserSession.id) == session_id, col(BrowserSession.expires_at) > now())
    )
    found = (await session.execute(statement)).one_or_none()
    principal = None if found is None else of_account(found[1])
    if found is None or principal is None:
        return None
    return msgspec.structs.replace(principal, credential=found[0].id, expires_at=found[0].expires_at)


async def still_there(session: AsyncSession, credentials: Collection[str]) -> frozenset[str]:
    """Return those of these credentials that have been neither revoked nor signed out, nor has their account been
    closed.
    """
    opened = col(Account.disabled_at).is_(None)
    there: set[str] = set(
        (await session.execute(select(col(Account.id)).where(col(Account.id).in_(credentials), opened))).scalars()
    )
    for table in (AccessToken, BrowserSession, Grant):
        statement = (
            select(col(table.id))
            .join(Account, col(Account.id) == col(table.owner_id))
            .where(col(table.id).in_(credentials), opened)
        )
        if table is Grant:
            statement = statement.where(col(Grant.revoked_at).is_(None))
        there.update((await session.execute(statement)).scalars())
    return frozenset(there)
