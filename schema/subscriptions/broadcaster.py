"""The newest events of a subject, read once for all who follow it, however many they are.

One reader hears the wake-ups. It reads what was recorded, then wakes the followers, who find the events in memory. A
follower is a number or two, so the slowest costs no more than the quickest; who has fallen behind reads the log.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
import structlog

from db import models
from db.domain.clock import now
from db.domain.states import TERMINAL
from db.domain.values import JobState
from db.store.session import Database, DatabaseDown
from schema.subscriptions.entries import Event, JobEvent, Moved, Progressed, Subject
from schema.subscriptions.event_log import EventLog
from tasks.wakeups.live import Lagged, Live, Progress, Signal

KEPT = 256
"""So many events stay in memory."""

PROGRESS_SECONDS = 0.25
"""At most four percentages a second for each job."""

_log = structlog.get_logger(__name__)


class Percentage(NamedTuple):
    """The newest one of a job, and its number since the job last moved."""

    number: int
    event: Progressed


class EventBuffer:
    """The end of a log, read up to number `upto`; `jobs` are as the events up to number `last` leave them."""

    def __init__(self, live: Live, owner_id: str, log: EventLog) -> None:
        self._live, self._owner_id, self._log = live, owner_id, log
        self._events: deque[Event] = deque()
        self._start = 0
        self._pending: dict[str, Progress] = {}
        self._skipped: Counter[str] = Counter()
        self._sent: dict[str, tuple[float, float]] = {}  # job -> when, and how far it was
        self._notifications = asyncio.Event()
        self._ready = asyncio.Event()
        self.upto = self.last = 0
        self.jobs: dict[str, models.Job] = {}
        self.percentages: dict[str, Percentage] = {}
        self.gone = False  # the job was deleted
        self.fault: Exception | None = None

    async def run(self) -> None:
        """Read whenever there may be something new, until cancelled."""
        try:
            async with self._live.subscribe(self._owner_id) as signals:
                await self._begin()
                async for signal in signals:
                    await self._hear(signal)
        except Exception as fault:  # noqa: BLE001  those who follow must not wait for ever
            self.fault = fault
        self._ready.set()
        self._tell()

    async def ready(self) -> None:
        """Wait until there is something to follow."""
        await self._ready.wait()

    async def notifications(self) -> None:
        """Wait for anything new."""
        await self._notifications.wait()

    def behind(self, number: int) -> list[Event] | None:
        """Return the events behind this number; None when some of them are no longer in memory."""
        if number < self._start:
            return None
        newest = []
        for event in reversed(self._events):
            if event.number <= number:
                break
            newest.append(event)
        return newest[::-1]

    def _tell(self) -> None:
        self._notifications.set()
        self._notifications.clear()

    async def _hear(self, signal: Signal) -> None:
        if isinstance(signal, Lagged):
            self._skipped[signal.job_id] += signal.skipped
        elif isinstance(signal, Progress):
            self._pending[signal.job_id] = signal
        else:
            await self._read()
        self._progress()

    # ------------------------------------------------------------ what is recorded

    async def _begin(self) -> None:
        while not self._ready.is_set():
            try:
                head = await self._log.head()
            except DatabaseDown as error:
                _log.warning("events.database_down", error=str(error))
                await asyncio.sleep(1.0)
                continue
            self._start, self.jobs, self.gone = (0, {}, True) if head is None else (*head, False)
            self.upto = self.last = self._start
            self._ready.set()

    async def _read(self) -> None:
        """Return what is new. While the database is away that is nothing; the next poll asks again."""
        try:
            newest = await self._log.newest()
            if newest is None:
                self.gone = True
                self._tell()
                return
            self.last, job = newest
            self.jobs |= job
            while self.upto < self.last:
                page = await self._log.read(self.upto, self.last, self.jobs)
                self._keep(page.events)
                self.upto = page.upto
                self._tell()
        except DatabaseDown as error:
            _log.warning("events.database_down", error=str(error))

    def _keep(self, events: list[Event]) -> None:
        for event in events:
            if len(self._events) == KEPT:
                self._start = self._events.popleft().number
            self._events.append(event)
            if not isinstance(event, JobEvent):
                continue
            self.jobs[event.job.id] = event.job
            if event.job.state in TERMINAL and self._log.subject.kind == "viewer":
                del self.jobs[event.job.id]
            if isinstance(event, Moved):
                for of_job in (self._pending, self._skipped, self._sent, self.percentages):
                    of_job.pop(event.job.id, None)

    # ------------------------------------------------------------ what only travels live

    def _progress(self) -> None:
        """Tell the newest percentages, but for jobs of which one was told just now: those are kept for a while."""
        due = [
            latest
            for job_id, latest in self._pending.items()
            if time.monotonic() - self._sent.get(job_id, (0.0, 0.0))[0] >= PROGRESS_SECONDS
        ]
        for latest in due:
            del self._pending[latest.job_id]
            skipped = self._skipped.pop(latest.job_id, 0)
            job, reached = self.jobs.get(latest.job_id), self._sent.get(latest.job_id, (0.0, 0.0))[1]
            if job and job.state is JobState.RUNNING and latest.progress >= max(reached, job.progress):
                self._sent[job.id] = (time.monotonic(), latest.progress)
                before = self.percentages[job.id].number if job.id in self.percentages else 0
                self.percentages[job.id] = Percentage(before + skipped + 1, self._progressed(job, latest))
                self._tell()

    def _progressed(self, job: models.Job, latest: Progress) -> Progressed:
        return Progressed(
            number=self.upto,
            cursor=self._log.cursor(self.upto),
            at=now(),
            job=_at(job, latest),
            stage=latest.stage,
            progress=latest.progress,
            stage_progress=latest.stage_progress,
            eta_seconds=latest.eta_seconds,
        )


def _at(job: models.Job, progress: Progress) -> models.Job:
    """Return the job's row with what only travels live."""
    changed = models.Job(**{name: getattr(job, name) for name in models.Job.model_fields})
    changed.stage, changed.progress, changed.eta_seconds = progress.stage, progress.progress, progress.eta_seconds
    changed.stages = [
        msgspec.structs.replace(report, progress=progress.stage_progress) if report.stage is progress.stage else report
        for report in job.stages
    ]
    return changed


class Broadcaster:
    """The event buffers of a process: each there while somebody follows it."""

    def __init__(self, db: Database, live: Live) -> None:
        self._db, self._live = db, live
        self._followed: dict[tuple[str, Subject], tuple[EventBuffer, asyncio.Task[None]]] = {}
        self._followers: Counter[tuple[str, Subject]] = Counter()

    def followers(self, owner_id: str, subject: Subject) -> int:
        """Count those in this process who follow a subject."""
        return self._followers[owner_id, subject]

    @asynccontextmanager
    async def follow(self, owner_id: str, subject: Subject) -> AsyncIterator[EventBuffer]:
        """Return the event buffer of a job, or of all of an owner's, once it can be followed."""
        key = owner_id, subject
        self._followers[key] += 1
        try:
            if key not in self._followed:
                buffer = EventBuffer(self._live, owner_id, EventLog(self._db, owner_id, subject))
                self._followed[key] = buffer, asyncio.create_task(buffer.run())
            buffer, _ = self._followed[key]
            await buffer.ready()
            yield buffer
        finally:
            self._followers[key] -= 1
            if not self._followers[key]:
                del self._followers[key]
                _, task = self._followed.pop(key)
                task.cancel()
                await asyncio.wait({task})
