"""The OpenTelemetry SDK behind `traces` and `metrics`: the one module that imports it, only where it is on."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation, UpDownCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tasks.telemetry.instruments import INSTRUMENTS, Instrument, Observe
from tasks.telemetry.traces import Kind, Span, Value

_W3C = TraceContextTextMapPropagator()


def resource(process: str) -> Resource:
    """Return what names this process; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go first."""
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    service = {} if named else {"service.name": "graphophone"}
    return Resource.create(service | {"service.instance.id": f"{process}@{os.uname().nodename}:{os.getpid()}"})


class _Open(Span):
    """An open span of the SDK's."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span

    def set(self, **attributes: Value | None) -> None:
        if self.span.is_recording():
            self.span.set_attributes(_named(attributes))

    def rename(self, name: str) -> None:
        self.span.update_name(name)

    def fail(self, kind: str, message: str = "") -> None:
        self.span.set_attribute("error.type", kind)
        self.span.set_status(Status(StatusCode.ERROR, message or kind))

    def end(self, end_ms: int | None = None) -> None:
        self.span.end(None if end_ms is None else end_ms * 1_000_000)


class Tracing:
    """Spans to an OTLP receiver, over HTTP."""

    def __init__(self, process: str) -> None:
        self._provider = TracerProvider(resource=resource(process), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("graphophone")

    def shut_down(self) -> None:
        """Send what is held back and stop."""
        self._provider.shutdown()

    def begin(  # noqa: PLR0917  called by `traces.begin` only
        self,
        name: str,
        kind: Kind,
        parent: str | None,
        link: str | None,
        start_ms: int | None,
        attributes: Mapping[str, Value | None],
    ) -> _Open:
        """Open a span: see `traces.begin`."""
        linked = _context_of(link)
        return _Open(
            self._tracer.start_span(
                name,
                context=_below(_context_of(parent)),
                kind=SpanKind[kind.upper()],
                links=[] if linked is None else [Link(linked)],
                start_time=None if start_ms is None else start_ms * 1_000_000,
                attributes=_named(attributes),
            )
        )

    @contextmanager
    def in_force(self, opened: _Open) -> Iterator[None]:
        """Put a span in force for a block and end it there."""
        with trace.use_span(opened.span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield

    def traceparent(self) -> str | None:
        """Return the span in force as a W3C traceparent."""
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return None
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


class Metrics:
    """The instruments of `instruments.INSTRUMENTS`, read by Prometheus, sent over OTLP, or both."""

    def __init__(self, process: str, exporters: frozenset[str], observe: Observe) -> None:
        readers: list[MetricReader] = []
        if "prometheus" in exporters:
            readers.append(PrometheusMetricReader(scope_info_enabled=False))
        if "otlp" in exporters:
            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        self._provider = MeterProvider(readers, resource(process), shutdown_on_exit=False, views=_views())
        meter = self._provider.get_meter("graphophone")
        self._made: dict[str, Counter | UpDownCounter | Histogram] = {}
        for one in INSTRUMENTS:
            facts: dict[str, Any] = {"unit": one.unit, "description": one.description}
            if one.kind == "counter":
                self._made[one.name] = meter.create_counter(one.name, **facts)
            elif one.kind == "level":
                self._made[one.name] = meter.create_up_down_counter(one.name, **facts)
            elif one.kind == "histogram":
                self._made[one.name] = meter.create_histogram(one.name, **facts)
            else:
                meter.create_observable_gauge(one.name, [_callback(one, observe)], **facts)

    def add(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter or a level."""
        self._made[name].add(amount, labels)  # type: ignore[union-attr]  # the table says which it is

    def record(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Record a value in a histogram."""
        self._made[name].record(value, labels)  # type: ignore[union-attr]  # the same

    def shut_down(self) -> None:
        """Send what is held back and stop."""
        self._provider.shutdown()


def _views() -> list[View]:
    """Bound the labels of every instrument by its own table, and give histograms its buckets."""
    return [
        View(
            instrument_name=one.name,
            attribute_keys=set(one.labels),
            aggregation=ExplicitBucketHistogramAggregation(one.buckets) if one.kind == "histogram" else None,
        )
        for one in INSTRUMENTS
    ]


def _callback(one: Instrument, observe: Observe):  # type: ignore[no-untyped-def]  # noqa: ANN202  the SDK's own type
    def read(_options: CallbackOptions) -> list[Observation]:
        return [Observation(value, labels) for labels, value in observe(one.name)]

    return read


def _context_of(traceparent: str | None) -> SpanContext | None:
    if traceparent is None:
        return None
    found = trace.get_current_span(_W3C.extract({"traceparent": traceparent}, context=Context())).get_span_context()
    return found if found.is_valid else None


def _below(parent: SpanContext | None) -> Context | None:
    return None if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _named(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value is not None}
