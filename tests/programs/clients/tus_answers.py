"""Puts the same requests to a running server and to npm's `@tus/server`, and prints where the answers differ.

python -m tests.programs.clients.run tus-answers
"""

import os
import subprocess
import sys
import tempfile

import httpx

from tasks.system.processes import dies_with_parent
from tests.api.test_files import speech
from tests.programs.clients.packages import FOLDER
from tests.tus_requests import ASKS, differences, put


def main() -> int:
    """1 when answers differ without a reason that is settled."""
    ours = os.environ["GRAPHQL_URL"].removesuffix("/graphql") + "/uploads"
    token, body, unsettled = {"Authorization": f"Bearer {os.environ['GRAPHQL_TOKEN']}"}, speech(0.1), 0
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
        ["node", "tus_server.mjs", folder, str(4 << 30)], cwd=FOLDER, stdout=subprocess.PIPE, text=True,
        preexec_fn=dies_with_parent(),
    ) as process, httpx.Client(timeout=30) as theirs, httpx.Client(timeout=30, headers=token) as client:  # fmt: skip
        assert process.stdout
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}/uploads"
        found = list(
            differences(lambda ask: put(client, ours, ask, body), lambda ask: put(theirs, endpoint, ask, body))
        )
        process.terminate()
    for ask, mine, other in found:
        print(f"{ask.name}: {mine} | {other} | {ask.differs or 'NOT SETTLED'}")
        unsettled += not ask.differs
    print(f"tus answers: {len(ASKS)} requests, {len(found)} answered otherwise, {unsettled} of them not settled")
    return 1 if unsettled else 0


if __name__ == "__main__":
    sys.exit(main())
