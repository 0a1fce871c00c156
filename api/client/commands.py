"""The command `transcribe`."""

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console

from api.client.connection import Connection
from api.client.failures import Canceled, Failure
from api.client.jobs import document, transcribe
from api.client.progress import reporter


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


async def transcribe_to(
    connection: Connection, recording: Path, options: dict[str, Any], file_format: str, output: Path | None
) -> None:
    """Transcribe a recording into a file, or to standard output."""
    async with connection:
        with reporter(Console(stderr=True)) as report:
            transcript_id = await transcribe(connection, recording, options, report)
        text = b"".join([chunk async for chunk in document(connection, transcript_id, file_format)])
    if output is None:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    else:
        write(output, text)


def write(output: Path, text: bytes) -> None:
    """Put a document in its place in one move. Raises `Failure`."""
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        draft.write_bytes(text)
        draft.replace(output)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Failure(f"{output} cannot be written: {error.strerror}") from None
