"""Finds what an earlier revision's clients would lose, with npm's graphql-inspector.

python -m tests.programs.clients.breaking [revision]
"""

import subprocess
import sys

from tests.programs.clients.packages import FOLDER, PROGRAMS, ROOT, SCHEMA, install


def main(base: str) -> int:
    """1 when the schema, as it is in the working tree, breaks those who know the one of that revision."""
    path = SCHEMA.relative_to(ROOT)
    known = subprocess.run(["git", "show", f"{base}:{path}"], cwd=ROOT, capture_output=True, check=False)
    if known.returncode:
        sys.exit(f"There is no {path} at {base}: {known.stderr.decode().strip()}")
    install()
    (FOLDER / "base.graphql").write_bytes(known.stdout)
    command = [str(PROGRAMS / "graphql-inspector"), "diff", "base.graphql", "schema.graphql"]
    return 1 if subprocess.run(command, cwd=FOLDER, check=False).returncode else 0


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["HEAD~1"])))
