"""A job, run: claim the best one, follow the engine's updates, store what they tell, end it."""

import asyncio
import random
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog

from db import garbage, leases, runs, transcripts
from db.clock import now
from db.errors import LeaseLost
from db.leases import Lease
from db.models import Job
from db.session import DATABASE_DOWN
from db.states import Move
from db.values import ErrorCode, Problem, Provenance, Stage, StageReport, StageState
from tasks.child import Ready, Reply, Stopped, Task
from tasks.engine import EngineLost
from tasks.live import Progress
from tasks.pipeline import types as t
from tasks.progress import JobProgress
from tasks.runtime import Runtime
from tasks.watch import Watch, Wish

PROGRESS_SECONDS = 0.25
"""At most four percentages a second leave a job."""

BACKOFF_SECONDS, BACKOFF_CAP = 2.0, 600.0

_log = structlog.get_logger(__name__)


async def run_next(runtime: Runtime) -> bool:
    """Claims the best waiting job and runs it to an end, whatever that is. False when there was none."""
    async with runtime.db.write() as session:
        claimed = await runs.claim(session, worker=runtime.worker, per_owner=runtime.settings.jobs_per_owner)
    if claimed is None:
        return False
    job, lease = claimed
    with structlog.contextvars.bound_contextvars(job_id=job.id, correlation_id=job.correlation_id):
        _log.info("job.claimed", attempt=job.attempt, fence=lease.fence)
        run = _Run(runtime, job, lease)
        try:
            await run.to_the_end()
        except LeaseLost:
            _log.warning("job.lease_lost", remedy="another worker has it, or it was cancelled or deleted")
            await runtime.engine.end()
        except DATABASE_DOWN as error:
            _log.warning("job.database_down", error=str(error))
            await runtime.engine.end()
            await run.hand_back_when_possible()
        finally:
            shutil.rmtree(run.scratch, ignore_errors=True)
    return True


