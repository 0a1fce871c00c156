"""What the README says is so: its commands exist, its code runs, its table of settings is the code's."""

import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from pydantic_settings import BaseSettings

from db.webhooks.secrets import new_secret
from tasks.webhooks.sending import headers
from tests.fixtures.servers import Server
from tests.programs.clients.packages import FOLDER

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ROOMS = ("api", "schema", "tasks", "db")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def at(server: Server, code: str) -> str:
    """The code with the address of a running server in place of the default one."""
    return code.replace("127.0.0.1:8000", server.url.removeprefix("http://"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "call.wav"
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, 2, 16_000, 0, "NONE", ""))
        opened.writeframes(bytes(2 * 16_000 * 12))
    return file


def ask(server: Server, document: str, **variables: Any) -> Any:
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": document, "variables": variables},
        headers={"Authorization": f"Bearer {server.token}"},
        timeout=30,
    )
    told = answer.json()
    assert "errors" not in told, told
    return told["data"]


def test_the_query_answers(server: Server) -> None:
    (query,) = [block for block in blocks("graphql") if block.startswith("query")]
    assert ask(server, query)["capabilities"]["version"]


def test_the_mutation_gives_an_address_that_takes_a_recording(server: Server, recording: Path) -> None:
    (mutation,) = [block for block in blocks("graphql") if block.startswith("mutation")]
    told = ask(server, mutation, filename="call.wav", byteSize=recording.stat().st_size)
    url = httpx.URL(server.url).join(told["createUpload"]["upload"]["url"])
    assert "mediaId" in httpx.put(url, content=recording.read_bytes(), timeout=30).json()


def test_the_python_client_prints_what_is_said(server: Server, recording: Path) -> None:
    (code,) = [block for block in blocks("python") if "import gql" in block]
    assert len(code.splitlines()) <= 20
    done = run([sys.executable, "-W", "error", "-c", at(server, code)], recording.parent, TOKEN=server.token)
    assert "Hello there" in done.stdout


def test_the_openai_client_prints_who_says_what(server: Server, recording: Path) -> None:
    (code,) = [block for block in blocks("python") if "import openai" in block]
    done = run([sys.executable, "-W", "error", "-c", at(server, code)], recording.parent, TOKEN=server.token)
    assert done.stdout.startswith("SPEAKER_00 Hello there")


def test_the_receiver_of_webhooks_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    (code,) = [block for block in blocks("python") if "standardwebhooks" in block]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secret, body = new_secret(), '{"type": "job.finished", "data": {"jobId": "job_1"}}'
    environment = os.environ | {"SECRET": secret, "PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as receiver:
        transport = httpx.HTTPTransport(retries=8)  # until it listens
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
            assert client.post("/", content=body, headers=headers("whd_1", body, [secret])).status_code == 204
            with pytest.raises(httpx.RemoteProtocolError):
                client.post("/", content=body, headers=headers("whd_2", body, [new_secret()]))
        receiver.kill()
        assert receiver.stdout
        assert receiver.stdout.read().decode() == "whd_1 job.finished {'jobId': 'job_1'}\n"


def test_the_javascript_client_follows_a_job_to_its_end(server: Server, recording: Path) -> None:
    node = shutil.which("node")
    modules = FOLDER / "node_modules"
    if not node or not (modules / "graphql-ws").is_dir():
        pytest.skip("Node.js or its graphql-ws package is not installed here: `make clients` fetches it")
    job_id = started(server, recording)
    (code,) = blocks("javascript")
    assert len(code.splitlines()) <= 20
    script = modules / f"readme-{os.getpid()}.mjs"  # imports are looked for beside the script
    try:
        script.write_text(at(server, code))
        done = run([node, str(script)], recording.parent, TOKEN=server.token, JOB=job_id)
    finally:
        script.unlink(missing_ok=True)
    assert "SUCCEEDED" in done.stdout


def started(server: Server, recording: Path) -> str:
    """The id of a job, started with one multipart request."""
    operation = {
        "query": "mutation ($f: Upload!) { createJob(input: {source: {file: $f}})"
        " { ... on CreateJobPayload { job { id } } } }",
        "variables": {"f": None},
    }
    answer = httpx.post(
        f"{server.url}/graphql",
        data={"operations": json.dumps(operation), "map": json.dumps({"0": ["variables.f"]})},
        files={"0": (recording.name, recording.read_bytes())},
        headers={"Authorization": f"Bearer {server.token}", "GraphQL-Preflight": "1"},
        timeout=30,
    )
    told = answer.json()
    assert "errors" not in told, told
    job_id: str = told["data"]["createJob"]["job"]["id"]
    return job_id


def run(command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done


def test_every_command_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    help_text = run([sys.executable, "-m", "api", "--help"], ROOT, COLUMNS="200").stdout
    shown = [line for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert shown
    for line in shown:
        words = line.split()
        assert words[2] in targets if words[1] == "make" else f"│ {words[4]} " in help_text, line


def settings() -> list[type[BaseSettings]]:
    """Every class of settings in the code: of the web first, as its users need it."""
    files = [file.relative_to(ROOT) for room in ROOMS for file in sorted((ROOT / room).rglob("settings.py"))]
    modules = [importlib.import_module(".".join(file.with_suffix("").parts)) for file in files]
    found = [(module, thing) for module in modules for thing in vars(module).values() if isinstance(thing, type)]
    return [thing for module, thing in found if issubclass(thing, BaseSettings) and thing.__module__ == module.__name__]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    rows = []
    for room in settings():
        for name, field in room.model_fields.items():
            value = TypeAdapter(Any).dump_json(field.default).decode().strip('"').replace("null", "")
            default = f"`{value}`" if value else ""
            variable = field.validation_alias or f"GRAPHOPHONE_{name.upper()}"
            rows.append(f"| `{variable}` | {default} | {field.description} |")
    table = README.partition("| variable | default | |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert table.strip().splitlines() == rows, "\n".join(["the table should be:", *rows])
