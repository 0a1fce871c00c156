"""Accounts in the database."""

import asyncio

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from db.accounts import accounts, sessions
from db.accounts.accounts import Person
from db.accounts.scopes import Role
from db.accounts.tables import Account, BrowserSession
from db.domain.errors import NotFound
from db.models import Owner
from db.store.session import Database

ANN = Person("https://idp.example", "ann", "Ann", "ann@example.org", Role.MEMBER, ("corp:staff",))


async def signed_in(database: Database, person: Person = ANN) -> Account:
    async with database.write() as session:
        return await accounts.sign_in(session, person)


async def test_first_sign_ins_at_once_make_one_account(database: Database) -> None:
    found = await asyncio.gather(*(signed_in(database) for _ in range(8)))
    assert len({account.id for account in found}) == 1
    async with database.read() as session:
        assert (await session.execute(select(func.count()).select_from(Owner))).scalar_one() == 1


async def test_each_sign_in_brings_the_account_up_to_date(database: Database) -> None:
    first = await signed_in(database)
    second = await signed_in(database, ANN._replace(name="Ann B.", role=Role.ADMIN, groups=()))
    assert (second.id, second.role, second.groups) == (first.id, Role.ADMIN, [])
    async with database.read() as session:
        [listed] = await accounts.listing(session)
    assert (listed.name, listed.email) == ("Ann B.", "ann@example.org")


async def test_one_subject_of_two_providers_is_two_people(database: Database) -> None:
    other = await signed_in(database, ANN._replace(issuer="https://other.example"))
    assert (await signed_in(database)).id != other.id


async def test_closing_an_account_ends_its_sessions_and_nobody_elses(database: Database) -> None:
    people = [await signed_in(database), await signed_in(database, ANN._replace(subject="bob"))]
    async with database.write() as session:
        for account in people:
            await sessions.begin(session, account.id, issuer=ANN.issuer, provider_sid=None, lifetime_ms=60_000)
        await accounts.set_disabled(session, people[0].id, closed=True)
    async with database.read() as session:
        left = (await session.execute(select(col(BrowserSession.owner_id)))).scalars().all()
        assert await accounts.disabled(session) == {people[0].id}
    assert left == [people[1].id]


async def test_an_account_that_does_not_exist_cannot_be_changed(database: Database) -> None:
    async with database.write() as session:
        with pytest.raises(NotFound):
            await accounts.set_role(session, "usr_nobody", Role.ADMIN)
