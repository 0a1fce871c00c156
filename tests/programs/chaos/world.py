"""Everything that runs while it is being broken: databases, Valkey behind a proxy, workers, web, clients."""

import asyncio
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.accounts import owners
from db.accounts.owners import LOCAL_OWNER
from db.migrate import upgrade
from tasks.system.processes import dies_with_parent
from tasks.wakeups import valkey
from tests.fixtures.databases import Postgres
from tests.fixtures.workers import Crew, Worker
from tests.programs.chaos.proxy import Proxy
from tests.programs.chaos.watcher import Watcher

OWNERS = (LOCAL_OWNER, "usr_other")
TOKEN = "a-token-for-the-time-being"
SHORT, LONG = 30.0, 540.0


class World:
    """The parts, and how to break and mend each."""

    def __init__(self, folder: Path, kind: str, rng: random.Random, settings: dict[str, str]) -> None:
        self.folder, self.kind, self.rng = folder, kind, rng
        self.postgres: Postgres | None = None
        if kind == "postgres":
            (folder / "pg").mkdir()
            (folder / "pg").chmod(0o711)
            self.postgres = Postgres(folder / "pg", durable=True)
            url = self.postgres.url(self.postgres.create())
        else:
            url = f"sqlite+aiosqlite:///{folder}/chaos.db"
            upgrade(url)
        self._redis_home = folder / "redis"
        self._lock = valkey.lock(self._redis_home)
        self.valkey = valkey.start(self._redis_home)
        self.proxy = Proxy(folder / "proxy.sock", valkey.socket_path(self._redis_home), rng)
        self.crew = Crew(folder, url, f"unix://{folder}/proxy.sock", settings)
        self.speech: list[Worker] = []
        self.port = _free_port()
        self.web: subprocess.Popen[bytes] | None = None
        self.watchers: dict[str, tuple[Watcher, asyncio.Task[None]]] = {}

    async def open(self, workers: int) -> None:
        """Starts everything."""
        await self.proxy.start()
        for owner in OWNERS:
            async with self.crew.db.write() as session:
                await owners.ensure(session, owner)
        self.start_web()
        self.speech = list(await asyncio.gather(*(self.crew.start("speech") for _ in range(workers))))
        await self.crew.start("io")

    async def close(self) -> None:
        """Ends everything."""
        for _, task in self.watchers.values():
            task.cancel()
        if self.web:
            self.web.kill()
            self.web.wait()
        await self.crew.close()
        await self.proxy.close()
        valkey.stop(self.valkey)
        self._lock.close()
        if self.postgres:
            self.postgres.stop()

    def start_web(self) -> None:
        """The web process; it takes a while to answer, and clients have to bear with that."""
        with (self.folder / "web.log").open("ab") as log:
            self.web = subprocess.Popen(
                [sys.executable, "-m", "api", "serve"],
                env=self.crew.environment | {"GRAPHOPHONE_PORT": str(self.port), "GRAPHOPHONE_TOKEN": TOKEN},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dies_with_parent(),
            )

    def watch(self, job_id: str) -> None:
        """A client opens a subscription."""
        watcher = Watcher(self.port, TOKEN, job_id)
        self.watchers[job_id] = watcher, asyncio.create_task(watcher.watch())

    def restart_valkey(self) -> None:
        """`kill -9`, and a new server on the same files."""
        self.valkey.kill()
        self.valkey.wait()
        self.valkey = valkey.start(self._redis_home)

    def replace(self, dead: Worker) -> None:
        """A new worker for a dead one, as a supervisor does."""
        index = self.speech.index(dead)
        self.speech[index] = self.crew.launch("speech")


@contextmanager
def a_folder() -> Iterator[Path]:
    """Short, because of sockets, and gone afterwards."""
    base = Path(os.environ.get("TMPDIR", "/tmp"))
    folder = base / f"chaos-{os.getpid()}-{random.randrange(1 << 20):x}"
    folder.mkdir()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
