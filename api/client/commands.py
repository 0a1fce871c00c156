"""The command `transcribe`, and how a command ends."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from api.client.connection import Connection
from api.client.failures import Canceled, Failure, printable
from api.client.jobs import document, transcribe
from api.client.progress import reporter
from tasks.documents.registry import FORMATS

Place = Callable[[str], Path]
"""The place of a document of a format."""


def run(command: Coroutine[Any, Any, None]) -> int:
    """Run a command to its end; the exit code (see `api.client.failures`)."""
    try:
        asyncio.run(command)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return Canceled.exit_code
    except Failure as failure:
        sys.stderr.write(f"{failure}\n")
        return failure.exit_code
    return 0


async def transcribe_all(
    connection: Connection,
    recordings: Sequence[Path],
    options: dict[str, Any],
    formats: Sequence[str],
    output: Path | None,
) -> None:
    """Transcribe recordings, each into a file of each format in a folder; or a single document into a file, or to
    standard output. One that fails does not stop the others. Raises the first `Failure`.
    """
    failures: list[Failure] = []
    many = len(recordings) > 1
    places = _places(recordings, output)
    async with connection:
        for recording, place in zip(recordings, places, strict=True):
            try:
                await _transcribe_one(connection, recording, options, formats, place)
            except Failure as failure:
                if not many:
                    raise
                sys.stderr.write(f"{printable(recording.name)}: {failure}\n")
                failures.append(failure)
    if failures:
        first = failures[0]
        left = type(first)(f"{len(failures)} of {len(recordings)} recordings could not be transcribed.")
        raise left from first


def _places(recordings: Sequence[Path], output: Path | None) -> Sequence[Place | None]:
    """Return where the documents of each recording go, by format; no two of them into the same file."""
    if output is None:
        return [None] * len(recordings)
    if not output.is_dir():
        return [lambda _: output] * len(recordings)
    stems = Counter(recording.stem for recording in recordings)
    names = [one.stem if stems[one.stem] == 1 else f"{one.parent.name}-{one.name}" for one in recordings]
    return [partial(_in_folder, output, name) for name in names]


def _in_folder(folder: Path, name: str, form: str) -> Path:
    return folder / f"{name}.{FORMATS[form].extension}"


async def _transcribe_one(
    connection: Connection, recording: Path, options: dict[str, Any], formats: Sequence[str], output: Place | None
) -> None:
    with reporter(Console(stderr=True)) as report:
        transcript_id = await transcribe(connection, recording, options, report)
    for name in formats:
        text = b"".join([chunk async for chunk in document(connection, transcript_id, name)])
        if output is None:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        else:
            write(output(name), text)


def write(output: Path, text: bytes) -> None:
    """Put a document in its place in one move. Raises `Failure`."""
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        draft.write_bytes(text)
        draft.replace(output)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Failure(f"{output} cannot be written: {error.strerror}") from None
