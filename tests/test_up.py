"""`python -m api up`: everything on one machine, and nothing left of it afterwards."""

import signal
import sqlite3
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fixtures.servers import Server
from tests.fixtures.workers import silence

Start = Callable[..., Server]


def family(server: Server) -> dict[str, psutil.Process]:
    """The server's processes by what they do."""
    found: dict[str, psutil.Process] = {}
    for process in psutil.Process(server.process.pid).children(recursive=True):
        try:
            words = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        for name in ("valkey-server", "api serve", "worker speech", "worker io", "tasks.speech.child"):
            if name in words:
                found.setdefault(name, process)  # not its child, which looks like it until it becomes another
    return found


def healthy(server: Server) -> bool:
    return httpx.get(f"{server.url}/healthz", timeout=30).status_code == 200


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_runs_all_parts_and_says_where_and_how_to_get_in(server: Server) -> None:
    assert healthy(server)
    assert {"valkey-server", "api serve", "worker speech", "worker io"} <= family(server).keys()
    assert (server.home / "token").read_text() == server.token
    refused = httpx.post(f"{server.url}/graphql", json={"query": "{ __typename }"})
    assert refused.status_code == 401


def test_the_web_process_is_small_and_has_no_model_library_in_it(server: Server) -> None:
    assert healthy(server)
    web = family(server)["api serve"]
    assert web.memory_info().rss < 150e6
    if sys.platform == "linux":
        assert not [mapped.path for mapped in web.memory_maps() if "torch" in mapped.path]


def test_a_second_start_on_the_same_folder_says_so_and_stops(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "api", "up"],
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{server.home} is in use by process {server.process.pid}" in done.stderr
    assert healthy(server)


def test_two_run_side_by_side_with_nothing_but_their_folders_told_apart(start_server: Start, tmp_path: Path) -> None:
    first, second = start_server(tmp_path / "a"), start_server(tmp_path / "b")
    assert healthy(first)
    assert healthy(second)
    assert first.token != second.token


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_when_asked_to_stop_it_stops_within_ten_seconds_and_leaves_nobody(
    start_server: Start, number: signal.Signals
) -> None:
    server = start_server()
    processes = family(server).values()
    server.process.send_signal(number)
    assert server.process.wait(10) == 0
    assert not [process for process in processes if process.is_running()]


def test_a_kill_of_the_supervisor_takes_everybody_along(start_server: Start) -> None:
    server = start_server()
    processes = list(family(server).values())
    server.process.kill()
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive
    assert healthy(start_server())


@pytest.mark.parametrize("part", ["valkey-server", "api serve", "worker speech", "worker io"])
def test_a_part_that_dies_is_started_again(server: Server, part: str) -> None:
    victim = family(server)[part]
    victim.kill()
    until(lambda: family(server).get(part, victim) != victim)
    assert healthy(server)


def test_an_engine_that_cannot_hear_does_not_hold_up_the_stop(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    recording = tmp_path / "call.wav"
    with wave.open(str(recording), "wb") as opened:
        opened.setparams((1, 2, 16_000, 0, "NONE", ""))
        opened.writeframes(bytes(2 * 16_000 * 12))
    command = [sys.executable, "-m", "api", "transcribe", str(recording), "--prompt", "hang:transcribe"]
    with subprocess.Popen(command, env=server.environment, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr
        while "transcribe: " not in client.stderr.readline():
            assert client.poll() is None
        processes = list(family(server).values())
        assert [process for process in processes if "tasks.speech.child" in process.cmdline()]
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert not [process for process in processes if process.is_running()]
        client.kill()


@pytest.mark.parametrize(("number", "windows", "within"), [(signal.SIGINT, 0, 10), (signal.SIGTERM, 1, 20)])
def test_ctrl_c_hands_a_job_back_at_once_and_sigterm_lets_its_window_be_finished(
    start_server: Start, tmp_path: Path, number: signal.Signals, windows: int, within: float
) -> None:
    server = start_server()
    command = [sys.executable, "-m", "api", "transcribe", str(silence(tmp_path / "call.wav", 540.0))]
    command += ["--prompt", "pace:transcribe:0.7"]  # a window of 240 seconds takes 5.6
    with subprocess.Popen(command, env=server.environment, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr
        while "transcribe: " not in client.stderr.readline():
            assert client.poll() is None
        server.process.send_signal(number)
        assert server.process.wait(within) == 0
        client.kill()
    with closing(sqlite3.connect(server.home / "graphophone.db")) as database:
        [job] = database.execute("SELECT state, attempt, crashes, windows FROM job").fetchall()
    assert job == ("QUEUED", 0, 0, windows)
