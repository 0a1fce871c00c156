"""`make chaos`: breaks everything for a while, then reads the history. Prints the seed first and the verdict last.

python -m tests.programs.chaos.run [--seconds 600] [--seed N] [--database sqlite] [--workers 3] [--lease 15]
"""

import argparse
import asyncio
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis
from sqlalchemy import select
from sqlmodel import col

from db.domain.clock import now
from db.domain.errors import Conflict, NotFound
from db.domain.states import TERMINAL
from db.domain.values import JobState
from db.events import StateChanged
from db.models import Job
from db.store.session import DatabaseDown
from tasks.wakeups import valkey
from tests.fixtures.workers import Worker
from tests.programs.chaos import history
from tests.programs.chaos.world import LONG, OWNERS, SHORT, World, a_folder

PER_TEN_MINUTES = {
    "kill a worker": 48,
    "kill an engine": 16,
    "freeze a worker": 9,
    "flush Valkey": 12,
    "kill Valkey": 8,
    "crash PostgreSQL": 5,
    "kill the web process": 6,
    "cancel a job": 20,
}
LONG_RUN = 60.0
"""Seconds from which on a rescue must not wait: in a shorter run, all workers may be starting again at once."""

PATIENCE = 180.0
"""Seconds for everything to come to its end once nothing is broken any more."""


