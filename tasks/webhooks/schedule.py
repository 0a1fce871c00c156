"""The times of further attempts: Svix's schedule with jitter, and what a receiver asks for itself."""

import random
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

JITTER = 0.2
"""The part of a delay by which it is shorter or longer, so that what failed together does not come together."""

PATIENCE = (1.0, 86_400.0)
"""The seconds of a `Retry-After` that are obeyed."""

BUSY = frozenset({429, 503})


def delay_after(attempt: int, schedule: Sequence[float]) -> float | None:
    """Return the seconds until the attempt after this one, which is counted from 1; None when it was the last."""
    if attempt > len(schedule):
        return None
    return schedule[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def asked_for(status: int | None, retry_after: str | None, now: float) -> float:
    """Return for how many seconds a receiver asks to be spared (RFC 9110, 10.2.3); 0 when it does not."""
    if status not in BUSY or not retry_after:
        return 0.0
    try:
        if retry_after.strip().isdecimal():
            seconds = float(retry_after.strip()[:10])
        else:
            seconds = parsedate_to_datetime(retry_after).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, PATIENCE[0]), PATIENCE[1])
