"""The progress of a job as a person sees it: a bar on a terminal, plain lines elsewhere; always on standard error."""

from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from api.client.failures import printable

EVERY = 0.25
"""Of a job's progress: how often a plain line tells it."""


WORDS = {"LOAD": "load models"}
"""The work of a stage, for those whose name alone does not say it."""


class Reporter(Protocol):
    """Told what happens, in the order in which it happens."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and leave what is on the screen in order."""

    def uploaded(self, done: int, total: int) -> None:
        """So many bytes of the recording are gone out."""

    def told(self, event: dict[str, Any]) -> None:
        """Show an event of the job."""

    def note(self, line: str) -> None:
        """Something else worth a line."""


def reporter(console: Console) -> Reporter:
    """Return the one that suits where standard error goes."""
    return Bar(console) if console.is_terminal else Lines(console)


class Bar:
    """A bar for the upload, then one for the job, with stage, percent and time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[remark]}"),
            console=console,
        )
        self._upload: TaskID | None = None
        self._job: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def uploaded(self, done: int, total: int) -> None:
        """Move the first bar."""
        if self._upload is None:
            self._upload = self._progress.add_task("upload", total=total, remark="")
        self._progress.update(self._upload, completed=done, remark=f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")

    def told(self, event: dict[str, Any]) -> None:
        """Move the second bar."""
        job = event["job"]
        if self._job is None:
            self._job = self._progress.add_task("waiting", total=1.0, remark="")
        stage = doing(event)
        self._progress.update(self._job, completed=job["progress"], description=stage, remark=remark(job))

    def note(self, line: str) -> None:
        """Print above the bars."""
        self._progress.console.print(printable(line), markup=False, highlight=False)


class Lines:
    """A line for each thing that begins, for logs and screen readers."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ("", -1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def uploaded(self, done: int, total: int) -> None:
        """Say when the upload is complete."""
        if done == total:
            self.note(f"upload: {total / 1e6:.1f} MB sent")

    def told(self, event: dict[str, Any]) -> None:
        """Say when a stage begins, and each quarter of the way."""
        job = event["job"]
        now = (doing(event), int(job["progress"] / EVERY))
        if now != self._last:
            self._last = now
            self.note(f"{now[0]}: {job['progress']:.0%} {remark(job)}".rstrip())

    def note(self, line: str) -> None:
        """Print it."""
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def doing(event: dict[str, Any]) -> str:
    """Return what the job is at: the stage that this event tells of, else the running one, else its state."""
    report = event.get("report") or {}
    told = report.get("stage") if report.get("state") == "RUNNING" else None
    now: str = told or event["job"]["stage"] or event["job"]["state"]
    return WORDS.get(now, now.lower())


def remark(job: dict[str, Any]) -> str:
    """Return the time that is left, or the place in the queue."""
    if job["queuePosition"]:
        return f"number {job['queuePosition']} in the queue"
    if job["etaSeconds"] is not None and job["state"] == "RUNNING":
        minutes, seconds = divmod(round(job["etaSeconds"]), 60)
        return f"{minutes}:{seconds:02} left"
    return ""
