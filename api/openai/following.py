"""A job followed from a request to its end, and what its client hears meanwhile."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from api.http.problems import HttpProblem
from api.openai.errors import JobProblem
from db import jobs, models
from db.domain.errors import Conflict, NotFound
from db.domain.values import ErrorCode, JobState, Problem
from db.transcripts import get, transcript_id
from schema.base.context import Context
from schema.subscriptions.entries import Appended, Event, Subject
from schema.subscriptions.stream import SubscriptionStream
from tasks.documents.document import Document
from tasks.documents.source import load

ENDED_OTHERWISE = frozenset({JobState.FAILED, JobState.CANCELED})


class Following:
    """A request's hold on a job, which may be that of an earlier, equal request whose client came back."""

    def __init__(self, context: Context, job: models.Job, *, reused: bool) -> None:
        self._context, self._job_id = context, job.id
        self._subject = Subject("job", job.id)
        self._reused = reused
        self._ending = reused and (job.cancel_requested or job.state in ENDED_OTHERWISE)

    async def events(self) -> AsyncGenerator[Event]:
        """Yield what happens until the job has ended; one that failed, or that a client gave up, goes on first."""
        async with aclosing(self._once()) as events:
            async for event in events:
                yield event
        if not self._ending:
            return
        context = self._context
        with suppress(Conflict):  # an equal request was quicker, or it came to a good end
            async with context.db.write() as session:
                await jobs.retry(session, context.owner_id, self._job_id, context.queue_limits)
        async with aclosing(self._once()) as events:
            async for event in events:
                yield event

    async def texts(self) -> AsyncGenerator[str]:
        """Yield the text as it is recognised; later stages may still change it."""
        known: set[str] = set()
        if self._reused:  # what was heard before this client came
            for segment in (await self._document()).segments if await self._is_written() else ():
                known.add(segment.key)
                yield segment.text
        async with aclosing(self.events()) as events:
            async for event in events:
                for view in event.segments if isinstance(event, Appended) else ():
                    key = view.id.rpartition("_")[2]
                    if key not in known:
                        known.add(key)
                        yield view.text

    async def outcome(self) -> Document:
        """Return the transcript of the ended job. Raises HttpProblem when there is none."""
        async with self._context.db.read() as session:
            job = await jobs.get(session, self._context.owner_id, self._job_id)
        if job is None:
            raise HttpProblem(409, ErrorCode.CANCELED, "The job was deleted.", headers={"x-should-retry": "false"})
        if job.state is JobState.CANCELED:
            raise JobProblem(Problem(code=ErrorCode.CANCELED, message="The job was cancelled."))
        if job.state is JobState.FAILED:
            unknown = Problem(code=ErrorCode.INTERNAL, message="The job failed.")
            raise JobProblem(job.problems[-1] if job.problems else unknown)
        return await self._document()

    async def abandon(self) -> None:
        """Cancel the job, whose client is gone, unless somebody else follows it."""
        context = self._context
        if context.broadcaster.followers(context.owner_id, self._subject):
            return
        with suppress(Conflict, NotFound):  # it has ended
            async with context.db.write() as session:
                await jobs.cancel(session, context.owner_id, self._job_id)

    async def _once(self) -> AsyncGenerator[Event]:
        stream = SubscriptionStream(self._context, self._subject)
        await stream.open(None)
        async with aclosing(stream.stream()) as events:
            async for event in events:
                yield event

    async def _is_written(self) -> bool:
        async with self._context.db.read() as session:
            return await get(session, self._context.owner_id, transcript_id(self._job_id)) is not None

    async def _document(self) -> Document:
        context, id_ = self._context, transcript_id(self._job_id)
        async with context.db.read() as session:
            found = await get(session, context.owner_id, id_)
        if found is None:
            raise NotFound("transcript", id_)
        return await load(context.db, context.owner_id, id_, found.revision)
