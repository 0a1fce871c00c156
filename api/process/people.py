"""`python -m api users` and `… clients`: accounts and service accounts, straight at the database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from db.accounts import accounts, clients
from db.accounts.scopes import Role
from db.accounts.tables import Account, Quota
from db.domain.errors import GraphophoneError
from db.settings import StoreSettings
from db.store.session import Database, DatabaseDown

Change = Callable[[AsyncSession], Awaitable[Account]]


def show_users() -> int:
    """Print all accounts; the exit code."""

    async def listed(session: AsyncSession) -> int:
        rows = [
            (
                one.account.id,
                one.email or "",
                one.name or "",
                one.account.role.lower(),
                "disabled" if one.account.disabled_at else "",
                _quota(one.account.quota),
                _day(one.account.last_sign_in_at),
            )
            for one in await accounts.listing(session)
        ]
        _print(("account", "e-mail", "name", "role", "state", "quota", "last sign-in"), rows)
        return 0

    return _run(listed)


def change_user(change: Change) -> int:
    """Change one account and say how it is now; the exit code."""

    async def changed(session: AsyncSession) -> int:
        account = await change(session)
        state = "disabled" if account.disabled_at else "open"
        quota = _quota(account.quota) or "none of its own"
        Console().print(
            f"{account.id}: {account.role.lower()}, {state}, quota {quota}", highlight=False, soft_wrap=True
        )
        return 0

    return _run(changed)


def disable(owner_id: str, *, closed: bool) -> int:
    """Close an account, or open it again; the exit code."""
    return change_user(lambda session: accounts.set_disabled(session, owner_id, closed=closed))


def set_role(owner_id: str, role: Role) -> int:
    """Make an account an administrator's, or a member's; the exit code."""
    return change_user(lambda session: accounts.set_role(session, owner_id, role))


def set_quota(owner_id: str, quota: Quota) -> int:
    """Set what an account may use; the exit code."""
    return change_user(lambda session: accounts.set_quota(session, owner_id, quota))


def show_clients() -> int:
    """Print all service accounts; the exit code."""

    async def listed(session: AsyncSession) -> int:
        rows = [
            (one.id, one.name, one.owner_id, " ".join(one.scopes), _day(one.created_at))
            for one in await clients.listing(session)
        ]
        _print(("client", "name", "account", "scopes", "made"), rows)
        return 0

    return _run(listed)


def add_client(name: str, scopes: Sequence[str]) -> int:
    """Make a service account and print its id and its secret, this once; the exit code."""

    async def added(session: AsyncSession) -> int:
        made = await clients.create(session, name=name, scopes=scopes)
        print(f"client id      {made.client.id}\nclient secret  {made.secret}")  # noqa: T201 - a command's output
        return 0

    return _run(added)


def remove_client(client_id: str) -> int:
    """Delete a service account's credentials and tokens; the exit code."""

    async def removed(session: AsyncSession) -> int:
        await clients.remove(session, client_id)
        Console().print(f"{client_id} is gone.", highlight=False)
        return 0

    return _run(removed)


def _run(work: Callable[[AsyncSession], Awaitable[int]]) -> int:
    async def run() -> int:
        database = Database(StoreSettings().resolved_database_url)
        try:
            async with database.write() as session:
                return await work(session)
        except (GraphophoneError, DatabaseDown) as error:
            Console(stderr=True).print(str(error), highlight=False, soft_wrap=True)
            return 1
        finally:
            await database.close()

    return asyncio.run(run())


def _print(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 300  # into a pipe, nothing is cut off
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table if rows else "There are none.", highlight=False)


def _quota(quota: Quota) -> str:
    parts = (
        (quota.points_per_minute, "points a minute"),
        (quota.queued_jobs, "waiting jobs"),
        (quota.audio_seconds_per_month, "s of audio a month"),
    )
    return ", ".join(f"{value:g} {unit}" for value, unit in parts if value is not None)


def _day(at: int | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
