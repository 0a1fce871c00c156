"""A job's stages, as traces and metrics show them.

The engine's process traces nothing: the worker opens a stage's span when it hears that the stage began, and ends it
when it hears how it went. So a killed engine leaves a whole trace, with the stage in which it died marked.
"""

from db.domain.values import Problem, Stage, StageReport, StageState
from tasks.telemetry import metrics, traces


class JobObserver:
    """Follows one attempt at one job. `seconds` is the recording's length, once it is known."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._open: dict[Stage, traces.Span] = {}

    def stage(self, report: StageReport) -> None:
        """Show that a stage began, ended, failed or was skipped."""
        name = report.stage.lower()
        if report.state is StageState.RUNNING:
            self._open[report.stage] = traces.begin(f"stage {name}", graphophone__stage=name)
            return
        span = self._open.pop(report.stage, None)
        if report.problem is not None:
            metrics.add("graphophone.stage.failures", stage=name, code=report.problem.code)
            if span is not None:
                span.fail(report.problem.code)
        if span is not None:
            span.end()
        if report.state is not StageState.SKIPPED and report.seconds is not None:
            outcome = "done" if report.state is StageState.DONE else "failed"
            metrics.record("graphophone.stage.duration", report.seconds, stage=name, outcome=outcome)
            if self.seconds:
                metrics.record("graphophone.stage.realtime_factor", report.seconds / self.seconds, stage=name)

    def failed(self, problem: Problem) -> None:
        """Show that the attempt failed, in whatever stage it was."""
        metrics.add("graphophone.jobs.failures", code=problem.code)
        self._close(problem.code)

    def ended(self, state: str) -> None:
        """Show that the attempt ended with the job in this state."""
        if state != "QUEUED":
            metrics.add("graphophone.jobs.finished", state=state)
        self._close(None if state in {"SUCCEEDED", "PARTIAL"} else state)

    def _close(self, reason: str | None) -> None:
        for span in self._open.values():
            if reason is not None:
                span.fail(reason)
            span.end()
        self._open.clear()
