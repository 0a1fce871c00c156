"""The embedded Valkey: private, kept, alone on its folder, and gone with its parent."""

import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tasks.wakeups import valkey


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with valkey.lock(tmp_path / "home"):
        yield tmp_path / "home"


def connect(home: Path) -> Any:
    return redis.Redis(unix_socket_path=str(valkey.socket_path(home)), decode_responses=True)


def test_what_it_holds_survives_a_kill_of_the_server(home: Path) -> None:
    server = valkey.start(home)
    with connect(home) as client:
        client.set("key", "value")
    server.kill()
    server.wait()
    server = valkey.start(home)
    with connect(home) as client:
        assert client.get("key") == "value"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    valkey.stop(server)


def test_it_listens_on_no_port_and_only_its_owner_may_use_the_socket(home: Path) -> None:
    server = valkey.start(home)
    assert stat.S_IMODE(valkey.socket_path(home).stat().st_mode) == 0o700
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == "LISTEN"] == []
    valkey.stop(server)


def test_a_folder_whose_path_is_too_long_for_a_socket_gets_a_private_one_elsewhere(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    with valkey.lock(home):
        server = valkey.start(home)
        socket = valkey.socket_path(home)
        assert len(str(socket)) <= valkey.LONGEST_SOCKET_PATH
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        with connect(home) as client:
            assert client.ping()
        valkey.stop(server)
        assert not socket.exists()


def test_a_folder_for_sockets_that_others_may_enter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"graphophone-{tmp_path.stat().st_uid}").mkdir(mode=0o755)
    with pytest.raises(valkey.ValkeyFailed, match="nobody else can enter"):
        valkey.socket_path(tmp_path / ("long" * 30))


def test_a_second_process_on_the_folder_is_refused_and_told_who_holds_it(home: Path) -> None:
    code = f"from pathlib import Path; from tasks.wakeups import valkey; valkey.lock(Path({str(home)!r}))"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"{home} is in use by process {psutil.Process().pid}" in second.stderr


def test_it_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = f"""
        from pathlib import Path
        from tasks.wakeups import valkey
        held = valkey.lock(Path({str(tmp_path)!r}))
        print(valkey.start(held and Path({str(tmp_path)!r})).pid, flush=True)
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        server = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        server.wait(timeout=5)


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    (home / "valkey" / "appendonlydir").mkdir(parents=True)
    (home / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("not a manifest\n")
    with pytest.raises(valkey.ValkeyFailed, match="manifest"):
        valkey.start(home)
