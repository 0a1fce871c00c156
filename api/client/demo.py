"""The demo: everything started, a real call transcribed through the public API, everything stopped."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from api.client.commands import write
from api.client.connection import Connection
from api.client.failures import Failure
from api.client.jobs import document, transcribe, transcript
from api.client.progress import reporter
from api.http.secrets import access_token
from api.http.settings import ServerSettings
from api.process.address import known_address
from db.settings import StoreSettings
from tasks.system.processes import dies_with_parent

STARTS_WITHIN = 60.0
STOPS_WITHIN = 12.0


async def demo(home: Path, output: Path) -> None:
    """Transcribe the call that comes with pyannote.audio, on a server of its own, and write the subtitles."""
    console = Console()
    recording = sample()
    console.print("Starting Valkey, web, speech worker and io worker …")
    async with _server(home) as (address, token), Connection(address, token) as connection:
        console.print(f"Ready at {address}. Sending {recording.name}, a phone call of two people.", highlight=False)
        with reporter(Console()) as report:

            def told(event: dict[str, Any]) -> None:
                """Text as Whisper hears it: words and speakers get their places later."""
                if event["__typename"] == "SegmentsAppended":
                    for segment in event["segments"]:
                        report.note(f"  … {segment['text'].strip()}")

            transcript_id = await transcribe(connection, recording, {}, report, told)
        found = await transcript(connection, transcript_id)
        console.print()
        for segment in found["segments"]:
            speaker = (segment["speaker"] or {}).get("label", "")
            times = f"{clock(segment['start'])} - {clock(segment['end'])}"
            console.print(
                f"{times}  {speaker:<10}  {segment['text'].strip()}", highlight=False, markup=False, soft_wrap=True
            )
        write(output, b"".join([chunk async for chunk in document(connection, transcript_id, "SRT")]))
    console.print(f"\nThe subtitles are in {output}.", highlight=False)


def sample() -> Path:
    """Return the recording in pyannote.audio's wheel, found without importing it. Raises `Failure`."""
    package = importlib.util.find_spec("pyannote.audio")
    for place in (package.submodule_search_locations if package else None) or []:
        file = Path(place) / "sample" / "sample.wav"
        if file.exists():
            return file
    raise Failure("pyannote.audio is not installed, and with it the sample call: run `make setup`")


def clock(seconds: float) -> str:
    """Return minutes and seconds, `01:23.4`."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02}:{rest:04.1f}"


@asynccontextmanager
async def _server(home: Path) -> AsyncIterator[tuple[str, str]]:
    """Yield a started server's address and token. Raises `Failure` with its last words if it does not start."""
    process, log = _start(home)
    try:
        store = StoreSettings(home=home)
        async with asyncio.timeout(STARTS_WITHIN):
            while (address := known_address(store, process.pid)) is None:
                if process.poll() is not None:
                    raise Failure(log.read_text(errors="replace").strip() or "the server ended without a word")
                await asyncio.sleep(0.05)
        yield address, access_token(ServerSettings(), store)
    except TimeoutError:
        raise Failure(f"the server did not start within {STARTS_WITHIN:.0f} s; see {log}") from None
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(_wait, process)


def _start(home: Path) -> tuple[subprocess.Popen[bytes], Path]:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", "up"],
            env={"GRAPHOPHONE_MODELS": str(home.parent / "models")}  # the pack is not fetched again
            | os.environ
            | {"GRAPHOPHONE_HOME": str(home), "GRAPHOPHONE_PORT": "0"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=dies_with_parent(),
        )
    return process, log


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