@dataclass
class Chaos:
    """One run."""

    world: World
    seconds: float
    lease: float
    rng: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, str] = field(default_factory=dict)
    chunks: dict[str, int] = field(default_factory=dict)
    orphaned: list[tuple[str, int]] = field(default_factory=list)  # a job, and when its worker was killed
    stolen: Counter[str] = field(default_factory=Counter)
    stopping: bool = False
    _frozen: list[Worker] = field(default_factory=list)

    async def run(self) -> list[str]:
        """Breaks things, lets everything come to its end, and returns the breaches."""
        await self.world.open(self.counts["workers"])
        tasks = [asyncio.create_task(self._submit()), asyncio.create_task(self._supervise())]
        await self._havoc()
        self.stopping = True
        await tasks[0]
        await self._settle()
        tasks[1].cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error
        return await self._judge()

    # ------------------------------------------------------------ clients

    async def _submit(self) -> None:
        """Jobs at a rate that the workers can just not keep up with; a client whose answer was lost asks again."""
        while not self.stopping:
            seconds = LONG if self.rng.random() < 0.25 else SHORT
            pace = " ".join(f"pace:{stage}:0.02" for stage in ("transcribe", "align", "embeddings", "diarize"))
            owner = self.rng.choice(OWNERS)
            try:
                job = await self.world.crew.submit(pace, seconds, owner)
            except DatabaseDown:
                self.counts["refused submits"] += 1
                await asyncio.sleep(0.2)
                continue
            self.accepted[job.id], self.chunks[job.id] = owner, round(seconds / SHORT)
            if owner == OWNERS[0] and self.rng.random() < 0.5:
                self.world.watch(job.id)
            await asyncio.sleep(self.rng.uniform(0.1, 1.5))

    async def _supervise(self) -> None:
        """Starts dead workers and a dead web process again."""
        while True:
            for worker in list(self.world.speech):
                if worker.process.poll() is not None:
                    self.world.replace(worker)
            if self.world.web and self.world.web.poll() is not None:
                self.world.start_web()
            await asyncio.sleep(0.3)

    # ------------------------------------------------------------ what is broken

    async def _havoc(self) -> None:
        wanted = {what: max(1, round(n * self.seconds / 600)) for what, n in PER_TEN_MINUTES.items()}
        if self.world.postgres is None:
            del wanted["crash PostgreSQL"]
        plan = [what for what, n in wanted.items() for _ in range(n)]
        self.rng.shuffle(plan)
        deeds: dict[str, Callable[[], Awaitable[bool]]] = {
            "kill a worker": self._kill_a_worker,
            "kill an engine": self._kill_an_engine,
            "freeze a worker": self._freeze_a_worker,
            "flush Valkey": self._flush,
            "kill Valkey": self._kill_valkey,
            "crash PostgreSQL": self._crash_postgres,
            "kill the web process": self._kill_web,
            "cancel a job": self._cancel,
        }
        began = time.monotonic()
        freezes: list[asyncio.Task[None]] = []
        for number, what in enumerate(plan):
            due = began + (number + self.rng.random()) * self.seconds / len(plan)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if what == "freeze a worker":
                freezes.append(asyncio.create_task(self._tally(what, deeds[what])))  # goes on beside the rest
            else:
                await self._tally(what, deeds[what])
        await asyncio.gather(*freezes)

    async def _tally(self, what: str, deed: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + 60
        while not await deed():
            if time.monotonic() > deadline:
                self.counts[f"in vain: {what}"] += 1
                return
            await asyncio.sleep(0.2)
        self.counts[what] += 1

    async def _busy_worker(self) -> tuple[Worker, str] | None:
        """A worker that holds a job, and the job."""
        with suppress(DatabaseDown):
            async with self.world.crew.db.read() as session:
                running = select(col(Job.id), col(Job.worker)).where(col(Job.state) == JobState.RUNNING)
                holders = {str(worker).rpartition(":")[2]: id_ for id_, worker in await session.execute(running)}
            alive = [w for w in self.world.speech if w.process.poll() is None and w not in self._frozen]
            busy = [w for w in alive if str(w.process.pid) in holders]
            if busy:
                worker = self.rng.choice(busy)
                return worker, holders[str(worker.process.pid)]
        return None

    async def _kill_a_worker(self) -> bool:
        found = await self._busy_worker()
        if found is None:
            return False
        found[0].kill()
        self.orphaned.append((found[1], now()))
        return True

    async def _kill_an_engine(self) -> bool:
        found = await self._busy_worker()
        if found is None:
            return False
        with suppress(psutil.Error, ValueError):
            found[0].child.kill()
        return True

    async def _freeze_a_worker(self) -> bool:
        """SIGSTOP until another has its job, and a little longer."""
        found = await self._busy_worker()
        if found is None:
            return False
        worker, job_id = found
        self._frozen.append(worker)
        worker.stop()
        try:
            if not await self._writable():  # frozen with SQLite's only write lock in its hand: nobody could steal
                self.counts["frozen with the lock"] += 1
                return False
            stolen = await self._stolen(job_id, worker)
            await asyncio.sleep(1.0)
        finally:
            worker.signal(signal.SIGCONT)
            self._frozen.remove(worker)
        self.counts["forced steals"] += stolen
        self.stolen[job_id] += 1
        return stolen

    async def _writable(self) -> bool:
        if self.world.postgres is not None:
            return True
        return await asyncio.to_thread(_takes_writes, self.world.folder / "chaos.db")

    async def _stolen(self, job_id: str, worker: Worker) -> bool:
        deadline = time.monotonic() + self.lease + 15
        while time.monotonic() < deadline:
            with suppress(DatabaseDown):
                async with self.world.crew.db.read() as session:
                    row = (await session.execute(select(Job).where(col(Job.id) == job_id))).scalar_one()
                if row.worker is not None and not row.worker.endswith(worker.name):
                    return True
                if row.state in TERMINAL:
                    return False
            await asyncio.sleep(0.2)
        return False

    async def _flush(self) -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(valkey.url(self.world.folder / "redis")) as client:
            await asyncio.to_thread(client.flushall)
            return True
        return False

    async def _kill_valkey(self) -> bool:
        self.world.restart_valkey()
        return True

    async def _crash_postgres(self) -> bool:
        assert self.world.postgres
        self.world.postgres.crash()
        await asyncio.sleep(self.rng.uniform(0.0, 2.0))
        self.world.postgres.start_again()
        return True

    async def _kill_web(self) -> bool:
        assert self.world.web
        self.world.web.kill()
        return True

    async def _cancel(self) -> bool:
        alive = select(Job).where(col(Job.owner_id) == OWNERS[1], col(Job.state).not_in(TERMINAL))
        with suppress(DatabaseDown, Conflict, NotFound):
            async with self.world.crew.db.read() as session:
                rows = (await session.execute(alive)).scalars().all()
            if rows:
                await self.world.crew.cancel(self.rng.choice(rows))
                return True
        return False

    # ------------------------------------------------------------ what came of it

    async def _settle(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(DatabaseDown):
                async with self.world.crew.db.read() as session:
                    states = (await session.execute(select(col(Job.state)))).scalars().all()
                watching = [task for _, task in self.world.watchers.values() if not task.done()]
                if all(state in TERMINAL for state in states) and not watching:
                    return
            await asyncio.sleep(0.5)

    async def _judge(self) -> list[str]:
        found = await history.read(self.world.crew.db, OWNERS, self.accepted)
        found.stolen = self.stolen
        calls = Counter(
            line.split()[0] for line in self.world.crew.log.read_text().splitlines() if " transcribe " in line
        )
        breaches = list(found.breaches(self.accepted, self.chunks, calls))
        for id_, (watcher, _) in self.world.watchers.items():
            told = [str(after) for _, after in found.moves(id_)]
            heard = [*([watcher.first] if watcher.first else []), *watcher.states]
            self.counts["connections of subscribers"] += watcher.connections
            self.counts["subscriptions ended by an outage"] += watcher.outages
            if watcher.errors or heard != told[-len(heard) :] or heard[-1:] != told[-1:]:
                breaches.append(f"{id_}: a subscriber heard {heard} of {told} {watcher.errors[:1]}")
        self.counts |= Counter(f"jobs {row.state}" for row in found.rows.values())
        self.counts["jobs accepted"] = len(self.accepted)
        self.counts["subscribers"] = len(self.world.watchers)
        self.counts["replies dropped"] = self.world.proxy.dropped
        refused = sum(worker.log.read_text().count("job.lease_lost") for worker in self.world.crew.workers)
        self.counts["late writes refused"] = refused
        waits = sorted(self._rescues(found))
        if waits:
            p99 = waits[min(len(waits) - 1, round(0.99 * len(waits)))]
            print(f"run again after kill -9: p50 {waits[len(waits) // 2]:.1f} s, p99 {p99:.1f} s, of {len(waits)}")
            if p99 > self.lease + 5 and self.seconds >= LONG_RUN:
                breaches.append(f"a killed worker's job waited {p99:.1f} s")
        return breaches

    def _rescues(self, found: history.History) -> list[float]:
        """Seconds from a kill until somebody else claimed the job."""
        waits = []
        for id_, killed_at in self.orphaned:
            claims = [
                event.at
                for event in found.told[id_]
                if isinstance(event.body, StateChanged) and event.body.after is JobState.RUNNING
            ]
            after = [at for at in claims if at >= killed_at]
            if after:
                waits.append((after[0] - killed_at) / 1000)
        return waits


def _takes_writes(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=3, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def run(kind: str, seconds: float, *, seed: int, workers: int, lease: float) -> list[str]:
    """One run on one database; prints as it goes, returns the breaches."""
    print(f"{kind}: {seconds:g} s, seed {seed}", flush=True)
    settings = {"LEASE_SECONDS": f"{lease:g}", "JOBS_PER_OWNER": "8", "MAX_ATTEMPTS": "1000"}
    if lease < 10:
        settings |= {"HEARTBEAT_SECONDS": f"{lease / 10:g}", "SWEEP_SECONDS": "0.3"}

    async def go(folder: Path) -> list[str]:
        rng = random.Random(seed)
        world = await asyncio.to_thread(World, folder, kind, rng, settings)
        try:
            chaos = Chaos(world, seconds, lease, rng, Counter(workers=workers))
            breaches = await chaos.run()
        finally:
            await world.close()
        for what, count in sorted(chaos.counts.items()):
            print(f"{count:6d}  {what}")
        return breaches

    with a_folder() as folder:
        breaches = asyncio.run(go(folder))
    for breach in breaches:
        print(f"BREACH {breach}")
    return breaches


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--database", choices=["sqlite", "postgres"], action="append")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--lease", type=float, default=15.0)
    asked = parser.parse_args()
    bad = 0
    for kind in asked.database or ["sqlite", "postgres"]:
        bad += len(run(kind, asked.seconds, seed=asked.seed, workers=asked.workers, lease=asked.lease))
    print(f"seed {asked.seed}: {'BROKEN, ' + str(bad) + ' breaches' if bad else 'nothing lost, nothing done twice'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