class _Run:
    """One attempt at one job, under its lease."""

    def __init__(self, runtime: Runtime, job: Job, lease: Lease) -> None:
        self._runtime = runtime
        self._job = job
        self._lease = lease
        self._stages = {report.stage: report for report in job.stages}
        self._problems = list(job.problems)
        self._progress = JobProgress(job.stages)
        self._published = 0.0
        self._watch = Watch(runtime, lease, self._position)
        self.scratch: Path = runtime.scratch / job.id

    async def to_the_end(self) -> None:
        """Runs the job and records how it ended. Raises LeaseLost."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        async with self._watch:
            task = Task(await self._work(), {"job_id": self._job.id, "correlation_id": self._job.correlation_id})
            try:
                async for reply in self._runtime.engine.run(task):
                    self._watch.heard()
                    if await self._follow(reply):
                        return
            except EngineLost as lost:
                await self._lost(lost)

    async def hand_back_when_possible(self) -> None:
        """Gives the job back as soon as the database answers, or leaves it to the sweepers when the lease has ended."""
        for _ in range(leases.LEASE_MS // 1000):
            try:
                await self._stopped()
            except LeaseLost:
                return
            except DATABASE_DOWN:
                await asyncio.sleep(1.0)
            else:
                return

    # ------------------------------------------------------------ what goes in

    async def _work(self) -> t.Work:
        async with self._runtime.db.write() as session:
            await transcripts.trim(session, self._lease, self._job.windows)
            media = await runs.media_of(session, self._lease, self._job.media_id)
            transcript, segments, speakers = await transcripts.stored(session, self._lease)
        if media.blob_key is None:
            raise LeaseLost("the recording is gone")
        source = await self._runtime.blobs.local_path(media.blob_key, self.scratch)
        for name, key in self._job.kept.items():
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

    async def _follow(self, reply: Reply) -> bool:  # noqa: C901, PLR0912  one branch for each kind of update
        """Stores what an update tells; True when it was the last."""
        db, lease = self._runtime.db, self._lease
        match reply:
            case t.StageStarted(stage):
                await self._report(stage, state=StageState.RUNNING, started_at=now(), finished_at=None)
            case t.Progressed(stage, fraction):
                await self._tell(stage, fraction)
            case t.LanguageDetected(language, confidence):
                async with db.write() as session:
                    await transcripts.set_language(session, lease, language, confidence)
            case t.WindowTranscribed(windows, segments):
                async with db.write() as session:
                    await transcripts.append(session, lease, segments, windows=windows, **self._position())
            case t.SegmentsRevised(stage, segments, removed):
                async with db.write() as session:
                    await transcripts.revise(session, lease, stage, segments, removed, **self._position())
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
                return True
            case t.Failed(problem):
                await self._failed(problem)
                return True
            case Stopped():
                await self._stopped()
                return True
            case t.Kept(_, name):
                await self._keep(name)
            case t.Probed() | Ready():
                pass
        return False

    async def _report(
        self, stage: Stage, *, problem: Problem | None = None, **changes: StageState | float | None
    ) -> None:
        report = msgspec.structs.replace(self._stages.get(stage, StageReport(stage=stage)), problem=problem, **changes)
        if report.state is not StageState.RUNNING:
            over = 1.0 if report.state is not StageState.SKIPPED else 0.0
            report = msgspec.structs.replace(report, finished_at=now(), progress=over)
            self._progress.advance(stage, 1.0)
        self._stages[stage] = report
        if problem is not None:
            self._problems.append(problem)
        async with self._runtime.db.write() as session:
            await runs.report(
                session, self._lease, list(self._stages.values()), report, problems=self._problems, **self._position()
            )

    async def _keep(self, name: str) -> None:
        """Stores a checkpoint under a key of this lease's own, and lets the job point to it while the lease holds."""
        key = f"jobs/{self._job.id}/{self._lease.fence}/{name}"
        await self._runtime.blobs.store(key, self.scratch / name)
        before = self._job.kept.get(name)
        self._job.kept = {**self._job.kept, name: key}
        async with self._runtime.db.write() as session:
            await leases.write(session, self._lease, kept=self._job.kept)
            await garbage.add(session, self._lease.owner_id, [before] if before else [])

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
        await self._runtime.live.publish(progress)

    def _position(self) -> dict[str, Any]:
        return {"progress": self._progress.fraction, "eta_seconds": self._progress.eta_seconds}

    # ------------------------------------------------------------ how it ends

    async def _persist(self, provenance: Provenance) -> None:
        """The last stage, and the end, in one transaction."""
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
            await runs.report(session, self._lease, list(self._stages.values()), report, progress=1.0)
            await runs.finish(session, self._lease, Move.END_PARTIAL if failed else Move.SUCCEED)
        _log.info("job.finished", partial=failed)

    async def _failed(self, problem: Problem, *, crashes: int | None = None) -> None:
        """Again after a while when the fault may pass, otherwise the end."""
        self._problems.append(problem)
        kept = {"problems": self._problems, "stages": self._interrupted(problem)}
        if crashes is not None:
            kept["crashes"] = crashes
        again = problem.retryable and self._job.attempt < self._runtime.settings.max_attempts
        if again and (crashes or 0) < leases.MAX_CRASHES:
            delay = backoff(self._job.attempt)
            async with self._runtime.db.write() as session:
                await runs.put_back(session, self._lease, Move.RETRY_LATER, delay_ms=round(delay * 1000), **kept)
            _log.warning("job.retry_later", code=problem.code, seconds=round(delay, 1))
            return
        async with self._runtime.db.write() as session:
            await runs.finish(session, self._lease, Move.FAIL, **kept)
        _log.warning("job.failed", code=problem.code, message=problem.message)

    async def _stopped(self) -> None:
        stages = self._interrupted(None)
        async with self._runtime.db.write() as session:
            if self._watch.wish is Wish.CANCEL:
                await runs.finish(session, self._lease, Move.CANCEL_RUNNING, stages=stages)
            else:
                await runs.put_back(session, self._lease, Move.HAND_BACK, stages=stages)
        _log.info("job.stopped", why=self._watch.wish)

    async def _lost(self, lost: EngineLost) -> None:
        _log.warning("engine.lost", status=lost.status, why=self._watch.wish)
        if self._watch.wish in {Wish.CANCEL, Wish.DRAIN}:
            await self._stopped()
            return
        stage = self._running_stage()
        if self._watch.wish is Wish.STUCK:
            code, message = ErrorCode.TIMED_OUT, "A stage made no progress for too long and was stopped."
        else:
            code, message = ErrorCode.WORKER_LOST, "The speech engine's process ended unexpectedly."
        problem = Problem(code=code, message=message, stage=stage, retryable=True, remedy="It is tried again.")
        await self._failed(problem, crashes=self._job.crashes + 1)

    def _running_stage(self) -> Stage | None:
        return next((r.stage for r in self._stages.values() if r.state is StageState.RUNNING), None)

    def _interrupted(self, problem: Problem | None) -> list[StageReport]:
        """The stages as an interruption leaves them: the running one failed, or is to be done again."""
        left = StageState.FAILED if problem and not problem.retryable else StageState.PENDING
        return [
            msgspec.structs.replace(report, state=left, problem=problem, finished_at=now())
            if report.state is StageState.RUNNING
            else report
            for report in self._stages.values()
        ]


def backoff(attempt: int) -> float:
    """Seconds until the next try: exponential, full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015)."""
    return random.uniform(0, min(BACKOFF_CAP, BACKOFF_SECONDS * 2 ** max(0, attempt - 1)))  # noqa: S311  no secret
