"""Accounts and service accounts from the command line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def home(migrated_sqlite: Path, tmp_path: Path) -> Path:
    (tmp_path / "graphophone.db").write_bytes(migrated_sqlite.read_bytes())
    return tmp_path


def api(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GRAPHOPHONE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_a_service_account_is_made_disabled_given_a_quota_and_removed(home: Path) -> None:
    made = api(home, "clients", "add", "nightly", "--scope", "jobs:read", "--scope", "jobs:write").stdout
    found = re.search(r"client id +(cli_\w+)\nclient secret +(gpc_\w{36})\n", made)
    assert found
    listed = api(home, "clients").stdout
    assert "jobs:read jobs:write" in listed
    assert found[2] not in listed
    account = re.search(r"usr_\w+", listed)
    assert account
    assert "disabled" in api(home, "users", "disable", account[0]).stdout
    assert "36000 s of audio a month" in api(home, "users", "quota", account[0], "--audio-hours", "10").stdout
    shown = api(home, "users").stdout
    assert re.search(rf"{account[0]} +nightly +member +disabled +36000 s of audio a month", shown)
    assert api(home, "clients", "remove", found[1]).stdout == f"{found[1]} is gone.\n"
    assert "There are none." in api(home, "clients").stdout


def test_what_does_not_exist_is_told_in_one_line(home: Path) -> None:
    for arguments in (("users", "disable", "usr_x"), ("clients", "remove", "cli_x")):
        done = api(home, *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "There is no" in done.stderr
    assert api(home, "clients", "add", "x", "--scope", "everything").returncode == 2
