"""Claims, crashes, late writes, cancels and sweeps in any order: what must hold, always holds.

The rules live in SQL, so it is the real statements that run here, beside a model of a few lines that says what they
should do. The clock is ours: leases are judged by the database's, and SQLite lets a connection replace `julianday`.
Wake-ups are no part of it, because nothing depends on them: a claim may come at any time, or not for long.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import event

from db import events, jobs, transcripts
from db.domain.errors import Conflict, LeaseLost
from db.domain.states import TERMINAL, Transition
from db.domain.values import JobState
from db.events import StateChanged
from db.jobs import attempts
from db.models import Job
from db.queue import leases
from db.queue.leases import LEASE_MS, MAX_CRASHES, Lease
from db.store.session import Database
from tests.factories import PLENTY, queued, sentence

T = TypeVar("T")
OWNERS = ("usr_a", "usr_b")
PER_OWNER = 2
ENDS = (Transition.SUCCEED, Transition.END_PARTIAL, Transition.FAIL, Transition.CANCEL_RUNNING)


@dataclass
class Known:
    """What the model knows of a job."""

    owner: str
    priority: int
    order: tuple[int, str]
    state: JobState = JobState.QUEUED
    fence: int = 0
    lease_until: int = 0
    run_after: int = 0
    crashes: int = 0
    attempt: int = 0
    rescued: bool = False
    cancel: bool = False
    keys: list[str] = field(default_factory=list)

    def release(self, state: JobState) -> None:
        self.state, self.fence = state, self.fence + 1


class Machine(RuleBasedStateMachine):
    """What clients, workers, sweepers and the clock may do."""

    folder: Path
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000_000
        self.known: dict[str, Known] = {}
        self.held: list[Lease] = []  # every lease ever given, also those of workers that froze or died
        file = self.folder / "machine.db"
        for old in self.folder.glob("machine.db*"):
            old.unlink()
        shutil.copy(self.template, file)
        self.runner = asyncio.Runner()
        self.database = self.do(self._open(file))

    async def _open(self, file: Path) -> Database:
        database = Database(f"sqlite+aiosqlite:///{file}")

        def ours(connection: Any, _record: Any) -> None:
            connection.create_function("julianday", 1, lambda _now: self.now / 86_400_000 + 2_440_587.5)
            connection.execute("PRAGMA synchronous=OFF").close()

        event.listen(database._engine.sync_engine, "connect", ours)
        assert database._threaded
        runner = database._threaded  # the transactions that go straight to the driver, in a thread of their own
        await asyncio.wrap_future(runner._thread.submit(lambda: ours(runner._open(), None)))
        return database

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def write(self, work: Any, *arguments: Any, **values: Any) -> Any:
        """One transaction."""

        async def run() -> Any:
            async with self.database.write() as session:
                return await work(session, *arguments, **values)

        return self.do(run())

    def under(self, lease: Lease, work: Any, *arguments: Any, **values: Any) -> bool:
        """A worker's write: it succeeds if, and only if, the lease is the row's newest. Tells which."""
        known = self.known.get(lease.id)
        mine = known is not None and known.state is JobState.RUNNING and known.fence == lease.fence
        try:
            self.write(work, lease, *arguments, **values)
        except LeaseLost:
            assert not mine, f"{lease} is the newest, yet it was refused"
            return False
        assert mine, f"{lease} is not the newest, yet it wrote"
        return True

    # ------------------------------------------------------------ clients

    @rule(owner=st.sampled_from(OWNERS), priority=st.integers(0, 2))
    def submit(self, owner: str, priority: int) -> None:
        job = self.do(queued(self.database, owner, priority=priority))
        self.known[job.id] = Known(owner, priority, (job.created_at, job.id))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id_, known = self.pick(data)
        if known.state in TERMINAL:
            with pytest.raises(Conflict):
                self.write(jobs.cancel, known.owner, id_)
            return
        self.write(jobs.cancel, known.owner, id_)
        known.cancel = True
        if known.state is JobState.QUEUED:
            known.release(JobState.CANCELED)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        id_, known = self.pick(data)
        if known.state not in Transition.RETRY.sources:
            with pytest.raises(Conflict):
                self.write(jobs.retry, known.owner, id_, PLENTY)
            return
        self.write(jobs.retry, known.owner, id_, PLENTY)
        known.release(JobState.QUEUED)
        known.crashes = known.attempt = known.run_after = 0
        known.cancel = False

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        id_, known = self.pick(data)
        self.write(jobs.delete, known.owner, id_)
        del self.known[id_]

    # ------------------------------------------------------------ workers

    @rule()
    def claim(self) -> None:
        found = self.do(attempts.claim(self.database, worker="w", per_owner=PER_OWNER))
        best = self.best()
        if best is None:
            assert found is None
            return
        assert found is not None
        job, lease = found
        assert job.id == best
        known = self.known[best]
        known.release(JobState.RUNNING)
        assert lease.fence == known.fence
        known.attempt += 1
        known.rescued, known.lease_until = False, self.now + LEASE_MS
        self.held.append(lease)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = self.lease(data)
        if self.under(lease, leases.renew):
            self.known[lease.id].lease_until = self.now + LEASE_MS

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def store_a_window(self, data: st.DataObject) -> None:
        lease = self.lease(data)
        known = self.known.get(lease.id)
        number = len(known.keys) if known else 0
        key = f"{number:03d}{lease.fence:05d}"
        if self.under(lease, transcripts.append, [sentence(key, number, "word")], windows=number + 1):
            self.known[lease.id].keys.append(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(ENDS))
    def finish(self, data: st.DataObject, how: Transition) -> None:
        lease = self.lease(data)
        if self.under(lease, attempts.finish, how):
            self.known[lease.id].state = how.target

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        how=st.sampled_from([Transition.RETRY_LATER, Transition.HAND_BACK]),
        delay=st.integers(0, 60_000),
    )
    def put_back(self, data: st.DataObject, how: Transition, delay: int) -> None:
        lease = self.lease(data)
        if not self.under(lease, attempts.put_back, how, delay_ms=delay):
            return
        known = self.known[lease.id]
        known.state = JobState.CANCELED if known.cancel else JobState.QUEUED
        if not known.cancel:
            known.run_after = self.now + delay
            known.attempt -= how is Transition.HAND_BACK

    # ------------------------------------------------------------ sweepers, and time

    @rule()
    def sweep(self) -> None:
        lost = [k for k in self.known.values() if k.state is JobState.RUNNING and k.lease_until < self.now]
        assert self.write(attempts.rescue) == len(lost)
        for known in lost:
            known.crashes += 1
            if known.cancel:
                known.release(JobState.CANCELED)
            elif known.crashes >= MAX_CRASHES:
                known.release(JobState.FAILED)
            else:
                known.release(JobState.QUEUED)
                known.rescued = True

    @rule(milliseconds=st.sampled_from([1, 1000, LEASE_MS, LEASE_MS + 1, 60_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    # ------------------------------------------------------------ what always holds

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        rows = self.rows()
        assert rows.keys() == self.known.keys()
        for id_, known in self.known.items():
            row = rows[id_]
            assert (row.state, row.fence, row.crashes, row.attempt, row.windows) == (
                known.state, known.fence, known.crashes, known.attempt, len(known.keys),
            )  # fmt: skip
            assert (row.worker is not None) == (row.lease_until is not None) == (row.state is JobState.RUNNING)

    @invariant()
    def no_owner_runs_more_than_allowed(self) -> None:
        for owner in OWNERS:
            assert self.running(owner) <= PER_OWNER

    @invariant()
    def events_are_numbered_without_gaps_and_tell_every_move(self) -> None:
        for owner in OWNERS:
            told = self.do(self._events(owner))
            of_job: dict[str, JobState | None] = {}
            for happened in told:
                if isinstance(happened.body, StateChanged):
                    assert happened.body.before == of_job.get(happened.job_id)
                    of_job[happened.job_id] = happened.body.after
            assert of_job == {id_: known.state for id_, known in self.known.items() if known.owner == owner}
            numbers = [happened.seq for happened in told]
            assert numbers == sorted(set(numbers))

    def teardown(self) -> None:
        """Nothing is lost: with workers that stay alive, every accepted job comes to its end."""
        self.now += 10**9
        self.sweep()
        for _ in range(len(self.known)):
            found = self.do(attempts.claim(self.database, worker="last", per_owner=1000))
            if found:
                self.write(attempts.finish, found[1], Transition.SUCCEED)
        assert all(row.state in TERMINAL for row in self.rows().values())
        stored = {id_: self.do(self._keys(known.owner, id_)) for id_, known in self.known.items()}
        assert stored == {id_: known.keys for id_, known in self.known.items()}
        self.do(self.database.close())
        self.runner.close()

    # ------------------------------------------------------------ helpers

    def pick(self, data: st.DataObject) -> tuple[str, Known]:
        id_ = data.draw(st.sampled_from(sorted(self.known)))
        return id_, self.known[id_]

    def lease(self, data: st.DataObject) -> Lease:
        return data.draw(st.sampled_from(self.held))

    def running(self, owner: str) -> int:
        return sum(k.owner == owner and k.state is JobState.RUNNING for k in self.known.values())

    def best(self) -> str | None:
        """Rescued first, then the owner with the fewest running, then priority, then age."""
        may = {
            id_: (not k.rescued, self.running(k.owner), -k.priority, k.order)
            for id_, k in self.known.items()
            if k.state is JobState.QUEUED and k.run_after <= self.now and self.running(k.owner) < PER_OWNER
        }
        return min(may, key=lambda id_: may[id_]) if may else None

    def rows(self) -> dict[str, Job]:
        async def read() -> dict[str, Job]:
            async with self.database.read() as session:
                found: dict[str, Job] = {}
                for owner in OWNERS:
                    found |= await jobs.many(session, owner, list(self.known))
                return found

        return self.do(read())

    async def _events(self, owner: str) -> list[events.Recorded]:
        async with self.database.read() as session:
            return await events.after(session, owner, 0, limit=100_000)

    async def _keys(self, owner: str, id_: str) -> list[str]:
        async with self.database.read() as session:
            return [row.key for row in await transcripts.segment_rows(session, owner, transcripts.transcript_id(id_))]


def test_whatever_happens_in_whatever_order_the_invariants_hold(migrated_sqlite: Path, tmp_path: Path) -> None:
    assert sqlite3.sqlite_version_info >= (3, 35)
    Machine.folder, Machine.template = tmp_path, migrated_sqlite
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
