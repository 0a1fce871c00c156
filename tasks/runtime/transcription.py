"""A job, run: claim the best one, follow the engine's updates, store what they tell, end it."""

import asyncio
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog

from db import transcripts
from db.domain.clock import now
from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.domain.values import ErrorCode, Problem, Provenance, Stage, StageReport, StageState
from db.jobs import attempts
from db.models import Job
from db.queue import cleanups, leases
from db.queue.leases import Lease
from tasks.media.files import new_file
from tasks.pipeline import types as t
from tasks.runtime.attempts import Attempt
from tasks.runtime.context import Runtime
from tasks.runtime.handlers import Handler
from tasks.runtime.heartbeat import StopReason
from tasks.runtime.job_observer import JobObserver
from tasks.runtime.outcomes import backoff, problem_of
from tasks.runtime.progress import JobProgress, interrupted
from tasks.runtime.stopping import EngineStopper
from tasks.speech.child import Ready, Reply, Stopped, Task
from tasks.speech.process import EngineLost
from tasks.wakeups.live import Progress

PROGRESS_SECONDS = 0.25
"""At most four percentages a second leave a job."""

_log = structlog.get_logger(__name__)


class Transcription(Attempt[Job]):
    """One attempt at one job."""

    def __init__(self, runtime: Runtime, job: Job, lease: Lease) -> None:
        super().__init__(runtime, job, lease)
        self._runtime = runtime
        self._job = job
        self._lease = lease
        self._stages = {report.stage: report for report in job.stages}
        self._problems = list(job.problems)
        self._progress = JobProgress(job.stages)
        self._published = 0.0
        self._stopper = EngineStopper(runtime)
        self._observed = JobObserver()

    async def work(self) -> None:
        """Run the job and record how it ended, in a folder of its own. Raises LeaseLost and DatabaseDown."""
        self.scratch: Path = self._runtime.scratch.make(f"{self._job.id}.{self._lease.fence}")
        try:
            await self._to_the_end()
        finally:
            await asyncio.to_thread(shutil.rmtree, self.scratch, ignore_errors=True)

    def budget(self) -> float:
        """Return how long the running stage may go without any progress."""
        return self._runtime.settings.budget(self._running_stage())

    def position(self) -> dict[str, Any]:
        """Return how far the job is."""
        return {"progress": self._progress.fraction, "eta_seconds": self._progress.eta_seconds}

    async def press(self, reason: StopReason, waited: float) -> bool:
        """Make the engine leave off; the attempt follows it to its end."""
        await self._stopper.press(reason, waited)
        return False

    async def clear(self) -> None:
        """End the engine: what it still says of this work must not be taken for the next."""
        await self._runtime.engine.end()

    async def hand_back(self) -> None:
        """Record that the work left off before its end."""
        await self.stopped()

    async def failed(self, error: Exception) -> None:
        """Record a fault outside of the engine."""
        await self._fail(problem_of(error))

    async def _to_the_end(self) -> None:
        task = Task(await self._work(), {"job_id": self._job.id, "correlation_id": self._job.correlation_id})
        if self.keeper.reason in {StopReason.CANCEL, StopReason.DRAIN}:  # before there was an engine to stop
            await self.stopped()
            return
        self.keeper.note_life()
        try:
            async for reply in self._runtime.engine.run(task):
                await self._follow(reply)
                self.keeper.note_life()
        except EngineLost as lost:
            await self._lost(lost)

    # ------------------------------------------------------------ what goes in

    async def _work(self) -> t.Work:
        async with self._runtime.db.write() as session:
            await transcripts.trim(session, self._lease, self._job.windows)
            media = await attempts.media_of(session, self._lease, self._job.media_id)
            transcript, segments, speakers = await transcripts.stored(session, self._lease)
        if media.blob_key is None:
            raise LeaseLost("the recording is gone")
        source = await self._runtime.blobs.local_path(media.blob_key, self.scratch)
        if not source.exists():
            raise FileNotFoundError(media.blob_key)
        for name, key in self._job.checkpoints.items():
            with suppress(FileNotFoundError):  # it only saves work
                await self._runtime.blobs.fetch(key, self.scratch / name)
        done = tuple(stage for stage, report in self._stages.items() if report.state is StageState.DONE)
        return t.Work(
            source=str(source),
            scratch=str(self.scratch),
            options=self._job.options,
            max_seconds=self._runtime.settings.max_duration,
            resume=t.Resume(
                stages=done,
                windows=self._job.windows,
                language=transcript.language if transcript else None,
                language_confidence=transcript.language_confidence if transcript else None,
                segments=tuple(segments),
                speakers=tuple(speakers),
            ),
        )

    # ------------------------------------------------------------ what comes out

    async def _follow(self, reply: Reply) -> None:  # noqa: C901, PLR0912  one branch for each kind of update
        """Store what an update tells."""
        db, lease = self._runtime.db, self._lease
        match reply:
            case t.StageStarted(stage):
                await self._report(stage, state=StageState.RUNNING, progress=0.0, started_at=now(), finished_at=None)
            case t.Progressed(stage, fraction):
                await self._tell(stage, fraction)
            case t.LanguageDetected(language, confidence):
                async with db.write() as session:
                    await transcripts.set_language(session, lease, language, confidence)
            case t.WindowTranscribed(windows, segments):
                async with db.write() as session:
                    await transcripts.append(session, lease, segments, windows=windows, **self.position())
            case t.SegmentsRevised(stage, segments, removed):
                async with db.write() as session:
                    await transcripts.revise(session, lease, stage, segments, removed, **self.position())
            case t.SpeakersFound(speakers):
                async with db.write() as session:
                    await transcripts.set_speakers(session, lease, speakers)
            case t.StageFinished(stage, seconds, problem):
                await self._report(stage, state=StageState.DONE, seconds=seconds, problem=problem)
            case t.StageSkipped(stage):
                await self._report(stage, state=StageState.SKIPPED)
            case t.StageFailed(stage, seconds, problem):
                await self._report(stage, state=StageState.FAILED, seconds=seconds, problem=problem)
            case t.Completed(provenance):
                await self._persist(provenance)
            case t.Failed(problem):
                await self._fail(problem)
            case Stopped():
                await self.stopped()
            case t.CheckpointSaved(_, name):
                await self._keep(name)
            case t.Probed(facts):
                self._observed.seconds = facts.duration_seconds
            case Ready():
                pass

    async def _report(
        self, stage: Stage, *, problem: Problem | None = None, **changes: StageState | float | None
    ) -> None:
        report = msgspec.structs.replace(self._stages.get(stage, StageReport(stage=stage)), problem=problem, **changes)
        if report.state is not StageState.RUNNING:
            over = 1.0 if report.state is not StageState.SKIPPED else 0.0
            report = msgspec.structs.replace(report, finished_at=now(), progress=over)
            self._progress.advance(stage, 1.0)
        self._stages[stage] = report
        self._observed.stage(report)
        if problem is not None:
            self._problems.append(problem)
        async with self._runtime.db.write() as session:
            await attempts.report(
                session, self._lease, list(self._stages.values()), report, problems=self._problems, **self.position()
            )
        _log.info("job.stage", stage=stage, state=report.state, seconds=report.seconds)

    async def _keep(self, name: str) -> None:
        """Store a checkpoint under a key of this lease's own, and let the job point to it while the lease holds."""
        key = f"jobs/{self._job.id}/{self._lease.fence}/{name}"
        before = self._job.checkpoints.get(name)
        self._job.checkpoints = {**self._job.checkpoints, name: key}
        async with new_file(self._runtime.db, self._runtime.blobs, self._lease.owner_id, key) as adopt:
            await self._runtime.blobs.store(key, self.scratch / name)
            async with self._runtime.db.write() as session:
                await leases.write(session, self._lease, checkpoints=self._job.checkpoints)
                await adopt(session)
                await cleanups.add(session, self._lease.owner_id, [before] if before else [])

    async def _tell(self, stage: Stage, fraction: float) -> None:
        self._progress.advance(stage, fraction)
        if time.monotonic() - self._published < PROGRESS_SECONDS:
            return
        self._published = time.monotonic()
        progress = Progress(
            owner_id=self._lease.owner_id,
            job_id=self._lease.id,
            stage=stage,
            stage_progress=self._progress.of(stage),
            progress=self._progress.fraction,
            eta_seconds=self._progress.eta_seconds,
        )
        self._runtime.live.tell(progress)

    # ------------------------------------------------------------ how it ends

    async def _persist(self, provenance: Provenance) -> None:
        """Record the last stage and the end in one transaction."""
        started = now()
        failed = any(report.state is StageState.FAILED for report in self._stages.values())
        async with self._runtime.db.write() as session:
            await transcripts.complete(session, self._lease, provenance)
            report = StageReport(
                stage=Stage.PERSIST,
                state=StageState.DONE,
                progress=1.0,
                started_at=started,
                finished_at=now(),
                seconds=(now() - started) / 1000,
            )
            self._stages[Stage.PERSIST] = report
            await attempts.report(session, self._lease, list(self._stages.values()), report, progress=1.0)
            await attempts.finish(session, self._lease, Transition.END_PARTIAL if failed else Transition.SUCCEED)
        self._observed.ended("PARTIAL" if failed else "SUCCEEDED")
        _log.info("job.finished", partial=failed)

    async def _fail(self, problem: Problem, *, crashes: int = 0) -> None:
        """Put the job back when the fault may pass, otherwise end it. Raises LeaseLost."""
        again = problem.retryable and self._job.attempt < self._runtime.settings.max_attempts
        again = again and crashes < leases.MAX_CRASHES
        if problem.retryable and not again:
            tried = f"It was tried {self._job.attempt} times; retry it when the cause is gone."
            problem = msgspec.structs.replace(problem, retryable=False, remedy=tried)
        values = {"problems": [*self._problems, problem], "stages": interrupted(self._stages.values(), problem)}
        if crashes:
            values["crashes"] = crashes
        delay = backoff(self._job.attempt)
        async with self._runtime.db.write() as session:
            if again:
                await attempts.put_back(
                    session, self._lease, Transition.RETRY_LATER, delay_ms=round(delay * 1000), **values
                )
            else:
                await attempts.finish(session, self._lease, Transition.FAIL, **values)
        self.outcome = "retried" if again else "failed"
        self._observed.failed(problem)
        if again:
            _log.warning("job.retry_later", code=problem.code, seconds=round(delay, 1))
        else:
            self._observed.ended("FAILED")
            _log.warning("job.failed", code=problem.code, message=problem.message)

    async def stopped(self) -> None:
        """Record that the engine left off for a stop reason. Raises LeaseLost."""
        stages = interrupted(self._stages.values(), None)
        async with self._runtime.db.write() as session:
            if self.keeper.reason is StopReason.CANCEL:
                await attempts.finish(session, self._lease, Transition.CANCEL_RUNNING, stages=stages)
            else:
                await attempts.put_back(session, self._lease, Transition.HAND_BACK, stages=stages)
        canceled = self.keeper.reason is StopReason.CANCEL
        self.outcome = "canceled" if canceled else "handed_back"
        self._observed.ended("CANCELED" if canceled else "QUEUED")
        _log.info("job.stopped", reason=self.keeper.reason)

    async def _lost(self, lost: EngineLost) -> None:
        _log.warning("engine.lost", status=lost.status, reason=self.keeper.reason)
        if self.keeper.reason in {StopReason.CANCEL, StopReason.DRAIN}:
            await self.stopped()
            return
        stage = self._running_stage()
        if self.keeper.reason is StopReason.STUCK:
            code, message = ErrorCode.TIMED_OUT, "A stage made no progress for too long and was stopped."
        else:
            code, message = ErrorCode.WORKER_LOST, "The speech engine's process ended unexpectedly."
        problem = Problem(code=code, message=message, stage=stage, retryable=True, remedy="It is tried again.")
        await self._fail(problem, crashes=self._job.crashes + 1)

    def _running_stage(self) -> Stage | None:
        return next((r.stage for r in self._stages.values() if r.state is StageState.RUNNING), None)


TRANSCRIPTION = Handler(table=Job, attempt=Transcription, journal=attempts.JOURNAL, rescue=attempts.rescue)
