"""The clients of tus that people use, unmodified, over connections that break."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.api.test_files import speech
from tests.fixtures.servers import Server
from tests.flaky import flaky
from tests.programs.clients.packages import FOLDER, HERE, ROOT

NODE = shutil.which("node")


def run(server: Server, folder: Path, command: list[str], cwd: Path) -> tuple[int, int]:
    """Run a client before connections that break: how many uploads it reports, and how many connections broke."""
    recording = folder / "call.wav"
    recording.write_bytes(speech(200))
    with flaky(urlsplit(server.url).port or 0, 500_000, 2_500_000) as proxy:
        environment = os.environ | {
            "GRAPHQL_URL": f"{server.url}/graphql",
            "GRAPHQL_TOKEN": server.token,
            "RECORDING": str(recording),
            "TUS_ENDPOINT": f"http://127.0.0.1:{proxy.port}/uploads",
        }
        ran = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.count(": sent"), proxy.breaks


def test_tuspy_sends_recordings_over_connections_that_break(server: Server, tmp_path: Path) -> None:
    sent, breaks = run(server, tmp_path, [sys.executable, "-m", "tests.programs.clients.python_tus"], ROOT)
    assert sent == 2
    assert breaks > 3


@pytest.mark.skipif(
    NODE is None or not (FOLDER / "node_modules" / "tus-js-client").is_dir(),
    reason="Node.js or the npm package tus-js-client is not on this machine: `make clients` fetches it",
)
def test_tus_js_client_and_uppy_send_recordings_over_connections_that_break(server: Server, tmp_path: Path) -> None:
    program = FOLDER / "tus.mjs"
    shutil.copy(HERE / program.name, program)
    sent, breaks = run(server, tmp_path, [str(NODE), str(program)], FOLDER)
    assert sent == 5
    assert breaks > 8
