"""A subscription stream: recorded events in order, then live ones; no gap and no repeat."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import msgspec
import structlog

from db import models
from db.domain.clock import now
from db.domain.errors import CursorExpired, NotFound
from db.domain.states import TERMINAL
from db.store.session import DatabaseDown
from schema.base.context import Context
from schema.subscriptions.broadcaster import EventBuffer
from schema.subscriptions.entries import Deleted, Event, ExportReported, Lagged, Moved, Snapshot, Subject
from schema.subscriptions.event_log import EventLog
from tasks.wakeups.live import LAG, POLL_SECONDS

_log = structlog.get_logger(__name__)


class SubscriptionStream:
    """One reader's place in the events of a job, of a transcript, or of everything that the viewer has."""

    def __init__(self, context: Context, subject: Subject) -> None:
        self._broadcaster, self._owner_id, self._subject = context.broadcaster, context.owner_id, subject
        self._sees_exports = context.may("exports:read")
        self._log = EventLog(context.db, context.owner_id, subject)
        self._number = 0
        self._jobs: dict[str, models.Job] = {}
        self._seen: dict[str, int] = {}  # job -> percentages, sent or left out

    async def open(self, after: str | None) -> None:
        """Find the place to start from. Raises NotFound, InvalidInput and CursorExpired."""
        head = await self._log.head()
        if head is None:
            raise NotFound(self._subject.kind, self._subject.id)
        last, self._jobs = head
        self._number = last if after is None else self._log.place(after)
        if self._number > last:
            raise CursorExpired("This cursor is ahead of all events; subscribe again without one.")
        if after is not None:
            await self._log.check(self._number)

    async def stream(self) -> AsyncGenerator[Event]:
        """Return the jobs as they stand, what was recorded since, and whatever happens until nothing more can."""
        async with self._broadcaster.follow(self._owner_id, self._subject) as buffer:
            self._seen = {id_: told.number for id_, told in buffer.percentages.items()}
            cursor = self._log.cursor(self._number)
            for job in self._jobs.values():
                yield Snapshot(number=self._number, cursor=cursor, at=now(), job=job)
            while not buffer.gone:
                if buffer.fault is not None:
                    raise buffer.fault
                if self._number < buffer.upto:
                    for event in await self._recorded(buffer):
                        yield event
                        if isinstance(event, Deleted) and self._subject.kind == "transcript":
                            return
                elif told := self._percentages(buffer):
                    for event in told:
                        yield event
                elif self._number >= buffer.last and self._over(buffer):
                    return
                else:  # nothing was waited for since all of this was looked at, so no notification can be lost
                    await buffer.notifications()

    async def _recorded(self, buffer: EventBuffer) -> Sequence[Event]:
        """Yield the next events. A subscription outlives an outage of the database."""
        found, upto = buffer.behind(self._number), buffer.upto
        if found is None:
            try:
                page = await self._log.read(self._number, upto, buffer.jobs)
            except DatabaseDown as error:
                _log.warning("events.database_down", error=str(error))
                await asyncio.sleep(POLL_SECONDS)
                return ()
            found, upto = page.events, page.upto
        self._number = upto
        for event in found:
            if isinstance(event, Moved):
                self._seen.pop(event.job.id, None)
                self._jobs.pop(event.job.id, None)
        return found if self._sees_exports else [one for one in found if not isinstance(one, ExportReported)]

    def _percentages(self, buffer: EventBuffer) -> Sequence[Event]:
        """Return the newest percentage of each job, and how many were left out, if many were."""
        told: list[Event] = []
        for job_id, (number, heard) in buffer.percentages.items():
            event = heard
            skipped = number - self._seen.get(job_id, 0) - 1
            if skipped < 0:
                continue
            self._seen[job_id] = number
            if event.number != self._number:  # it was heard before the last events that this reader has seen
                event = msgspec.structs.replace(event, number=self._number, cursor=self._log.cursor(self._number))
            if skipped >= LAG:
                told.append(Lagged(number=self._number, cursor=event.cursor, at=now(), job=event.job, skipped=skipped))
            if job_id not in self._jobs or event.progress >= self._jobs[job_id].progress:  # the snapshot may be newer
                told.append(event)
        return told

    def _over(self, buffer: EventBuffer) -> bool:
        return self._subject.kind == "job" and buffer.jobs[self._subject.id].state in TERMINAL
