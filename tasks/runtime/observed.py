"""One attempt at one piece of work, as traces and metrics show it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from db.domain.clock import now
from db.models import Leased
from tasks.telemetry import metrics, traces


@contextmanager
def observed(topic: str, row: Leased) -> Iterator[Callable[[str], None]]:
    """Trace and measure a block that is an attempt at this row, below the request that made it.

    Call what is given with the outcome: `done`, or why the work is not done.
    """
    began, found = time.perf_counter(), "fault"

    def tell(outcome: str) -> None:
        nonlocal found
        found = outcome

    if row.attempt == 1:
        metrics.record("graphophone.work.wait", max(0, now() - row.created_at) / 1000, work=topic)
    destination = {"messaging__system": "dramatiq", "messaging__destination__name": row.queue}
    names = {"messaging__operation__type": "process", f"graphophone__{topic}_id": row.id}
    with traces.span(
        f"process {topic}",
        kind="consumer",
        parent=row.traceparent,
        graphophone__attempt=row.attempt,
        **destination,
        **names,
    ) as span:
        try:
            yield tell
        finally:
            if found != "done":
                span.fail(found)
            metrics.record("graphophone.work.duration", time.perf_counter() - began, work=topic, outcome=found)
