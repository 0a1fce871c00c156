"""The npm packages of the clients, in a folder that git ignores. Run as a program it fetches them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SCHEMA = ROOT / "schema" / "schema.graphql"
FOLDER = Path(os.environ.get("GRAPHOPHONE_CLIENTS", ROOT / "data" / "clients")).resolve()
PROGRAMS = FOLDER / "node_modules" / ".bin"


def install() -> None:
    """Fetch what is missing, and put today's programs and schema beside it."""
    if not shutil.which("npm"):
        sys.exit("The clients need Node.js 20 or later with npm, which was not found.")
    for stale in ("documents", "relay", "generated", "compiled"):
        shutil.rmtree(FOLDER / stale, ignore_errors=True)
    shutil.copytree(HERE, FOLDER, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(SCHEMA, FOLDER)
    wanted, done = (HERE / "package.json").read_bytes(), FOLDER / "installed.json"  # written last: never half of them
    if not done.exists() or done.read_bytes() != wanted:
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=FOLDER, check=True)
        done.write_bytes(wanted)


if __name__ == "__main__":
    install()
