"""Accounts: made at the first sign-in, disabled and given quotas by an administrator."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from db.accounts.owners import LOCAL_OWNER, ensure
from db.accounts.scopes import Role
from db.accounts.tables import Account, BrowserSession, Quota
from db.domain.clock import now
from db.domain.errors import NotFound
from db.domain.ids import new_id
from db.models import Owner
from db.store.base import table_of


class Person(NamedTuple):
    """Somebody as a provider describes them."""

    issuer: str
    subject: str
    name: str | None
    email: str | None
    role: Role
    groups: tuple[str, ...] = ()


class Listed(NamedTuple):
    """An account with the name and address that its owner's row holds."""

    account: Account
    name: str | None
    email: str | None


async def ensure_local(session: AsyncSession) -> None:
    """Make the account of the installation's own token, if it is not there yet."""
    await ensure(session, LOCAL_OWNER, "Local owner")
    if await session.get(Account, LOCAL_OWNER) is None:
        session.add(Account(id=LOCAL_OWNER, role=Role.ADMIN, created_at=now()))
        await session.flush()


async def sign_in(session: AsyncSession, person: Person) -> Account:
    """Return the account of somebody whom a provider vouches for, made at first sight and brought up to date."""
    account = await find(session, person.issuer, person.subject) or await _create(session, person)
    renamed = update(Owner).where(col(Owner.id) == account.id).values(name=person.name, email=person.email)
    await session.execute(renamed)
    account.role, account.groups, account.last_sign_in_at = person.role, list(person.groups), now()
    await session.flush()
    return account


async def find(session: AsyncSession, issuer: str, subject: str) -> Account | None:
    """Return the account of a provider's subject."""
    statement = select(Account).where(col(Account.issuer) == issuer, col(Account.subject) == subject)
    return (await session.execute(statement)).scalar_one_or_none()


async def get(session: AsyncSession, owner_id: str) -> Account | None:
    """Return one account."""
    return await session.get(Account, owner_id)


async def listing(session: AsyncSession) -> Sequence[Listed]:
    """Return all accounts, the oldest first."""
    statement = (
        select(Account, col(Owner.name), col(Owner.email))
        .join(Owner, col(Owner.id) == col(Account.id))
        .order_by(col(Account.created_at), col(Account.id))
    )
    return [Listed(*row) for row in await session.execute(statement)]


async def disabled(session: AsyncSession) -> frozenset[str]:
    """Return the ids of all accounts that are closed."""
    found = await session.execute(select(col(Account.id)).where(col(Account.disabled_at).is_not(None)))
    return frozenset(found.scalars())


async def set_disabled(session: AsyncSession, owner_id: str, *, closed: bool) -> Account:
    """Close an account, or open it again. Its browser sessions end. Raises NotFound."""
    account = await _existing(session, owner_id)
    account.disabled_at = now() if closed else None
    if closed:
        await session.execute(delete(BrowserSession).where(col(BrowserSession.owner_id) == owner_id))
    return account


async def set_role(session: AsyncSession, owner_id: str, role: Role) -> Account:
    """Change what an account may do at most. Raises NotFound."""
    account = await _existing(session, owner_id)
    account.role = role
    return account


async def set_quota(session: AsyncSession, owner_id: str, quota: Quota) -> Account:
    """Change what an account may use. Raises NotFound."""
    account = await _existing(session, owner_id)
    account.quota = quota
    return account


async def _existing(session: AsyncSession, owner_id: str) -> Account:
    account = await session.get(Account, owner_id)
    if account is None:
        raise NotFound("account", owner_id)
    return account


async def _create(session: AsyncSession, person: Person) -> Account:
    """Make an account. Two sign-ins of one person at once make one: the second finds the first one's."""
    owner_id = new_id("usr")
    await ensure(session, owner_id, person.name)
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    values: dict[str, Any] = {"id": owner_id, "issuer": person.issuer, "subject": person.subject, "role": person.role}
    values |= {"groups": [], "quota": Quota(), "created_at": now()}
    await session.execute(insert(table_of(Account)).values(values).on_conflict_do_nothing())
    account = await find(session, person.issuer, person.subject)
    assert account is not None  # noqa: S101 - it is there, by whomever it was made
    if account.id != owner_id:
        await session.execute(delete(Owner).where(col(Owner.id) == owner_id))
    return account
