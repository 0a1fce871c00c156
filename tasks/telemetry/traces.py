"""Traces by OpenTelemetry's standard environment variables. Off, and nothing of it imported, when none of them is set.

A trace follows the row, not the message: `traceparent` (W3C Trace Context) is stored with a job, an export or a
delivery, and the worker that claims the row goes on from it. No span carries a path, a query, a file name or what was
said.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final, Literal

from db.domain.trace import TRACEPARENT

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Value = str | int | float | bool

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

_sdk: Any = None


class Span:
    """An open span; this one stands for those of a process that does not trace."""

    def set(self, **attributes: Value | None) -> None:
        """Add attributes; a double underscore in a name stands for a dot, and None is left out."""

    def rename(self, name: str) -> None:
        """Give the span the name that is known only now, such as its route."""

    def fail(self, kind: str, message: str = "") -> None:
        """Mark the span as failed: `kind` is a code or an exception's name, the message holds nothing personal."""

    def end(self, end_ms: int | None = None) -> None:
        """End a span that `begin` opened, at an instant in epoch milliseconds or now."""


_OFF = Span()


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the standard variables ask for traces."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return False
    return bool(exporter) or any(environment.get(name) for name in _ENDPOINTS)


def configure(process: str) -> None:
    """Start tracing in this process when it is asked for; `process` is its role, such as `web`.

    Everything else comes from the SDK's own variables: sampler, endpoint, headers, limits, `OTEL_SERVICE_NAME`.
    """
    global _sdk  # noqa: PLW0603  one a process
    if _sdk is None and wanted():
        _sdk = import_module("tasks.telemetry.sdk").Tracing(process)


def on() -> bool:
    """Return whether this process traces."""
    return _sdk is not None


def shut_down() -> None:
    """Send what is still held back; a process calls it last."""
    global _sdk
    ended, _sdk = _sdk, None
    if ended is not None:
        ended.shut_down()


def begin(
    name: str,
    *,
    kind: Kind = "internal",
    parent: str | None = None,
    link: str | None = None,
    start_ms: int | None = None,
    **attributes: Value | None,
) -> Span:
    """Open a span that the caller ends, below `parent` (a traceparent) or else below the span in force.

    `link` is the traceparent of work that this continues, such as an earlier attempt; `start_ms` is an instant in epoch
    milliseconds, now when left out.
    """
    if _sdk is None:
        return _OFF
    opened: Span = _sdk.begin(name, kind, parent, link, start_ms, attributes)
    return opened


@contextmanager
def span(
    name: str,
    *,
    kind: Kind = "internal",
    parent: str | None = None,
    link: str | None = None,
    **attributes: Value | None,
) -> Iterator[Span]:
    """Open a span for a block and put it in force; an exception that leaves the block marks it as failed."""
    if _sdk is None:
        yield _OFF
        return
    opened = _sdk.begin(name, kind, parent, link, None, attributes)
    with _sdk.in_force(opened):
        token = TRACEPARENT.set(_sdk.traceparent())
        try:
            yield opened
        except Exception as error:
            opened.fail(type(error).__name__)
            raise
        finally:
            TRACEPARENT.reset(token)


def traceparent() -> str | None:
    """Return the span in force as a W3C traceparent, to be stored with a row; None where there is none."""
    return TRACEPARENT.get()


def trace_id() -> str | None:
    """Return the id of the trace in force, for the log; None where there is none."""
    current = traceparent()
    return current.split("-")[1] if current else None
