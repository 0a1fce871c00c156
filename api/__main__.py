"""The command line: `python -m api`. Each command loads only what it needs, so that the help comes at once."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from api.http.settings import AuthSettings, ServerSettings, explain
from api.process import copies
from api.process.people_commands import clients, users
from api.process.supervisor import EXIT_CONFIGURATION
from db.settings import UnreadableSecret
from tasks.documents.registry import FORMATS

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Graphophone: recordings in, transcripts out, over GraphQL.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:  # noqa: FBT001  typer's callback
    if wanted:
        from api.app import VERSION

        typer.echo(f"graphophone {VERSION}")
        raise typer.Exit


@app.callback()
def about(
    *, version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False
) -> None:
    """Graphophone: recordings in, transcripts out, over GraphQL."""


@app.command()
def up() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from api.process.up import CannotStart
    from api.process.up import up as run
    from db.settings import StoreSettings
    from schema.settings import IntakeSettings
    from tasks.settings import WorkerSettings

    IntakeSettings()  # a wrong value is told here, before anything is started
    try:
        code = run(ServerSettings(), StoreSettings(), WorkerSettings())
    except CannotStart as error:
        typer.echo(error, err=True)
        code = 1
    raise typer.Exit(code)


FileFormat = StrEnum("FileFormat", {name: name.lower() for name in FORMATS})  # type: ignore[misc]  # one list, kept by the registry
_TEXT = FileFormat("txt")
Supervised = Annotated[bool, typer.Option(hidden=True, help="End when standard input does.")]
Listener = Annotated[int | None, typer.Option(hidden=True, help="A listening socket that we were given.")]


@app.command()
def serve(fd: Listener = None, *, supervised: Supervised = False) -> None:
    """Run the web process alone."""
    import socket

    from api.process.exposure import Unguarded, check_guarded
    from api.process.serve import listen
    from api.process.serve import serve as run
    from tasks.system.processes import end_with_parent

    if supervised:
        end_with_parent()
    try:
        check_guarded(ServerSettings(), AuthSettings())
    except Unguarded as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    run(listen(ServerSettings()) if fd is None else socket.socket(fileno=fd))


@app.command()
def worker(kind: Literal["speech", "io"], *, supervised: Supervised = False) -> None:
    """Run one worker alone: `speech` transcribes, `io` renders documents and deletes files."""
    from tasks.system.processes import end_with_parent
    from tasks.worker import main

    if supervised:
        end_with_parent()
    main(kind)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    from sqlalchemy.exc import SQLAlchemyError

    from db.migrate import NewerDatabase, upgrade
    from db.settings import StoreSettings, make_private
    from tasks.system import logs

    logs.configure("migrate")
    store = StoreSettings()
    try:
        make_private(store.home)
        upgrade(store.resolved_database_url)
    except NewerDatabase as error:
        typer.echo(f"GRAPHOPHONE_DATABASE_URL: {error}", err=True)
        raise typer.Exit(EXIT_CONFIGURATION) from None
    except (OSError, SQLAlchemyError) as error:
        typer.echo(f"GRAPHOPHONE_DATABASE_URL: the database says: {str(error).splitlines()[0]}", err=True)
        raise typer.Exit(1) from None


@app.command()
def token() -> None:
    """Print the access token; one is made if there is none yet."""
    from api.http.secrets import access_token
    from db.settings import StoreSettings

    typer.echo(access_token(ServerSettings(), StoreSettings()))


@app.command()
def schema() -> None:
    """Print the schema in GraphQL's own language."""
    from schema import sdl

    typer.echo(sdl())


for command in (copies.backup, copies.restore, copies.move):
    app.command()(command)
app.add_typer(users, name="users")
app.add_typer(clients, name="clients")
jobs = typer.Typer(invoke_without_command=True, help="Work that runs, waits or is quarantined; requeue or cancel.")
app.add_typer(jobs, name="jobs")
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


@jobs.callback()
def list_jobs(context: typer.Context) -> None:
    """List the jobs of all owners that run, wait or are quarantined: worker, lease, attempt and reason."""
    from api.operations import show

    if context.invoked_subcommand is None:
        raise typer.Exit(show())


@jobs.command()
def requeue(job: JobId) -> None:
    """Queue a job again: one that failed or was quarantined, that waits for its time, or that a worker has in hand."""
    from api.operations import act
    from db.jobs.admin import requeue

    raise typer.Exit(act(requeue, job))


@jobs.command()
def cancel(job: JobId) -> None:
    """Cancel a job at once, also one in a worker's hands."""
    from api.operations import act
    from db.jobs.admin import cancel

    raise typer.Exit(act(cancel, job))


