"""Runs the clients that people use against a server, each as a small real program.

    python -m tests.programs.clients.run [name …]

The server has all its processes and a fake engine. Needs Node and npm.
"""

import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

from tests.fixtures.servers import running
from tests.programs.clients.packages import FOLDER, PROGRAMS, ROOT, install

NODE = ("audit", "graphql-ws", "graphql-sse", "apollo", "urql", "openai")
README = ["-m", "pytest", "-n0", "-q", "tests/test_readme.py", "-k", "client"]
COMMANDS = {
    "readme": [[sys.executable, *README]],
    "gql": [[sys.executable, "-m", "tests.programs.clients.python_gql"]],
    "tuspy": [[sys.executable, "-m", "tests.programs.clients.python_tus"]],
    "tus": [["node", "tus.mjs"]],
    "tus-answers": [[sys.executable, "-m", "tests.programs.clients.tus_answers"]],
    "sign-in": [[sys.executable, "-m", "pytest", "-n0", "-q", "tests/auth/test_real_provider.py"]],
    **{name: [["node", f"{name}.mjs"]] for name in NODE},
    "relay": [[str(PROGRAMS / "relay-compiler"), "relay.config.json"]],
    "typescript": [
        [str(PROGRAMS / "graphql-codegen"), "--config", "codegen.json", "--silent"],
        [str(PROGRAMS / "tsc"), "--noEmit"],
        [str(PROGRAMS / "tsc")],
        ["node", "compiled/typed.js"],
    ],
}


def recording(folder: Path) -> Path:
    """A minute, in which the fake engine hears two sentences by two speakers."""
    file = folder / "call.wav"
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, 16_000, 0, "NONE", ""))
        opened.writeframes(bytes(2 * 16_000 * 60))
    return file


def main(names: list[str]) -> int:
    """1 when a client fails."""
    install()
    failed = []
    with tempfile.TemporaryDirectory() as home, running(Path(home)) as server:
        environment = os.environ | {
            "GRAPHQL_URL": f"{server.url}/graphql",
            "GRAPHQL_TOKEN": server.token,
            "RECORDING": str(recording(Path(home))),
            "GRAPHOPHONE_CLIENTS": str(FOLDER),
        }
        for name in names or COMMANDS:
            for command in COMMANDS[name]:
                folder = ROOT if command[0] == sys.executable else FOLDER
                if subprocess.run(command, cwd=folder, env=environment, check=False, timeout=120).returncode:
                    failed.append(name)
                    break
    print(f"failed: {', '.join(failed)}" if failed else "all clients ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
