"""Every instrument there is: name, unit, meaning and labels, all of them bounded sets.

Prometheus shows a name with its dots as underscores, the unit behind it and `_total` behind a counter.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, NamedTuple

Observe = Callable[[str], Iterable[tuple[Mapping[str, str], float]]]
"""Gives the present values of a gauge: labels and value."""

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0)
RATIO: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 5.0)
SIZE: Final = (1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 4e9)


class Instrument(NamedTuple):
    """One metric."""

    feature: str
    kind: Literal["counter", "level", "histogram", "gauge"]
    name: str
    unit: str
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


INSTRUMENTS: Final = (
    Instrument("submit", "counter", "graphophone.jobs.accepted", "{job}", "Jobs accepted.", ("task",)),
    Instrument("submit", "counter", "graphophone.jobs.refused", "{job}", "Jobs not accepted, by code.", ("code",)),
    Instrument(
        "work", "histogram", "graphophone.work.wait", "s", "Time from a row to its first claim.", ("work",), SLOW
    ),
    Instrument("work", "histogram", "graphophone.work.duration", "s", "Time of an attempt.", ("work", "outcome"), SLOW),
    Instrument("work", "gauge", "graphophone.queue.depth", "{row}", "Rows that wait, by kind of work.", ("work",)),
    Instrument("work", "gauge", "graphophone.queue.oldest_wait", "s", "How long the oldest row waits.", ("work",)),
    Instrument("jobs", "counter", "graphophone.jobs.finished", "{job}", "Jobs ended, by state.", ("state",)),
    Instrument("jobs", "counter", "graphophone.jobs.failures", "{attempt}", "Attempts failed, by code.", ("code",)),
    Instrument(
        "stages", "histogram", "graphophone.stage.duration", "s", "Time of a stage.", ("stage", "outcome"), SLOW
    ),
    Instrument(
        "stages",
        "histogram",
        "graphophone.stage.realtime_factor",
        "1",
        "Time of a stage per second of the recording.",
        ("stage",),
        RATIO,
    ),
    Instrument("stages", "counter", "graphophone.stage.failures", "{stage}", "Stages failed.", ("stage", "code")),
    Instrument("exports", "histogram", "graphophone.export.size", "By", "Size of a document.", ("format",), SIZE),
    Instrument(
        "webhooks", "histogram", "graphophone.webhook.duration", "s", "Time of an attempt.", ("outcome",), QUICK
    ),
    Instrument("webhooks", "counter", "graphophone.webhooks.parked", "{delivery}", "Deliveries given up.", ("reason",)),
    Instrument("webhooks", "counter", "graphophone.webhooks.closed", "{endpoint}", "Sent no more.", ("state",)),
    Instrument("uploads", "counter", "graphophone.uploads.finished", "{upload}", "Uploads ended.", ("outcome",)),
    Instrument("uploads", "histogram", "graphophone.upload.size", "By", "Size of a recording taken in.", (), SIZE),
    Instrument("uploads", "histogram", "graphophone.upload.duration", "s", "Time to take a recording in.", (), SLOW),
    Instrument(
        "graphql",
        "histogram",
        "graphophone.graphql.duration",
        "s",
        "Time to answer an operation.",
        ("graphql.operation.type", "outcome"),
        QUICK,
    ),
    Instrument("graphql", "counter", "graphophone.graphql.errors", "{error}", "Errors in answers, by code.", ("code",)),
    Instrument(
        "graphql",
        "counter",
        "graphophone.graphql.cost",
        "{point}",
        "Points of query cost.",
        ("graphql.operation.type",),
    ),
    Instrument("subscriptions", "level", "graphophone.subscriptions.active", "{subscription}", "Open subscriptions."),
    Instrument("subscriptions", "counter", "graphophone.subscription.events", "{event}", "Events sent to subscribers."),
    Instrument("subscriptions", "counter", "graphophone.subscriptions.ended", "{subscription}", "Ended.", ("outcome",)),
    Instrument(
        "http",
        "histogram",
        "http.server.request.duration",
        "s",
        "Time to answer an HTTP request.",
        ("http.request.method", "http.route", "http.response.status_code"),
        QUICK,
    ),
    Instrument("processes", "gauge", "graphophone.event_loop.lag", "s", "How late the event loop is."),
    Instrument("processes", "gauge", "process.memory.usage", "By", "Resident memory.", ("process",)),
    Instrument("processes", "gauge", "graphophone.workers.online", "{worker}", "Workers that are up.", ("worker",)),
)
