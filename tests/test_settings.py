"""Settings are told from the outside, in one line each when they are wrong."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.http.secrets import access_token
from api.http.settings import AuthSettings, ProviderSettings, ServerSettings
from db.accounts.keys import signing_keys
from db.settings import StoreSettings


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {f"GRAPHOPHONE_{name}": value for name, value in variables.items()}
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "eight thousand", "a valid integer"),
        ("PORT", "65536", "less than or equal to 65535"),
        ("TOKEN", "short", "16 printable ASCII characters or more, without spaces"),
        ("TOKEN", "with spaces in between", "without spaces"),
        ("MAX_UPLOAD_BYTES", "0", "greater than or equal to 1"),
        ("DATABASE_URL", "mysql://root@localhost/x", "postgresql:// or sqlite:///"),
        ("STAGE_TIMEOUT", "-1", "greater than 0"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_variable_and_allowed_values(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    done = command("up", **{"HOME": str(tmp_path / "home"), name: value})
    assert done.returncode == 78
    assert done.stdout == ""
    assert done.stderr.startswith(f"GRAPHOPHONE_{name} is wrong: ")
    assert allowed in done.stderr
    assert done.stderr.count("\n") == 1
    assert value not in done.stderr or value == "0"
    assert not (tmp_path / "home").exists()


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    done = command("token", HOME=str(tmp_path), TOKEN="", PORT="")
    assert done.returncode == 0
    assert len(done.stdout.strip()) > 40


def test_an_address_that_is_taken_stops_the_start_with_one_line(tmp_path: Path) -> None:
    done = command("up", HOME=str(tmp_path), HOST="192.0.2.1", PORT="1", TOKEN="0123456789abcdef")
    assert done.returncode == 1
    assert done.stderr.startswith("GRAPHOPHONE_HOST=192.0.2.1 GRAPHOPHONE_PORT=1 cannot be listened at: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("command_name", "host"), [("up", "0.0.0.0"), ("serve", "::")])
def test_a_server_that_others_can_reach_does_not_start_until_somebody_says_who_may_enter(
    tmp_path: Path, command_name: str, host: str
) -> None:
    done = command(command_name, HOME=str(tmp_path / "home"), HOST=host)
    assert done.returncode == 1
    assert done.stderr.startswith(f"GRAPHOPHONE_HOST={host} can be reached by others")
    assert "set GRAPHOPHONE_TOKEN or GRAPHOPHONE_OIDC" in done.stderr
    assert done.stderr.count("\n") == 1


def test_secrets_come_from_files_too_and_are_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file-0123456789\n")
    assert command("token", HOME=str(tmp_path), TOKEN_FILE=str(file)).stdout == "from-a-file-0123456789\n"
    both = command("token", HOME=str(tmp_path), TOKEN_FILE=str(file), TOKEN="from-the-environment")
    assert both.stdout == "from-the-environment\n"
    missing = command("token", HOME=str(tmp_path), TOKEN_FILE="/nowhere/token")
    assert missing.returncode == 78
    assert (
        missing.stderr == "GRAPHOPHONE_TOKEN_FILE is wrong: /nowhere/token cannot be read: No such file or directory\n"
    )
    key = "k" * 40
    provider = {"name": "corp", "issuer": "https://idp.example", "client_id": "x", "client_secret": "hush-hush"}
    settings = (
        ServerSettings(token=SecretStr(key)),
        AuthSettings(oidc=(ProviderSettings(**provider),)),
        StoreSettings(signing_key=SecretStr(key)),
    )
    shown = repr(settings)
    assert key not in shown
    assert "hush" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC", '[{"name": "corp", "issuer": "http://idp.example", "client_id": "x"}]'),
        ("OIDC", '[{"name": "corp", "issuer": "https://idp.example", "client_id": "x", "secret": "hush"}]'),
        ("SIGNING_KEY", "k" * 32 + " hush"),
    ],
)
def test_a_wrong_secret_or_provider_stops_the_start_without_being_shown(tmp_path: Path, name: str, value: str) -> None:
    done = command("up", **{"HOME": str(tmp_path / "home"), name: value})
    assert done.returncode == 78
    assert done.stderr.startswith(f"GRAPHOPHONE_{name} is wrong: ")
    assert "hush" not in done.stderr


def test_the_token_is_made_once_whoever_asks_first_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    store = StoreSettings(home=tmp_path / "home")
    with ThreadPoolExecutor(16) as pool:
        tokens = set(pool.map(lambda _: access_token(ServerSettings(), store), range(64)))
    assert len(tokens) == 1
    assert stat.S_IMODE((store.home / "token").stat().st_mode) == 0o600
    assert [file.name for file in store.home.iterdir()] == ["token"]
    assert signing_keys(store) == signing_keys(store) != [tokens.pop().encode()]


def test_a_token_file_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    (tmp_path / "token").chmod(0o644)
    assert access_token(ServerSettings(), StoreSettings(home=tmp_path)) == "0123456789abcdef"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_preset_token_is_used_and_not_written_down(tmp_path: Path) -> None:
    done = command("token", HOME=str(tmp_path), TOKEN="preset-0123456789")
    assert done.stdout == "preset-0123456789\n"
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_loads_neither_models_nor_the_web_server() -> None:
    code = "import sys, api.__main__; print([m for m in ('torch', 'uvicorn', 'sqlalchemy', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
