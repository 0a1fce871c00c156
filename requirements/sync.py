"""Make `.venv` hold exactly what a lock file names: `python3 requirements/sync.py dev`.

Needs nothing but Python 3.11 to 3.13. pip installs uv from its own hash lock, uv does the rest (minutes faster), and
pip steps in where uv cannot be had or does not get through. It may be killed at any moment: what says "done" is
written last, an interrupted sync is noticed by the mark that it leaves, and packages are then installed anew from the
cache.
"""

import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "uv" / "bin" / "uv"
MADE = VENV / ".made"
SYNCING = VENV / ".syncing"
SYNCED = VENV / ".synced"

# What pip calls a setting, what uv calls it, and what stands between several values: uv does not read pip's
# configuration, and a company's mirror, proxy or certificate stands there.
PIP_TO_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "cert": ("SSL_CERT_FILE", ""),
    "client-cert": ("SSL_CLIENT_CERT", ""),
    "proxy": ("ALL_PROXY", ""),
}


def main(name: str) -> None:
    """Bring the environment to the lock `requirements/<name>.txt`; does nothing when it is there already."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"setup: Python 3.11, 3.12 or 3.13 is needed, this is {sys.version.split()[0]}")
    lock = LOCKS / f"{name}.txt"
    wanted = f"{name} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    if not is_synced(wanted):
        with folder_locked():
            if not is_synced(wanted):
                sync(lock, wanted)


def is_synced(wanted: str) -> bool:
    """Return True if the last sync was of this very lock and ran to its end, and its interpreter is still there."""
    return SYNCED.is_file() and SYNCED.read_text() == wanted and not SYNCING.exists() and PYTHON.exists()


@contextmanager
def folder_locked() -> Iterator[None]:
    """Two `make` in one checkout do not disturb each other: the second waits, and then finds the work done."""
    folder = os.open(LOCKS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def sync(lock: Path, wanted: str) -> None:
    """Create the environment where it is missing or half made, and install the lock into it."""
    make_venv()
    interrupted = SYNCING.exists()
    SYNCED.unlink(missing_ok=True)
    SYNCING.touch()
    say(
        f"installing the packages of requirements/{lock.name}"
        + (" again: the last set-up was cut off" if interrupted else "")
    )
    settings = pip_settings()
    flags = ["--reinstall"] * interrupted + ["--no-index"] * (settings.get("no-index") in ("1", "true", "yes", "on"))
    uv = [str(UV), "pip", "sync", "--python", str(PYTHON), "--require-hashes", *flags, str(lock)]
    if not (has_uv() and run(uv, uv_environment(settings))):
        say("uv did not get through; going on with pip, which takes longer")
        force = ["--force-reinstall"] if interrupted else []
        pip = [str(PYTHON), "-m", "pip", "install", "--no-deps", "--require-hashes", *force, "-r", str(lock)]
        if not run(pip, dict(os.environ)):
            sys.exit("setup: the packages could not be installed; the lines above say why. Run it again to carry on.")
    temporary = SYNCED.with_suffix(".new")
    temporary.write_text(wanted)
    SYNCING.unlink()
    temporary.replace(SYNCED)


def make_venv() -> None:
    """Make an environment with pip. One that was cut off while being made, or whose Python is gone, is made anew."""
    if MADE.exists() and PYTHON.exists():
        return
    if VENV.is_symlink():
        sys.exit("setup: .venv is a link to an environment that this set-up did not make; remove the link")
    say("creating .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    if not run([sys.executable, "-m", "venv", str(VENV)], dict(os.environ)):
        sys.exit(
            "setup: this Python cannot make environments; install its venv module (Debian: apt install python3-venv)"
        )
    MADE.touch()


def has_uv() -> bool:
    """Return True if uv is there, after an attempt to install it beside the packages (a sync would remove it there)."""
    lock = LOCKS / "uv.txt"
    made = UV.parent.parent / ".made"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if made.is_file() and made.read_text() == digest:
        return True
    shutil.rmtree(UV.parent.parent, ignore_errors=True)
    target = ["--no-deps", "--require-hashes", "--target", str(UV.parent.parent)]
    if not run(
        [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", *target, "-r", str(lock)],
        dict(os.environ),
    ):
        return False
    made.write_text(digest)
    return True


def pip_settings() -> dict[str, str]:
    """Return what the user told pip, in its files or by PIP_* variables; the later line of `pip config list` counts."""
    listed = subprocess.run([PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    pairs = [line.partition("=") for line in listed.splitlines() if "=" in line]
    ranks = {"global": 0, "install": 1, ":env:": 2}
    ranked = sorted(
        (ranks[where], key, value)
        for name, _, value in pairs
        for where, _, key in [name.rpartition(".")]
        if where in ranks
    )
    return {key: str(ast.literal_eval(value)) for _, key, value in ranked}


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv: pip's settings under uv's names, behind whatever the user has already told uv."""
    told = {uv: joint.join(settings[pip].split()) for pip, (uv, joint) in PIP_TO_UV.items() if settings.get(pip)}
    # pip looks for a version in all indexes and trusts the machine's certificates; with hashes, the first is no risk.
    habits = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "1"}
    return habits | told | dict(os.environ)


def run(command: list[str], environment: dict[str, str]) -> bool:
    """Run a command with its output shown; False when it failed. An interrupt ends the set-up, too."""
    try:
        return subprocess.run(command, env=environment, check=False).returncode == 0
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run it again to carry on")
    except OSError:
        return False


def say(line: str) -> None:
    """Tell the user what takes time now."""
    print(f"setup: {line}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["dev"])
