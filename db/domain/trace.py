"""The trace in which rows are made, so that the worker that takes them goes on from there."""

from contextvars import ContextVar

TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""W3C Trace Context of the span in force; None where nothing is traced. `tasks.telemetry` sets it."""