@app.command()
def transcribe(  # noqa: PLR0917 - options of the command line
    recordings: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="Audio or video: files, folders, patterns, or -."),
    ],
    file_format: Annotated[
        list[FileFormat], typer.Option("-f", "--format", help="Of the result; may stand several times.")
    ] = [_TEXT],  # noqa: B006  typer reads it
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file, or a folder for several; else standard output.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="ISO 639-1, say `en`; else it is detected.")] = None,
    speakers: Annotated[int | None, typer.Option(help="The number of speakers, if known.")] = None,
    min_speakers: Annotated[int | None, typer.Option(help="At least so many.")] = None,
    max_speakers: Annotated[int | None, typer.Option(help="At most so many.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Text that tells Whisper names and style.")] = None,
    hotword: Annotated[list[str] | None, typer.Option(help="A word to listen for; may stand several times.")] = None,
    model: Annotated[str | None, typer.Option(help="One of those that the server has.")] = None,
    task: Annotated[Literal["transcribe", "translate"], typer.Option(help="Translate: into English.")] = "transcribe",
    tag: Annotated[list[str] | None, typer.Option(help="A label of yours; may stand several times.")] = None,
    priority: Annotated[int, typer.Option(min=-10, max=10, help="Higher goes first among your jobs.")] = 0,
    beam_size: Annotated[int | None, typer.Option(min=1, max=10, help="Readings that are weighed.")] = None,
    chunk_seconds: Annotated[float | None, typer.Option(min=5, max=30, help="Speech that is heard at once.")] = None,
    url: Annotated[str | None, typer.Option(help="The server; else the one of this data folder.")] = None,
    token: Annotated[str | None, typer.Option(help="Lets us in; else this data folder's.")] = None,
    *,
    align: Annotated[bool, typer.Option(help="Find each word's time.")] = True,
    diarize: Annotated[bool, typer.Option(help="Tell the speakers apart.")] = True,
    suppress_numerals: Annotated[bool, typer.Option(help="Write numbers in words.")] = False,
) -> None:
    """Transcribe recordings with a running server.

    Exit codes: 0 done, 2 wrong usage, 3 no server or not let in, 4 the recording or an option is at fault,
    5 the server could not do it, 6 cancelled or interrupted, 1 anything else.
    """
    import tempfile

    from api.client import inputs
    from api.client.commands import run, transcribe_all
    from api.client.connection import Connection
    from api.http.secrets import known_token
    from api.process.address import default_address
    from db.settings import StoreSettings

    server, store = ServerSettings(), StoreSettings()
    connection = Connection(url or default_address(server, store), token or known_token(server, store) or "")
    wanted: dict[str, Any] = {
        "language": language, "numSpeakers": speakers, "minSpeakers": min_speakers, "maxSpeakers": max_speakers,
        "prompt": prompt, "hotwords": hotword, "model": model, "tags": tag, "beamSize": beam_size,
        "chunkSeconds": chunk_seconds, "priority": priority or None, "align": None if align else False,
        "diarize": None if diarize else False, "suppressNumerals": suppress_numerals or None,
        "task": task.upper() if task != "transcribe" else None,
    }  # fmt: skip
    options = {name: value for name, value in wanted.items() if value is not None}
    inputs.check(options)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            files = inputs.recordings(recordings, Path(scratch))
        except inputs.NoRecording as error:
            raise typer.BadParameter(str(error), param_hint="FILE") from None
        formats = [one.upper() for one in dict.fromkeys(file_format)]
        if output == Path("-"):
            output = None
        several = len(files) > 1 or len(formats) > 1
        if output and not (output.is_dir() if several else output.parent.is_dir()):
            missing = output if several else output.parent
            raise typer.BadParameter(f"{missing} is no folder", param_hint="--output")
        raise typer.Exit(run(transcribe_all(connection, files, options, formats, output)))


@app.command()
def demo() -> None:
    """Transcribe a real phone call through the API, on a server that is started for it and stopped afterwards."""
    from api.client.commands import run
    from api.client.demo import demo as show
    from db.settings import StoreSettings

    raise typer.Exit(run(show(StoreSettings().home / "demo", Path("sample.srt"))))


def main() -> None:
    """Run a command; a wrong setting is a line of its own, not a traceback."""
    os.umask(0o077)  # recordings, transcripts and tokens are their owner's, in every process that we start
    try:
        app()
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        sys.stderr.write(explain(error) + "\n")
        sys.exit(EXIT_CONFIGURATION)
    except SettingsError as error:  # a file that cannot be read, or a value that is no JSON
        sys.stderr.write(f"{error.__cause__ if isinstance(error.__cause__, UnreadableSecret) else error}\n")
        sys.exit(EXIT_CONFIGURATION)


if __name__ == "__main__":
    main()
