"""The command line: `python -m api`. Each command loads only what it needs, so that the help comes at once."""

import sys
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from api.settings import ServerSettings, explain
from api.supervisor import EXIT_CONFIGURATION

app = typer.Typer(
    name="python -m api",
    help="Graphophone: recordings in, transcripts out, over GraphQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def up() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from api.up import CannotStart
    from api.up import up as run
    from db.settings import StoreSettings
    from tasks.settings import WorkerSettings

    try:
        code = run(ServerSettings(), StoreSettings(), WorkerSettings())
    except CannotStart as error:
        typer.echo(error, err=True)
        code = 1
    raise typer.Exit(code)


Supervised = Annotated[bool, typer.Option(hidden=True, help="End when standard input does.")]
Listener = Annotated[int | None, typer.Option(hidden=True, help="A listening socket that we were given.")]


@app.command()
def serve(fd: Listener = None, *, supervised: Supervised = False) -> None:
    """Run the web process alone."""
    import socket

    from api.serve import listen
    from api.serve import serve as run
    from tasks.processes import end_with_parent

    if supervised:
        end_with_parent()
    run(listen(ServerSettings()) if fd is None else socket.socket(fileno=fd))


@app.command()
def worker(kind: Literal["speech", "io"], *, supervised: Supervised = False) -> None:
    """Run one worker alone: `speech` transcribes, `io` renders documents."""
    from tasks.processes import end_with_parent
    from tasks.worker import main

    if supervised:
        end_with_parent()
    main(kind)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from sqlalchemy.exc import SQLAlchemyError

    from db.migrate import upgrade
    from db.settings import StoreSettings

    store = StoreSettings()
    store.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        upgrade(store.resolved_database_url)
    except (OSError, SQLAlchemyError) as error:
        typer.echo(f"GRAPHOPHONE_DATABASE_URL: the database says: {str(error).splitlines()[0]}", err=True)
        raise typer.Exit(1) from None


@app.command()
def token() -> None:
    """Print the access token; one is made if there is none yet."""
    from api.secrets import access_token
    from db.settings import StoreSettings

    typer.echo(access_token(ServerSettings(), StoreSettings()))


@app.command()
def schema() -> None:
    """Print the schema in GraphQL's own language."""
    from schema import sdl

    typer.echo(sdl())


def main() -> None:
    """Run a command; a wrong setting is a line of its own, not a traceback."""
    try:
        app()
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        sys.stderr.write(explain(error) + "\n")
        sys.exit(EXIT_CONFIGURATION)


if __name__ == "__main__":
    main()
