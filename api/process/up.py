"""Everything on one machine, from one command: Valkey, migrations, web, speech worker, io worker."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from typing import IO

from api.http.secrets import access_token
from api.http.settings import AuthSettings, ServerSettings
from api.process.address import forget_address, tell_address
from api.process.exposure import Unguarded, check_guarded
from api.process.serve import listen
from api.process.supervisor import Child, Supervisor, Voice
from db.accounts.keys import signing_keys
from db.settings import StoreSettings
from tasks.settings import WorkerSettings
from tasks.system.processes import dies_with_parent
from tasks.wakeups import valkey

STOP_SECONDS = 2.0
"""The seconds that a worker takes to end after it has handed back its work."""


class CannotStart(Exception):
    """Nothing was started; the message says why and what to do, in one line."""


def up(server: ServerSettings, store: StoreSettings, worker: WorkerSettings) -> int:
    """Run everything until Ctrl-C, which is quick, or SIGTERM, upon which workers finish the work that they hold (asked
    twice, they do not); returns the exit code. Raises `CannotStart`.
    """
    try:
        check_guarded(server, AuthSettings())
        with _locked(store), _listener(server) as listener:
            return asyncio.run(_up(server, store, worker, listener))
    except valkey.FolderInUse as error:
        raise CannotStart(f"{error}: stop that one, or set GRAPHOPHONE_HOME to another folder") from None
    except (valkey.ValkeyFailed, Unguarded) as error:
        raise CannotStart(str(error)) from None


async def _up(server: ServerSettings, store: StoreSettings, worker: WorkerSettings, listener: socket.socket) -> int:
    supervisor = Supervisor(Voice(), drain=worker.drain_limit + STOP_SECONDS)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGHUP):  # somebody waits at a terminal, or has left it
        loop.add_signal_handler(number, supervisor.ask_to_stop)
    loop.add_signal_handler(signal.SIGTERM, partial(supervisor.ask_to_stop, patient=True))  # a service manager
    forget_address(store)  # of one that was killed
    token = access_token(server, store)
    signing_keys(store)  # made before two processes ask for it
    environment = os.environ | {
        "GRAPHOPHONE_PORT": str(listener.getsockname()[1]),  # 0 has become a real one
    }
    if supervisor.console.is_terminal:
        environment["FORCE_COLOR"] = "1"  # their output goes through us, but ends on a terminal
    command = partial(_start, environment, piped=supervisor.console.is_terminal)
    try:
        if not worker.redis_url:
            supervisor.keep(Child("valkey", partial(valkey.start, store.home), layer=0))
        if await _finished(command(["migrate"]), supervisor):
            raise CannotStart("The database could not be brought up to date; the lines above say why")
        web = partial(command, ["serve", "--supervised", "--fd", str(listener.fileno())], pass_fds=(listener.fileno(),))
        supervisor.keep(Child("web", web, "cyan"))
        supervisor.keep(Child("speech", partial(command, ["worker", "speech", "--supervised"]), "magenta"))
        supervisor.keep(Child("io", partial(command, ["worker", "io", "--supervised"]), "green"))
        greeting = asyncio.create_task(_greet(listener, store, token, supervisor))
        await supervisor.stopping.wait()
        greeting.cancel()
    finally:
        await supervisor.end()
        forget_address(store)
    return 1 if supervisor.failed else 0


def _locked(store: StoreSettings) -> IO[str]:
    try:
        return valkey.lock(store.home)
    except OSError as error:
        raise CannotStart(f"GRAPHOPHONE_HOME={store.home} cannot be used: {error.strerror or error}") from None


def _listener(server: ServerSettings) -> socket.socket:
    """Return the socket that outlives the web process: while that starts again, clients wait and are not refused."""
    try:
        return listen(server)
    except OSError as error:
        where = f"GRAPHOPHONE_HOST={server.host} GRAPHOPHONE_PORT={server.port}"
        raise CannotStart(f"{where} cannot be listened at: {error.strerror}; choose another") from None


def _start(
    environment: dict[str, str], arguments: list[str], *, piped: bool, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start `python -m api …` so that it ends when we do, whatever ends us."""
    return subprocess.Popen(
        [sys.executable, "-m", "api", *arguments],
        env=environment,
        pass_fds=pass_fds,
        stdin=subprocess.PIPE,  # closes when we end: see `end_with_parent`
        stdout=subprocess.PIPE if piped else None,
        stderr=subprocess.STDOUT if piped else None,
        start_new_session=True,  # a terminal's Ctrl-C is for us, who stop them in order
        preexec_fn=dies_with_parent(),
    )


async def _finished(process: subprocess.Popen[bytes], supervisor: Supervisor) -> int:
    """Return the exit code of a short command, and show its output. Told to stop, it is killed."""
    ended = asyncio.create_task(asyncio.to_thread(process.communicate))
    stopped = asyncio.create_task(supervisor.stopping.wait())
    await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        process.kill()
    output, _ = await ended
    if output:
        supervisor.say(output.decode(errors="replace"))
    return max(process.returncode, 0)


async def _greet(listener: socket.socket, store: StoreSettings, token: str, supervisor: Supervisor) -> None:
    """Say where to go once `/healthz` answers. Only a terminal is told what lets one in: a pipe ends in a log."""
    host, port = _reachable(listener)
    while not await _healthy(host, port):  # noqa: ASYNC110 - another process, which has no event for us
        await asyncio.sleep(0.1)
    address = _address(listener)
    tell_address(store, os.getpid(), address)
    home = store.home.absolute()
    if supervisor.console.is_terminal:
        supervisor.say(f"\nGraphophone is ready.\n  playground  {address}/graphql\n  token       {token}")
        supervisor.say(f"  data        {home}\nCtrl-C stops it.\n")
    else:
        ready = {"event": "ready", "process": "up", "level": "info", "url": address, "data": str(home)}
        supervisor.say(json.dumps(ready))


def _reachable(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - compared, not bound


def _address(listener: socket.socket) -> str:
    host, port = _reachable(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _healthy(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
        finally:
            writer.close()
    except OSError:
        return False
    return b" 200 " in status
