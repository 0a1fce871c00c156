"""Stretches of time in a recording."""

import strawberry

from schema.base import validation
from schema.base.fields import field


@strawberry.input(description="A stretch of time in a recording.")
class TimeRange:
    """From start to end."""

    start: float = field("The time at which it begins, in seconds.")
    end: float = field("The time at which it ends, in seconds; behind the start.")


def seconds(between: TimeRange | None) -> tuple[float, float] | None:
    """Return a stretch of time that was checked. Raises InvalidInput."""
    return None if between is None else validation.time_range("between", between.start, between.end)
