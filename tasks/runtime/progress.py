"""The progress of a job as a whole, and when it will be done, out of its stages' progress."""

import time
from collections.abc import Iterable, Sequence

import msgspec

from db.domain.clock import now
from db.domain.values import Problem, Stage, StageReport, StageState

SHARES = {
    Stage.FETCH: 0.05,
    Stage.DECODE: 0.05,
    Stage.LOAD: 0.02,
    Stage.TRANSCRIBE: 0.43,
    Stage.ALIGN: 0.15,
    Stage.DIARIZE: 0.33,
    Stage.PERSIST: 0.02,
}
"""The part of the time that each stage takes on a CPU with the offline models; those switched off count as nothing."""

_TOO_EARLY = 0.05


class JobProgress:
    """Never goes back within an attempt."""

    def __init__(self, stages: Sequence[StageReport]) -> None:
        self._done = {r.stage: 1.0 if r.state in _OVER else 0.0 for r in stages if r.state is not StageState.SKIPPED}
        self._began = time.monotonic()
        self._at_start = self._sum()
        self.fraction = self._at_start

    def advance(self, stage: Stage, fraction: float) -> None:
        """Note that a stage has come this far, 0..1."""
        self._done[stage] = max(self._done.get(stage, 0.0), min(1.0, fraction))
        self.fraction = max(self.fraction, self._sum())

    def of(self, stage: Stage) -> float:
        """Return how far a stage is, 0..1."""
        return self._done.get(stage, 0.0)

    @property
    def eta_seconds(self) -> float | None:
        """Return the seconds to the end at the pace so far; None while that says little."""
        gained = self.fraction - self._at_start
        if gained < _TOO_EARLY:
            return None
        return round((time.monotonic() - self._began) * (1.0 - self.fraction) / gained, 1)

    def _sum(self) -> float:
        whole = sum(SHARES[stage] for stage in self._done)
        return sum(SHARES[stage] * done for stage, done in self._done.items()) / whole if whole else 0.0


_OVER = frozenset({StageState.DONE, StageState.FAILED})


def interrupted(stages: Iterable[StageReport], problem: Problem | None) -> list[StageReport]:
    """Return the stages as an interruption leaves them: the running one failed, or is to be done again."""
    left = StageState.FAILED if problem and not problem.retryable else StageState.PENDING
    return [
        msgspec.structs.replace(report, state=left, problem=problem, finished_at=now())
        if report.state is StageState.RUNNING
        else report
        for report in stages
    ]
