"""The commands `users` and `clients`."""

from typing import Annotated

import typer

from db.accounts.scopes import SCOPES, Role

users = typer.Typer(invoke_without_command=True, help="Accounts: list, disable, make admin, set quotas.")
clients = typer.Typer(invoke_without_command=True, help="Service accounts: programs with credentials of their own.")
Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, `usr_…`.")]


@users.callback()
def list_users(context: typer.Context) -> None:
    """List all accounts."""
    from api.process.people import show_users

    if context.invoked_subcommand is None:
        raise typer.Exit(show_users())


@users.command()
def disable(account: Account) -> None:
    """Close an account: its sessions end, its tokens and addresses open nothing."""
    from api.process.people import disable as run

    raise typer.Exit(run(account, closed=True))


@users.command()
def enable(account: Account) -> None:
    """Open a closed account again."""
    from api.process.people import disable as run

    raise typer.Exit(run(account, closed=False))


@users.command()
def role(account: Account, name: Annotated[Role, typer.Argument(metavar="ROLE", case_sensitive=False)]) -> None:
    """Make an account an administrator's (`admin`) or a `member`'s; a provider's claims decide anew at each sign-in."""
    from api.process.people import set_role

    raise typer.Exit(set_role(account, name))


@users.command()
def quota(
    account: Account,
    points: Annotated[int | None, typer.Option(min=1, help="Points of query cost in a minute.")] = None,
    queued: Annotated[int | None, typer.Option(min=0, help="Jobs that may wait.")] = None,
    audio_hours: Annotated[float | None, typer.Option(min=0, help="Hours of audio in a month.")] = None,
) -> None:
    """Set what an account may use; what is left out is the server's default again."""
    from api.process.people import set_quota
    from db.accounts.tables import Quota

    seconds = None if audio_hours is None else audio_hours * 3600
    chosen = Quota(points_per_minute=points, queued_jobs=queued, audio_seconds_per_month=seconds)
    raise typer.Exit(set_quota(account, chosen))


@clients.callback()
def list_clients(context: typer.Context) -> None:
    """List all service accounts."""
    from api.process.people import show_clients

    if context.invoked_subcommand is None:
        raise typer.Exit(show_clients())


@clients.command()
def add(
    name: Annotated[str, typer.Argument(help="Its purpose.")],
    scope: Annotated[list[str], typer.Option(help=f"A scope of it; repeat for several: {', '.join(SCOPES)}.")],
) -> None:
    """Make a service account; its secret is printed this once."""
    from api.process.people import add_client

    for one in scope:
        if one not in SCOPES:
            raise typer.BadParameter(f"{one} is none of {', '.join(SCOPES)}", param_hint="--scope")
    raise typer.Exit(add_client(name, scope))


@clients.command()
def remove(client: Annotated[str, typer.Argument(metavar="CLIENT", help="Its id, `cli_…`.")]) -> None:
    """Delete a service account's credentials, with all tokens that it was given."""
    from api.process.people import remove_client

    raise typer.Exit(remove_client(client))
