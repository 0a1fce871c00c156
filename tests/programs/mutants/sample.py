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
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from coverage import CoverageData

from tests.programs.mutants.changes import Change, changes

ROOT = Path(__file__).parents[3]
ROOMS = ("api", "schema", "tasks", "db")
IN_PROCESS = ("tests/db", "tests/schema", "tests/api", "tests/tasks/test_formats.py", "tests/tasks/pipeline")
WITH_MODELS = ("test_models.py", "test_speech.py", "test_languages.py")
CONFIGURATION = "[run]\nsource = api,schema,tasks,db\nconcurrency = thread,greenlet\n"
MOST_TESTS = 60
SECONDS = 300


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


@contextmanager
def copies(count: int) -> Iterator["SimpleQueue[Path]"]:
    """Give so many copies of the project, to be taken and put back."""
    free: SimpleQueue[Path] = SimpleQueue()
    ignored = shutil.ignore_patterns(".git", ".venv", "data", "node_modules", ".*_cache", "__pycache__")
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(count):
            copy = Path(folder) / str(number)
            shutil.copytree(ROOT, copy, ignore=ignored)
            (copy / ".venv").symlink_to((ROOT / ".venv").resolve())
            (copy / "data").mkdir()
            (copy / "data" / "models").symlink_to((ROOT / "data" / "models").resolve())
            free.put(copy)
        yield free


def killer(mutant: Mutant, free: "SimpleQueue[Path]") -> str | None:
    """Return the first test that fails, or None when the mutant survives."""
    copy = free.get()
    file = copy / mutant.file
    source = file.read_text()
    try:
        change = mutant.change
        file.write_text(source[: change.start] + change.text + source[change.end :])
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", *mutant.tests]
        done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"more than {SECONDS} s"
    finally:
        file.write_text(source)
        free.put(copy)
    if done.returncode == 0:
        return None
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition(" - ")[0] if failed else f"pytest ended with {done.returncode}"


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
    survivors: list[Mutant] = []
    with copies(options.processes) as free, ThreadPoolExecutor(options.processes) as pool:
        for mutant, found in zip(mutants, pool.map(lambda one: killer(one, free), mutants), strict=True):
            if found is None:
                survivors.append(mutant)
            print(f"{'SURVIVED' if found is None else 'killed  '}  {mutant}: {found or 'no test noticed'}", flush=True)
    killed = len(mutants) - len(survivors)
    print(*(f"survived: {one}" for one in survivors), f"{killed} of {len(mutants)} killed", sep="\n")
    return 0 if killed >= 0.9 * len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
