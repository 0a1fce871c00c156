"""Runs the clients that people use against the endpoint, each as a small real program.

    python -m tests.clients.run [name …]

Needs Node and npm: the packages are installed into a folder of their own outside of the project, once.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.serve import Served
from tests.toy import TOKEN, application

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("GRAPHOPHONE_CLIENTS", Path(tempfile.gettempdir()) / "graphophone-clients"))
NODE = ("audit", "graphql-ws", "graphql-sse", "apollo", "urql")


def install() -> None:
    """The npm packages, where they are not there yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in HERE.glob("*.mjs"):
        shutil.copy(path, FOLDER)
    wanted, there = HERE / "package.json", FOLDER / "package.json"
    if not there.exists() or there.read_bytes() != wanted.read_bytes() or not (FOLDER / "node_modules").exists():
        shutil.copy(wanted, there)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=FOLDER, check=True)


def main(names: list[str]) -> int:
    """1 when a client fails."""
    install()
    failed = []
    with tempfile.TemporaryDirectory() as uploads, Served(application(Path(uploads))) as served:
        environment = {**os.environ, "GRAPHQL_URL": served.url, "GRAPHQL_TOKEN": TOKEN}
        commands = {name: (["node", f"{name}.mjs"], FOLDER) for name in NODE}
        commands["gql"] = ([sys.executable, "-m", "tests.clients.python_gql"], HERE.parent.parent)
        for name in names or commands:
            command, folder = commands[name]
            if subprocess.run(command, cwd=folder, env=environment, check=False, timeout=120).returncode:
                failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all clients ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
