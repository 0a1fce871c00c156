"""Makes small changes at random places of the four rooms, and counts how many the tests notice.

python -m tests.programs.mutants.sample 200 [--seed N] [--processes 2] [--coverage FILE]

A change is made in a line that tests reach, in a copy of the project, and the tests that reach this line are run, those
first that reach least else. Which tests those are says a coverage database with a context for each test; without one
the tests that run within pytest's own process are run once to make it (what only worker processes execute is `make
mutants`' and `make chaos`' business). Prints each change with its killer, and the survivors at the end.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
from coverage import CoverageData

from tests.programs.mutants.changes import Change, changes

ROOT = Path(__file__).parents[3]
ROOMS = ("api", "schema", "tasks", "db")
IN_PROCESS = ("tests/db", "tests/schema", "tests/api", "tests/tasks/documents", "tests/tasks/pipeline")
WITH_MODELS = ("test_models.py", "test_speech.py", "test_languages.py")
CONFIGURATION = "[run]\nsource = api,schema,tasks,db\nconcurrency = thread,greenlet\n"
IMPORTED_ONCE = (
    "alembic.autogenerate",
    "asyncpg",
    "dramatiq.brokers.redis",
    "httpx",
    "numpy",
    "obstore",
    "pydantic_settings",
    "redis.asyncio",
    "rich.progress",
    "sqlalchemy.ext.asyncio",
    "sqlmodel",
    "starlette.applications",
    "strawberry",
    "structlog",
    "typer",
    "uvicorn",
    "websockets",
)
MOST_TESTS = 60
SECONDS = 180


class Mutant(NamedTuple):
    """A change to a file, and the tests that reach its line."""

    file: str
    change: Change
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.change.line}  {self.change.what}"


def measure(target: Path) -> None:
    """Run the tests once, and note which lines each of them reaches."""
    configuration = target.with_suffix(".ini")
    configuration.write_text(CONFIGURATION)
    ignored = [f"--ignore=tests/tasks/pipeline/{name}" for name in WITH_MODELS]
    measured = ["--cov", f"--cov-config={configuration}", "--cov-context=test", "--cov-report="]
    command = [sys.executable, "-m", "pytest", "-q", *measured, *ignored, *IN_PROCESS]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"COVERAGE_FILE": str(target)}, check=False)


def candidates(coverage: Path) -> dict[str, list[Mutant]]:
    """Return every change to a line that a test reaches, by room."""
    data = CoverageData(str(coverage))
    data.read()
    reach: Counter[str] = Counter()
    lines: dict[str, dict[int, list[str]]] = {}
    for measured in data.measured_files():
        parts = Path(measured).parts
        room = next((i for i, part in enumerate(parts) if part in ROOMS and (ROOT / Path(*parts[i:])).is_file()), None)
        if room is not None and "migrations" not in parts:
            lines[str(Path(*parts[room:]))] = contexts = data.contexts_by_lineno(measured)
            reach.update(test for tests in contexts.values() for test in tests)
    found: dict[str, list[Mutant]] = {room: [] for room in ROOMS}
    for file, contexts in sorted(lines.items()):
        for change in changes((ROOT / file).read_text()):
            reached = {name.partition("|")[0] for name in contexts.get(change.line, ()) if name.endswith("|run")}
            if reached:
                order = sorted(reached, key=lambda name: ("postgres" in name, reach[f"{name}|run"], name))
                found[Path(file).parts[0]].append(Mutant(file, change, tuple(order[:MOST_TESTS])))
    return found


def copied(folder: Path) -> Path:
    """Return a new copy of the project."""
    ignored = shutil.ignore_patterns(".git", ".venv", "data", "node_modules", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    (folder / "data").mkdir()
    (folder / "data" / "models").symlink_to((ROOT / "data" / "models").resolve())
    return folder


class Trial:
    """A change in a copy of the project, and a fork of this process that runs the tests there."""

    def __init__(self, mutant: Mutant, copy: Path) -> None:
        self.mutant = mutant
        self.copy = copy
        self._file = copy / mutant.file
        self._source = self._file.read_text()
        self._log = copy.with_suffix(".log")
        self._deadline = time.monotonic() + SECONDS
        change = mutant.change
        self._file.write_text(self._source[: change.start] + change.text + self._source[change.end :])
        self.pid = os.fork()
        if self.pid == 0:
            self._run()

    def _run(self) -> None:
        os.setsid()
        os.chdir(self.copy)
        output = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        sys.path[:] = [str(self.copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
        code = 1
        try:
            code = pytest.main(["-x", "-q", "-n0", "-p", "no:cacheprovider", *self.mutant.tests])
        except Exception:  # noqa: BLE001  # the fork must not go on as its parent would
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def is_over(self) -> bool:
        """Whether the tests have ended; they are ended when they take too long."""
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended and time.monotonic() < self._deadline:
            return False
        if not ended:
            os.killpg(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
        self._file.write_text(self._source)
        self.killer = None if status == 0 else self._first_failure()
        return True

    def _first_failure(self) -> str:
        failed = [line for line in self._log.read_text().splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0].partition(" - ")[0] if failed else "the tests broke off: " + self._log.read_text()[-300:]


def tried(mutants: list[Mutant], processes: int) -> Iterator[Trial]:
    """Try each mutant, so many at once, and yield them as they end.

    Third-party packages are imported once, here: the forks then begin with the project's own modules.
    """
    for name in IMPORTED_ONCE:
        import_module(name)
    todo = list(reversed(mutants))
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        free = [copied(Path(folder) / str(number)) for number in range(processes)]
        running: list[Trial] = []
        while todo or running:
            while todo and free:
                running.append(Trial(todo.pop(), free.pop()))
            for trial in [trial for trial in running if trial.is_over()]:
                running.remove(trial)
                free.append(trial.copy)
                yield trial
            time.sleep(0.1)


def sample(count: int, seed: int, coverage: Path) -> list[Mutant]:
    """Return so many mutants, as many from each room."""
    chance = random.Random(seed)  # not for secrets
    chosen: list[Mutant] = []
    for room, found in candidates(coverage).items():
        print(f"{room}: {len(found)} changes are possible where tests reach", flush=True)
        chosen += chance.sample(found, min(len(found), count // len(ROOMS)))
    chance.shuffle(chosen)
    return chosen


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs.mutants.sample", description=__doc__)
    parser.add_argument("count", type=int, help="how many changes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--coverage", type=Path, default=ROOT / "data" / "mutants.coverage")
    options = parser.parse_args()
    if not options.coverage.exists():
        measure(options.coverage)
    mutants = sample(options.count, options.seed, options.coverage)
    unchanged = mutants[0]._replace(change=Change(0, 0, "", 0, "nothing is changed"))
    if failure := next(tried([unchanged], 1)).killer:
        raise SystemExit(f"The tests fail without any change: {failure}")
    survivors: list[Mutant] = []
    for trial in tried(mutants, options.processes):
        if trial.killer is None:
            survivors.append(trial.mutant)
        verdict = "SURVIVED" if trial.killer is None else "killed  "
        print(f"{verdict}  {trial.mutant}: {trial.killer or 'no test noticed'}", flush=True)
    killed = len(mutants) - len(survivors)
    print(*(f"survived: {one}" for one in survivors), f"{killed} of {len(mutants)} killed", sep="\n")
    return 0 if killed >= 0.9 * len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
