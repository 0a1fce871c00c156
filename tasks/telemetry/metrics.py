"""Metrics by OpenTelemetry: at `/metrics` for Prometheus, over OTLP, or both. Off, and free, unless asked for.

`OTEL_METRICS_EXPORTER` names what is wanted, `prometheus`, `otlp` or both with a comma; without it, an OTLP endpoint in
the environment means `otlp`.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from tasks.telemetry.instruments import Observe

_KNOWN: Final = frozenset({"prometheus", "otlp"})
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

_sdk: Any = None


def exporters(environment: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return where metrics go; empty where they are off."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return frozenset()
    if named := environment.get("OTEL_METRICS_EXPORTER", ""):
        return _KNOWN & {name.strip() for name in named.split(",")}
    return frozenset({"otlp"}) if any(environment.get(name) for name in _ENDPOINTS) else frozenset()


def configure(process: str, observe: Observe) -> bool:
    """Start the metrics of this process when they are asked for, and return whether they are on.

    `observe` gives the present values of a gauge by its name.
    """
    global _sdk  # noqa: PLW0603  one a process
    if _sdk is None and (found := exporters()):
        _sdk = import_module("tasks.telemetry.sdk").Metrics(process, found, observe)
    return _sdk is not None


def on() -> bool:
    """Return whether this process measures."""
    return _sdk is not None


def shut_down() -> None:
    """Send what is still held back; a process calls it last."""
    global _sdk
    ended, _sdk = _sdk, None
    if ended is not None:
        ended.shut_down()


def add(name: str, amount: float = 1, **labels: str) -> None:
    """Add to a counter or a level; a double underscore in a label stands for a dot."""
    if _sdk is not None:
        _sdk.add(name, amount, _named(labels))


def record(name: str, value: float, **labels: str) -> None:
    """Record a value in a histogram."""
    if _sdk is not None:
        _sdk.record(name, value, _named(labels))


@contextmanager
def timed(name: str, **labels: str) -> Iterator[dict[str, str]]:
    """Record the seconds that a block takes; labels known only at its end are put into what is given."""
    began = time.perf_counter()
    try:
        yield labels
    finally:
        record(name, time.perf_counter() - began, **labels)


def exposition() -> tuple[bytes, str] | None:
    """Return the text that Prometheus scrapes and its media type; None unless it was asked for."""
    if _sdk is None or "prometheus" not in exporters():
        return None
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415  only where it is on

    return generate_latest(), CONTENT_TYPE_LATEST


def _named(labels: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("__", "."): value for name, value in labels.items()}
