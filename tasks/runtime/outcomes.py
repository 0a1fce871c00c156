"""Outcomes of an attempt that did not end by itself."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from db.domain.errors import LeaseLost
from db.domain.values import ErrorCode, Problem
from db.store.session import DatabaseDown
from tasks.runtime.context import Runtime

BACKOFF_SECONDS, BACKOFF_CAP = 2.0, 600.0


async def when_possible(runtime: Runtime, end: Callable[[], Awaitable[object]]) -> None:
    """End an attempt as soon as the database answers, or leave it to the sweepers when its lease has ended."""
    deadline = time.monotonic() + runtime.settings.lease_seconds
    while time.monotonic() < deadline:
        try:
            await end()
        except LeaseLost:
            return
        except DatabaseDown:
            if runtime.force_stop.is_set():
                return
            await asyncio.sleep(min(1.0, runtime.settings.heartbeat_seconds))
        else:
            return


def backoff(attempt: int) -> float:
    """Return the seconds until the next try: exponential, full jitter (Brooker, "Exponential Backoff…", AWS 2015)."""
    return random.uniform(0, min(BACKOFF_CAP, BACKOFF_SECONDS * 2 ** min(attempt - 1, 30)))  # noqa: S311  no secret


def problem_of(error: Exception) -> Problem:
    """Return the problem that a client is told of a fault outside of the engine."""
    if isinstance(error, FileNotFoundError):
        message, remedy = "The recording's file is gone.", "Upload the recording again."
        return Problem(code=ErrorCode.NOT_FOUND, message=message, remedy=remedy)
    remedy = "It is tried again; the log has the details under the correlation id."
    return Problem(code=ErrorCode.INTERNAL, message="Something unexpected went wrong.", remedy=remedy, retryable=True)
