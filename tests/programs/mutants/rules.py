"""Breaks the runtime on purpose, one rule at a time, and shows that the tests notice. Works on a copy of the project.

python -m tests.programs.mutants.rules        prints each mutant with the test that killed it; exits 1 when one survives
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
QUICK = ("tests/db/test_leases.py", "tests/db/test_events.py", "tests/db/test_invariants.py", "tests/db/test_jobs.py")


class Mutant(NamedTuple):
    """A rule taken away: this text in this file becomes that."""

    name: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...] = QUICK


TAKE_LOCK = "token = yield from journal.lock(owner_id)"
TAKE_BEST = 'rows = yield Execute(_take_best(table), values | {"owner": owner_id})'
TAKE_NUMBER = "number = yield from events.take_numbers(owner_id)  # its lock makes the count and the insert one step"
CHECK_ROOM = "yield from check_room.steps(owner_id, limits)"

MUTANTS = (
    Mutant(
        "no fence in the WHERE of a worker's writes",
        "db/queue/leases.py",
        "        col(table.fence) == lease.fence,\n",
        "",
    ),
    Mutant(
        "a lease is not checked before it is taken back",
        "db/queue/leases.py",
        "is_in(table, JobState.RUNNING), col(table.lease_until) < db_now())",
        "is_in(table, JobState.RUNNING))",
    ),
    Mutant(
        "numbers of events are not taken under the owner's lock",
        "db/events.py",
        '    rows = yield Execute(_BUMP, {"owner": owner_id, "count": count})\n    last: int = rows[0][0]\n',
        "    newest = select(_OWNERS.c.last_event).where(_OWNERS.c.id == owner_id)\n"
        "    last = (yield Execute(newest, {}))[0][0] + count\n"
        "    yield Execute(update(_OWNERS).where(_OWNERS.c.id == owner_id).values(last_event=last), {})\n",
    ),
    Mutant(
        "a claim does not raise the fence",
        "db/queue/claims.py",
        "            fence=col(table.fence) + 1,\n",
        "",
    ),
    Mutant(
        "a claim counts what is running before it takes the owner's lock",
        "db/queue/claims.py",
        f"    {TAKE_LOCK}\n    {TAKE_BEST}\n",
        f"    {TAKE_BEST}\n    {TAKE_LOCK}\n",
    ),
    Mutant(
        "a state is not checked before it is left",
        "db/queue/leases.py",
        ".where(or_(*(is_in(table, state) for state in sorted(how.sources))))",
        "",
        (*QUICK, "tests/db/test_operations.py"),
    ),
    Mutant(
        "a worker that has ended its job may still write",
        "db/queue/leases.py",
        "        col(table.state) == JobState.RUNNING,\n",
        "",
    ),
    Mutant(
        "rescued jobs wait like the others",
        "db/queue/claims.py",
        ".order_by(col(best.rescued).desc(), busy,",
        ".order_by(busy,",
    ),
    Mutant(
        "crashes are not counted",
        "db/queue/background.py",
        "crashes, lease = row.crashes + 1,",
        "crashes, lease = row.crashes,",
    ),
    Mutant(
        "the room in the queue is counted before the owner's lock is taken",
        "db/jobs/lifecycle.py",
        f"    {TAKE_NUMBER}\n    {CHECK_ROOM}\n",
        f"    {CHECK_ROOM}\n    {TAKE_NUMBER}\n",
    ),
    Mutant(
        "an idempotency key is looked up without the owner's lock",
        "db/jobs/lifecycle.py",
        "        yield from lock_owner.steps(owner_id)  # makes the look-up",
        "        # makes the look-up",
    ),
    Mutant(
        "a file is adopted although its clean-up has begun",
        "db/queue/cleanups.py",
        ", leases.is_in(Cleanup, JobState.QUEUED))",
        ")",
        ("tests/db/test_cleanups.py",),
    ),
    Mutant(
        "a clean-up is given up like an export",
        "db/queue/background.py",
        "crashes >= leases.MAX_CRASHES and give_up is not None",
        "crashes >= leases.MAX_CRASHES",
        ("tests/db/test_cleanups.py",),
    ),
    Mutant(
        "a file is cleaned up while it is being written",
        "db/queue/cleanups.py",
        "db_now() + ms",
        "db_now()",
        ("tests/db/test_cleanups.py",),
    ),
    Mutant(
        "the word after the last is said",
        "tasks/speech/child.py",
        "        if isinstance(update, Completed | Failed):  # the last word",
        "        if False:  # the last word",
        ("tests/tasks/test_engine.py",),
    ),
    Mutant(
        "an engine that was dropped is not ended",
        "tasks/speech/process.py",
        "        if self._busy:  # its last work was dropped",
        "        if False:  # its last work was dropped",
        ("tests/tasks/test_engine.py",),
    ),
)


def killer(mutant: Mutant) -> str | None:
    """The first test that fails; None when the mutant survives."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "project"
        ignored = shutil.ignore_patterns(".git", ".venv", "data", "node_modules", ".*_cache", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        (copy / ".venv").symlink_to((ROOT / ".venv").resolve())
        file = copy / mutant.file
        source = file.read_text()
        if mutant.before not in source:
            raise SystemExit(f"{mutant.file} has changed; {mutant.name!r} must be written anew")
        file.write_text(source.replace(mutant.before, mutant.after))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", *mutant.tests],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].partition(" - ")[0] if failed else None


def main() -> int:
    """The command."""
    survivors = 0
    for mutant in MUTANTS:
        found = killer(mutant)
        survivors += found is None
        print(f"{'SURVIVED' if found is None else 'killed  '}  {mutant.name}: {found or 'no test noticed'}", flush=True)
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
